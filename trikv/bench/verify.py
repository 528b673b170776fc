"""Reads every acknowledged key back and compares it with the ledger."""

import time
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import attrs

from trikv.bench.ledger import Kind, Ledger, Verdict, key_of
from trikv.client.blocking import BlockingClient
from trikv.client.endpoint import Address
from trikv.client.errors import Refused
from trikv.client.replies import ErrorReply

_CHUNK: Final = 200
_SAMPLES: Final = 10
_PAUSE_S: Final = 0.1

Place = tuple[Kind, int]


@attrs.define
class Findings:
    """The findings of reading back."""

    checked: int = 0
    """Keys with an acknowledged write that were read and judged."""
    lost: int = 0
    foreign: int = 0
    """Keys with values that this run never wrote: another program writes here, so there is no verdict."""
    unjudged: int = 0
    """Keys with too many writes in doubt to be judged."""
    unread: int = 0
    """Keys that no node answered for in time."""
    samples: list[str] = attrs.Factory(list)
    """Names of the first keys lost."""

    @property
    def nothing_lost(self) -> bool:
        """Whether every acknowledged key was read, and none of those judged is lost."""
        return not self.lost and not self.unread


def read_back(
    ledger: Ledger, nodes: tuple[Address, ...], *, password: bytes | None, give_up_s: float
) -> Findings:
    """Read each promised key, spread over `nodes`; give up after `give_up_s` without an answer."""
    findings = Findings(unjudged=ledger.unjudged)
    reader = _Reader(nodes, password)
    promises = ledger.promises()
    try:
        while chunk := list(islice(promises, _CHUNK)):
            replies = reader.read(chunk, give_up_s)
            if replies is None:
                findings.unread = len(chunk) + sum(1 for _ in promises)
                break
            for (kind, slot), reply in zip(chunk, replies, strict=True):
                findings.checked += 1
                match ledger.judge(kind, slot, reply):
                    case Verdict.LOST:
                        findings.lost += 1
                        if len(findings.samples) < _SAMPLES:
                            findings.samples.append(key_of(kind, slot).decode())
                    case Verdict.FOREIGN:
                        findings.foreign += 1
                    case Verdict.KEPT:
                        pass
    finally:
        reader.close()
    return findings


class _Reader:
    """Asks the nodes in turn, one chunk each; a chunk that fails goes to the next node."""

    def __init__(self, nodes: tuple[Address, ...], password: bytes | None) -> None:
        self._nodes = nodes
        self._password = password
        self._open: dict[Address, BlockingClient] = {}
        self._turn = 0

    def read(self, chunk: list[Place], give_up_s: float) -> list[Any] | None:
        """Give the replies, none of them an error; None if no node answered in time."""
        deadline_s = time.perf_counter() + give_up_s
        while True:
            for address in self._in_turn():
                replies = self._ask(address, chunk)
                if replies is not None and not any(isinstance(reply, ErrorReply) for reply in replies):
                    return replies
            if time.perf_counter() >= deadline_s:
                return None
            time.sleep(_PAUSE_S)  # every node has just refused or failed

    def close(self) -> None:
        """Close what is open."""
        for client in self._open.values():
            client.close()

    def _in_turn(self) -> Iterator[Address]:
        self._turn += 1
        for step in range(len(self._nodes)):
            yield self._nodes[(self._turn + step) % len(self._nodes)]

    def _ask(self, address: Address, chunk: list[Place]) -> list[Any] | None:
        try:
            client = self._open.get(address)
            if client is None:
                client = self._open[address] = BlockingClient(address, password=self._password)
            return client.pipeline(
                *(("STRLEN" if kind is Kind.TAIL else "GET", key_of(kind, slot)) for kind, slot in chunk)
            )
        except (OSError, Refused):
            if (broken := self._open.pop(address, None)) is not None:
                broken.close()
            return None
