"""Reads everything back, through one node at a time, after all nodes have recovered."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

import attrs
import trio

from trikv.client.dial import dial
from trikv.client.endpoint import Address
from trikv.client.errors import Refused
from trikv.client.on_trio import TrioClient
from trikv.client.replies import ErrorReply
from trikv.sim.history import Args
from trikv.torture.evidence import Evidence, Outcome
from trikv.torture.workload import COUNTERS, counter_key, keys_of_group

CHUNK: Final = 300
PAUSE_S: Final = 0.1
_NOBODY: Final = -1
"""The client number of the final reads."""


@attrs.define
class Reading:
    """The findings of reading one node."""

    node: str
    checked: int = 0
    """Acknowledged unique writes that were looked for."""
    lost: list[bytes] = attrs.Factory(list)
    """Their keys that are missing."""
    risen: list[str] = attrs.Factory(list)
    """Keys that exist although their write was answered as not executed."""
    wrong: list[str] = attrs.Factory(list)
    """Keys with a value that was never written to them."""
    counters: dict[bytes, int] = attrs.Factory(dict)
    unread: bool = False
    """Whether there was no answer in time; the other fields then mean nothing."""


class Reader:
    """Reads one run's keys from one address."""

    def __init__(
        self, evidence: Evidence, where: Callable[[], Address], *, password: bytes | None, give_up_s: float
    ) -> None:
        """`where` gives the address for each attempt to connect."""
        self._evidence = evidence
        self._where = where
        self._password = password
        self._give_up_s = give_up_s
        self._client: TrioClient | None = None

    async def read(self, node: str) -> Reading:
        """Read unique keys and counters, and add reads of all groups to the history."""
        reading = Reading(node)
        try:
            await self._unique(reading)
            await self._counters(reading)
            await self._groups()
        except TimeoutError:
            reading.unread = True
        finally:
            await self.aclose()
        return reading

    async def forget(self) -> None:
        """Delete the run's keys. Raises TimeoutError if there is no answer."""
        every = iter([*self._evidence.unique, *_counter_keys(self._evidence), *_group_keys(self._evidence)])
        try:
            while chunk := list(islice(every, CHUNK)):
                await self._ask([(b"DEL", *chunk)])
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Close what is open."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    async def _unique(self, reading: Reading) -> None:
        fates = iter(list(self._evidence.unique.items()))
        while chunk := list(islice(fates, CHUNK)):
            (values,) = await self._ask([(b"MGET", *(key for key, _ in chunk))])
            for (key, fate), value in zip(chunk, values, strict=True):
                self._compare(reading, key, fate, value)

    def _compare(self, reading: Reading, key: bytes, fate: Outcome, value: bytes | None) -> None:
        name = key.decode()
        if fate is Outcome.DONE:
            reading.checked += 1
        if value is None:
            if fate is Outcome.DONE:
                reading.lost.append(key)
        elif value != self._evidence.value_of(key):
            reading.wrong.append(name)
        elif fate is Outcome.REFUSED:
            reading.risen.append(name)

    async def _counters(self, reading: Reading) -> None:
        for key in _counter_keys(self._evidence):
            operation = self._evidence.begin(_NOBODY, ((b"GET", key),))
            replies = await self._ask([(b"GET", key)])
            self._evidence.counters.setdefault(key, []).append(operation)
            self._evidence.history.answer(operation, replies[0])
            reading.counters[key] = int(replies[0] or 0)

    async def _groups(self) -> None:
        for group, operations in self._evidence.groups.items():
            *registers, number, text = keys_of_group(self._evidence.prefix, group)
            steps: list[Args] = [(b"MGET", *registers), (b"GET", number), (b"GET", text)]
            asked = [self._evidence.begin(_NOBODY, (step,)) for step in steps]
            for operation, reply in zip(asked, await self._ask(steps), strict=True):
                operations.append(operation)
                self._evidence.history.answer(operation, reply)

    async def _ask(self, commands: Sequence[Args]) -> list[Any]:
        """The replies, none of them an error. Raises TimeoutError if none came in time."""
        deadline_s = trio.current_time() + self._give_up_s
        while True:
            try:
                if self._client is None:
                    self._client = await dial(self._where(), password=self._password)
                replies = await self._client.pipeline(*commands)
                if not any(isinstance(reply, ErrorReply) for reply in replies):
                    return replies
            except (OSError, Refused):
                await self.aclose()
            if trio.current_time() >= deadline_s:
                raise TimeoutError("nobody answers")
            await trio.sleep(PAUSE_S)


def _counter_keys(evidence: Evidence) -> Iterator[bytes]:
    return (counter_key(evidence.prefix, number) for number in range(COUNTERS))


def _group_keys(evidence: Evidence) -> Iterator[bytes]:
    return (key for group in evidence.groups for key in keys_of_group(evidence.prefix, group))
