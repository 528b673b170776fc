"""Snapshots on their way between nodes: windows, losses, refusals, patience."""

import random
from collections.abc import Awaitable, Callable
from typing import cast

import msgspec
import pytest
import trio
from trio.testing import MockClock

from tests.node.recorded_work import ORIGIN, Asked, CommittedLog
from tests.storage.memory_disk import MemoryDisk
from trikv.machine.batch import Hello, Submission
from trikv.machine.machine import Machine
from trikv.machine.snapshot import SnapshotError
from trikv.node.peers.links import Links
from trikv.node.state.transfers import CHUNK_BYTES, PATIENCE_S, WINDOW_CHUNKS, Incoming, Outgoing
from trikv.protocol.messages import SNAPSHOT_CHUNK_BYTES_MAX, SnapshotAck, SnapshotChunk
from trikv.raft.types import Membership, SnapshotMeta
from trikv.storage.snapshots import SnapshotReader, SnapshotStore

META = SnapshotMeta(7, 2, Membership(()))
PEER = 3


class Cable:
    """Stands for `Links`: keeps what is sent to the peer, or refuses it while down."""

    def __init__(self) -> None:
        self.chunks: list[SnapshotChunk] = []
        self.is_up = True
        self.on_send: Callable[[SnapshotChunk], None] = self.chunks.append

    def send(self, peer: int, message: SnapshotChunk) -> bool:
        """Queue a piece."""
        assert peer == PEER
        assert len(message.data) <= SNAPSHOT_CHUNK_BYTES_MAX
        if self.is_up:
            self.on_send(message)
        return self.is_up


