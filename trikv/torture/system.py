"""What is tortured: three processes that keep one another's data, seen as the storm sees them."""

import signal
from collections.abc import Sequence
from typing import Protocol

import trio

from trikv.client.commands import Command
from trikv.client.dial import dial
from trikv.client.endpoint import Address
from trikv.client.errors import Refused

ASK_S_MAX = 1.0
"""A node that is silent for longer counts as not answering."""


class TortureError(Exception):
    """A run that could not be made: nothing is said about anybody's data. The text is one line."""


class System(Protocol):
    """Three servers, numbered from 1. Methods that take nodes do it to all of them at the same time."""

    title: str
    reads_anywhere: bool
    """Any node answers for all; otherwise only the leader does."""

    def where(self, client: int, attempt: int) -> Address:
        """Where a client connects to at its so-many-th attempt."""

    async def start(self, nodes: Sequence[int]) -> None:
        """Start, or start again."""

    async def revive(self) -> None:
        """Start whoever does not run, and resume whoever is stopped."""

    async def kill(self, nodes: Sequence[int]) -> None:
        """Kill -9, and wait until they are gone."""

    def pause(self, nodes: Sequence[int]) -> None:
        """SIGSTOP."""

    def resume(self, nodes: Sequence[int]) -> None:
        """SIGCONT."""

    async def leader(self) -> int | None:
        """The node that leads, as far as is known."""

    async def fail_over(self) -> None:
        """Do what must be done from outside: replace a leader that is gone or silent, tell who is back."""

    async def whole(self) -> bool:
        """All nodes run, follow one leader, and keep up. Raises TortureError where one ended by itself."""

    async def stop(self) -> list[str]:
        """End all, in order where that is possible; what was wrong with their ends."""

    async def digests(self) -> dict[str, str] | None:
        """A digest of each node's state, taken when nothing changes; None where there is no such thing."""


async def ask(address: Address, *commands: Command) -> list[object] | None:
    """Ask a node on a connection of its own; None where it does not answer."""
    try:
        with trio.fail_after(ASK_S_MAX):
            async with await dial(address) as client:
                return await client.pipeline(*commands)
    except (OSError, Refused, trio.TooSlowError):
        return None


async def ask_info(address: Address, *sections: bytes) -> str:
    """A node's INFO; empty where it does not answer."""
    match await ask(address, (b"INFO", *sections)):
        case [bytes(info)]:
            return info.decode(errors="replace")
        case _:
            return ""


def signal_all(processes: Sequence[trio.Process], number: signal.Signals) -> None:
    """Send a signal to those that still run."""
    for process in processes:
        if process.returncode is None:
            process.send_signal(number)
