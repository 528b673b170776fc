"""The storm's view of a tortured system: three processes that keep copies of each other's data."""

import signal
from collections.abc import Sequence
from typing import Protocol

import trio

from trikv.client.commands import Command
from trikv.client.dial import dial
from trikv.client.endpoint import Address
from trikv.client.errors import Refused

ASK_S_MAX = 1.0
"""A node that takes longer counts as not answering."""


class TortureError(Exception):
    """A run that was impossible: this says nothing about any data. The text is one line."""


class System(Protocol):
    """Three servers, numbered from 1. A method that takes nodes acts on all of them at the same time."""

    title: str
    reads_anywhere: bool
    """Whether any node answers for all; otherwise only the leader does."""

    def where(self, client: int, attempt: int) -> Address:
        """The address that a client connects to, at this attempt."""

    async def start(self, nodes: Sequence[int]) -> None:
        """Start, or start again."""

    async def revive(self) -> None:
        """Start each node that does not run, and resume each that is paused."""

    async def kill(self, nodes: Sequence[int]) -> None:
        """Kill -9, and wait until they are gone."""

    def pause(self, nodes: Sequence[int]) -> None:
        """SIGSTOP."""

    def resume(self, nodes: Sequence[int]) -> None:
        """SIGCONT."""

    async def leader(self) -> int | None:
        """The leading node, None if unknown."""

    async def fail_over(self) -> None:
        """If the system needs it, replace a leader that is gone or silent, and tell nodes that are back."""

    async def whole(self) -> bool:
        """Whether all nodes run and keep up with one leader. Raises TortureError if one ended by itself."""

    async def stop(self) -> list[str]:
        """End all nodes, in order if possible; returns what was wrong with their ends."""

    async def digests(self) -> dict[str, str] | None:
        """A digest of each node's state, taken when nothing changes; None if the system has none."""


async def ask(address: Address, *commands: Command) -> list[object] | None:
    """Ask a node on a new connection; None if it does not answer."""
    try:
        with trio.fail_after(ASK_S_MAX):
            async with await dial(address) as client:
                return await client.pipeline(*commands)
    except (OSError, Refused, trio.TooSlowError):
        return None


async def ask_info(address: Address, *sections: bytes) -> str:
    """A node's INFO; empty if it does not answer."""
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