class Bytes:
    """Stands for `SnapshotReader`: some bytes on a disk that lets other tasks run."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)

    async def read(self, offset: int, size: int) -> bytes:
        """A piece."""
        await trio.lowlevel.checkpoint()
        return self.data[offset : offset + size]


def sending(cable: Cable) -> Outgoing:
    """A transfer about to begin."""
    return Outgoing(cast("Links", cable), PEER, 2)


def virtually(main: Callable[[], Awaitable[None]]) -> None:
    """Run in virtual time."""
    trio.run(main, clock=MockClock(autojump_threshold=0))


async def send(outgoing: Outgoing, data: bytes) -> bool:
    """Send `data` as if it were a snapshot."""
    return await outgoing.send(META, cast("SnapshotReader", Bytes(data)))


def pattern(chunks: float) -> bytes:
    """Bytes that tell where they stand."""
    return b"".join(b"%08d" % number for number in range(int(chunks * CHUNK_BYTES) // 8))


def test_window_bounds_what_is_under_way() -> None:
    """Eight pieces leave; each acknowledged one makes room for the next."""

    async def main() -> None:
        cable = Cable()
        outgoing = sending(cable)
        with trio.move_on_after(0.5):
            await send(outgoing, pattern(20))
        assert len(cable.chunks) == WINDOW_CHUNKS
        assert [chunk.offset for chunk in cable.chunks] == [n * CHUNK_BYTES for n in range(WINDOW_CHUNKS)]

    virtually(main)


@pytest.mark.parametrize("lost_percent", [0, 5, 20, 50])
def test_lost_pieces_are_sent_again_from_where_the_receiver_stands(lost_percent: int) -> None:
    """The receiver names the next byte it wants; all of it arrives, in order, whatever is lost."""

    async def main() -> None:
        cable, data, received = Cable(), pattern(19.5), bytearray()
        chance = random.Random(lost_percent)
        outgoing = sending(cable)

        def deliver(chunk: SnapshotChunk) -> None:
            if chance.randrange(100) < lost_percent:
                return
            if chunk.offset == len(received):
                received.extend(chunk.data)
            outgoing.acked(SnapshotAck(2, META.index, len(received)))

        cable.on_send = deliver
        assert await send(outgoing, data)
        assert bytes(received) == data

    virtually(main)


@pytest.mark.parametrize("stands_at", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES * 5 + 17])
def test_transfer_goes_on_at_any_offset_the_receiver_names(stands_at: int) -> None:
    """A broken link, or a receiver that restarted in the middle: it goes on there, be it back at zero."""

    async def main() -> None:
        cable, data = Cable(), pattern(12)
        outgoing = sending(cable)
        result: list[bool] = []

        async def run() -> None:
            result.append(await send(outgoing, data))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            await trio.sleep(0.1)
            outgoing.acked(SnapshotAck(2, META.index, 6 * CHUNK_BYTES))
            await trio.sleep(0.1)
            cable.is_up = False
            outgoing.link_lost()
            await trio.sleep(0.1)
            cable.is_up = True
            cable.chunks.clear()
            outgoing.acked(SnapshotAck(2, META.index, stands_at))
            await trio.sleep(0.1)
            assert cable.chunks[0].offset == stands_at
            assert cable.chunks[0].data == data[stands_at : stands_at + CHUNK_BYTES]
            outgoing.acked(SnapshotAck(2, META.index, len(data)))
        assert result == [True]

    virtually(main)


def test_refusal_ends_the_transfer() -> None:
    """An ack of -1: the peer cannot take it."""

    async def main() -> None:
        cable = Cable()
        outgoing = sending(cable)
        cable.on_send = lambda _: outgoing.acked(SnapshotAck(2, META.index, -1))
        assert not await send(outgoing, pattern(3))

    virtually(main)


def test_acks_of_another_snapshot_mean_nothing() -> None:
    """A late ack of the transfer before this one neither moves nor ends it."""

    async def main() -> None:
        cable = Cable()
        outgoing = sending(cable)
        cable.on_send = lambda _: outgoing.acked(SnapshotAck(2, META.index - 1, 10**9))
        with trio.move_on_after(2) as waited:
            await send(outgoing, pattern(1))
        assert waited.cancelled_caught

    virtually(main)


def test_silence_is_borne_for_a_while_and_then_ends_it() -> None:
    """Without any ack the pieces go again each second, and after fifteen the transfer has failed."""

    async def main() -> None:
        cable = Cable()
        begun = trio.current_time()
        assert not await send(sending(cable), pattern(1))
        assert PATIENCE_S <= trio.current_time() - begun <= PATIENCE_S + 2
        assert 10 <= len(cable.chunks) <= 18

    virtually(main)


def test_progress_renews_patience() -> None:
    """A slow receiver is waited for as long as it moves."""

    async def main() -> None:
        cable, data = Cable(), pattern(4)
        outgoing = sending(cable)
        async with trio.open_nursery() as nursery:

            async def move_slowly() -> None:
                for part in range(1, 5):
                    await trio.sleep(10)
                    outgoing.acked(SnapshotAck(2, META.index, part * len(data) // 4))

            nursery.start_soon(move_slowly)
            assert await send(outgoing, data)

    virtually(main)


def filled_machine() -> Machine:
    """Some hundred keys of several sizes."""
    log = CommittedLog()
    incarnation = log.commit(Hello(ORIGIN, b"n"))
    for number in range(1, 300):
        work = Asked((b"SET", b"key%d" % number, b"%d" % number * number)).work
        log.commit(Submission(ORIGIN, incarnation, number, 0, work.commands))
    return log.machine


async def received(document: bytes, piece_bytes: int, store: SnapshotStore) -> Incoming:
    """A transfer whose pieces come with repeats, and with one out of turn between them."""
    incoming = Incoming(META, await store.begin_install(META.index, META.term))
    for offset in range(0, len(document), piece_bytes):
        data = document[offset : offset + piece_bytes]
        chunk = SnapshotChunk(2, META, offset, len(document), data)
        await incoming.take(msgspec.structs.replace(chunk, offset=offset + 1))
        await incoming.take(chunk)
        await incoming.take(chunk)
        await incoming.take(msgspec.structs.replace(chunk, offset=incoming.offset, data=b""))
        assert incoming.offset == offset + len(data)
    return incoming


async def test_received_snapshot_is_the_machine_that_was_sent_and_a_file_of_the_same_bytes() -> None:
    """Loaded aside and written at once; equal state, equal file, gone without a trace if aborted."""
    machine = filled_machine()
    walk = machine.walk({"index": 7})
    document = b"".join(iter(lambda: walk.step(CHUNK_BYTES), b""))
    disk = MemoryDisk()
    store = await SnapshotStore.open(disk)
    incoming = await received(document, 10_000, store)
    fields, restored = incoming.finish()
    assert fields == {"index": 7}
    assert restored.digest() == machine.digest()
    await incoming.publish()
    async with await store.open_for_reading(META.index, META.term) as reader:
        assert await reader.read(0, reader.size) == document
    again = await received(document, 50_000, store)
    await again.abort()
    assert len(await store.list()) == 1


async def test_damaged_snapshot_is_refused_at_its_end() -> None:
    """One changed byte in a value: the checksum says no before the machine is swapped."""
    walk = filled_machine().walk({})
    document = b"".join(iter(lambda: walk.step(CHUNK_BYTES), b""))
    store = await SnapshotStore.open(MemoryDisk())
    damaged = document.replace(b"7777777", b"7778777", 1)
    with pytest.raises(SnapshotError, match="checksum"):
        (await received(damaged, 10_000, store)).finish()
