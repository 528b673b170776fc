"""Long answers beside each other: turns, rates, memory, the stop."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from tests.front.doubles import FakeWire
from trikv.front.outflow import AHEAD_BYTES, WINDOW_MS, Outflow
from trikv.machine.replies import CommandError, Streamed
from trikv.node.outflows import CAP_PARTS, HELD_BYTES_MIN, KEPT_BYTES_MIN, LOOK_MS, SLICE_US, Outflows


class Kept:
    """A cut."""

    def __init__(self, kept_bytes: int) -> None:
        self.kept_bytes = kept_bytes
        self.also: dict[int, int] = {}
        """What others keep as well."""
        self.is_closed = False

    def kept(self) -> dict[int, int]:
        return {id(self): self.kept_bytes} | self.also

    def close(self) -> None:
        self.is_closed = True


class Client:
    """A conversation with a long answer of some parts; each takes a third of a slice."""

    def __init__(self, node: "Node", parts: int, kept: Kept | None = None, held: bytes = b"") -> None:
        self.node = node
        self.wire = FakeWire()
        self.said: list[str] = []
        self.held = held  # as parts do that are made from it
        steps: Iterator[int] = iter([0])
        streamed = None if kept is None else Streamed(steps, kept, lambda _: CommandError("ERR"))
        coming = ((b"x" * 100_000, False) for _ in range(parts))
        self.outflow = Outflow(coming, self, self.wire, AHEAD_BYTES, [held if streamed is None else streamed])
        node.outflows.put(self.outflow)

    def send_part(self, data: bytes) -> None:
        self.wire.sent.append(data)
        self.node.now_us += SLICE_US // 3 + 1
        self.node.order.append(self)

    def poured(self) -> None:
        self.said.append("poured")

    def end_slow(self, reason: str) -> None:
        self.said.append(reason)
        self.outflow.close()

    def end(self, reason: str) -> None:
        raise AssertionError(reason)


class Node:
    """Outflows by a clock of their own: the virtual one, and what parts take."""

    def __init__(self) -> None:
        self.now_us = 0
        self.cap = 0
        self.order: list[Client] = []
        self.outflows = Outflows(boot_us=self.boot_us, cap=lambda: self.cap)

    def boot_us(self) -> int:
        return self.now_us + int(trio.current_time() * 1_000_000)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.outflows.run)
            yield
            nursery.cancel_scope.cancel()


async def _a_while(ms: int) -> None:
    await trio.sleep(ms / 1000)


async def test_all_have_their_turns(autojump_clock: MockClock) -> None:
    """A slice for one, then for the next; and other tasks run between two slices."""
    del autojump_clock
    node = Node()
    rounds = 0
    async with node.running():
        first, second = Client(node, 30), Client(node, 30)
        while len(node.order) < 60:
            rounds += 1
            await trio.lowlevel.checkpoint()
        await _a_while(1)
    assert [one is first for one in node.order[:12]] == [True] * 3 + [False] * 3 + [True] * 3 + [False] * 3
    assert rounds >= 15
    assert first.said == second.said == ["poured"]
    assert node.outflows.statistics().long_reads == 0


async def test_one_that_is_told_again_has_one_turn(autojump_clock: MockClock) -> None:
    """A client that takes everything again and again gets no more turns than others, and loses none."""
    del autojump_clock
    node = Node()
    first, second, third = Client(node, 30), Client(node, 30), Client(node, 30)
    for _ in range(3):
        node.outflows.put(first.outflow)
        node.outflows.put(second.outflow)
    async with node.running():
        await _a_while(1)
    assert [one is first for one in node.order[:18]] == ([True] * 3 + [False] * 6) * 2
    assert [one is third for one in node.order[:18]] == ([False] * 6 + [True] * 3) * 2
    assert first.said == second.said == third.said == ["poured"]


async def test_one_that_waits_for_its_client_goes_on_when_told(autojump_clock: MockClock) -> None:
    """Until then nothing is made, and nobody asks it again and again."""
    del autojump_clock
    node = Node()
    async with node.running():
        client = Client(node, 4)
        client.wire.stuck_bytes = AHEAD_BYTES + 1
        await _a_while(1000)
        assert client.wire.sent == []
        client.wire.stuck_bytes = 0
        node.outflows.put(client.outflow)
        await _a_while(1)
        assert len(client.wire.sent) == 4
        assert client.said == ["poured"]


async def test_what_was_before_an_answer_is_no_waiting_for_its_client(autojump_clock: MockClock) -> None:
    """However long nobody has asked for anything long, the first who does has the whole window."""
    del autojump_clock
    node = Node()
    async with node.running():
        await _a_while(10 * WINDOW_MS)
        client = Client(node, 4)
        client.wire.stuck_bytes = AHEAD_BYTES + 1
        await _a_while(WINDOW_MS - 2 * LOOK_MS)
        assert client.said == []


async def test_a_slow_reader_is_closed_within_the_window(autojump_clock: MockClock) -> None:
    """And counted; the others go on."""
    del autojump_clock
    node = Node()
    async with node.running():
        slow = Client(node, 4)
        slow.wire.stuck_bytes = AHEAD_BYTES + 1
        await _a_while(WINDOW_MS - 2 * LOOK_MS)
        assert slow.said == []
        await _a_while(4 * LOOK_MS)
        assert slow.said == ["a long answer was given up: its client reads too slowly"]
        assert node.outflows.closed_count == 1
        later = Client(node, 2)
        await _a_while(3 * LOOK_MS)
        assert later.said == ["poured"]


@pytest.mark.parametrize("cap", [0, 1 << 20, 4 * KEPT_BYTES_MIN * CAP_PARTS])
async def test_kept_memory_is_bounded(autojump_clock: MockClock, cap: int) -> None:
    """An eighth of the cap, at least 64 MB: beyond it the slowest long reads go, as few as will do."""
    del autojump_clock
    node = Node()
    node.cap = cap
    limit = max(KEPT_BYTES_MIN, cap // CAP_PARTS)
    shared = Kept(limit // 2)
    async with node.running():
        alone, little = Kept(limit // 2), Kept(0)
        little.also = shared.kept()
        clients = [Client(node, 9, kept) for kept in (shared, shared, alone, little, None)]
        for client, stuck in zip(clients, (1, 2, 3, 4, 5), strict=True):
            client.wire.stuck_bytes = AHEAD_BYTES + stuck
        await _a_while(3 * LOOK_MS)
        assert [client.said for client in clients] == [[], [], [], [], []]
        assert node.outflows.statistics().long_reads == 4
        assert node.outflows.statistics().kept_bytes == 2 * (limit // 2)
        little.kept_bytes = 2
        alone.kept_bytes -= 1
        clients[0].wire.stuck_bytes += 100
        await _a_while(2 * LOOK_MS)
        closed = [bool(client.said) for client in clients]
        assert closed == [True, False, False, True, False], "the second cut is still kept for another"
        assert node.outflows.closed_count == 2


@pytest.mark.parametrize("cap", [0, 1 << 20, 2 * HELD_BYTES_MIN * CAP_PARTS])
async def test_replies_that_wait_for_their_clients_are_bounded(autojump_clock: MockClock, cap: int) -> None:
    """256 MiB, or an eighth of the cap: beyond it those with the most are closed, as few as will do."""
    del autojump_clock
    node = Node()
    node.cap = cap
    half_bytes = max(HELD_BYTES_MIN, cap // CAP_PARTS) // 2
    async with node.running():
        clients = [Client(node, 9, held=bytes(half_bytes + more)) for more in (1, -1)]
        for client, stuck in zip(clients, (1, 2), strict=True):
            client.wire.stuck_bytes = AHEAD_BYTES + stuck
        small, other = Client(node, 9), Client(node, 9, Kept(0))
        for client in (small, other):
            client.wire.stuck_bytes = AHEAD_BYTES + 100
        await _a_while(3 * LOOK_MS)
        assert [client.said for client in clients] == [[], []]
        late = Client(node, 9, held=b"x")
        late.wire.stuck_bytes = AHEAD_BYTES + 1
        late.outflow._made_bytes = 0
        await _a_while(2 * LOOK_MS)
        assert [bool(client.said) for client in (*clients, late)] == [True, False, False]
        assert "replies wait, and its own are the most" in clients[0].said[0]
        assert small.said == other.said == [], "they hold nothing"
        assert node.outflows.closed_count == 1


async def test_readers_of_the_same_values_hold_them_once(autojump_clock: MockClock) -> None:
    """Any number of them may take their time with one value of the greatest size that is allowed."""
    del autojump_clock
    node = Node()
    value = bytes(HELD_BYTES_MIN)
    async with node.running():
        clients = [Client(node, 9, held=value) for _ in range(5)]
        for client in clients:
            client.wire.stuck_bytes = AHEAD_BYTES + 1
            client.outflow._made_bytes = 0
        await _a_while(3 * LOOK_MS)
        assert [client.said for client in clients] == [[]] * 5


async def test_a_stop_ends_long_reads_alone(autojump_clock: MockClock) -> None:
    """Replies of a pipeline may hold what became of writes: those go on."""
    del autojump_clock
    node = Node()
    kept = Kept(0)
    async with node.running():
        read, pipeline = Client(node, 9, kept), Client(node, 9)
        for client in (read, pipeline):
            client.wire.stuck_bytes = AHEAD_BYTES + 1
        await _a_while(1)
        node.outflows.stop()
        assert read.said == ["this node is shutting down"]
        assert kept.is_closed
        assert pipeline.said == []
