"""The hub's own limits: sockets without room, descriptors without end, drained connections, no garbage."""

import errno
import gc
import os
import resource
import select
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import cast

import pytest
import structlog
import trio

from tests.host.rig import Recorder
from tests.tools import needs
from trikv.host.cork import CORK_S, Cork
from trikv.host.endings import Lingering
from trikv.host.hub import AGAIN_S, TURN_S, Hub
from trikv.host.hub_wire import DEAD, IN, OUT, HubWire
from trikv.host.seam import Traffic
from trikv.host.sockets import Listener, listener_at
from trikv.host.stream_acceptor import SocketAcceptor
from trikv.host.wire import Conversation, Wire

pytestmark = needs(hasattr(select, "epoll"), "needs epoll")


class Notes:
    """A wire's owner that only records what it is asked."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.cork = Cork()
        self.traffic = Traffic()

    def modify(self, wire: HubWire, interest: int) -> None:  # noqa: ARG002 - the owner's signature
        self.calls.append(f"modify {interest}")

    def flush_later(self, _: HubWire) -> None:
        self.calls.append("flush_later")

    def half_close(self, _: HubWire) -> None:
        self.calls.append("half_close")

    def drop(self, _: HubWire) -> None:
        self.calls.append("drop")

    def give_up(self, _: HubWire) -> None:
        self.calls.append("give_up")


@contextmanager
def wire_and_peer() -> Iterator[tuple[HubWire, socket.socket, Notes]]:
    """A wire over one end of a socket pair."""
    here, there = socket.socketpair()
    here.setblocking(False)
    notes = Notes()
    with here, there:
        yield HubWire(notes, here, "peer:1", "here:2"), there, notes


def test_send_into_a_full_socket() -> None:
    """Bytes that the socket refuses are queued whole; a flush that is refused, too, changes nothing."""
    with wire_and_peer() as (wire, there, notes):
        filled = 0
        with suppress(BlockingIOError):
            while True:
                filled += wire.sock.send(bytes(1 << 20))
        wire.send(b"waits")
        assert wire.unsent_bytes() == 5
        assert notes.calls == [f"modify {IN | OUT}"]
        wire.flush()
        assert wire.unsent_bytes() == 5
        while filled:
            filled -= len(there.recv(filled))
        wire.serve(OUT)
        assert wire.unsent_bytes() == 0
        assert there.recv(10) == b"waits"
        assert notes.calls[-1] == f"modify {IN}"


def test_a_piece_that_is_sent_in_part_counts_whole() -> None:
    """A client that takes all but the last byte of a long reply makes the node hold all of it."""
    with wire_and_peer() as (wire, there, _):
        size = 8 << 20
        wire.send(bytes(size))
        wire.send(b"more")
        taken = 0
        while taken < size - 1:
            assert wire.unsent_bytes() in (size + 4, 4, 0)
            taken += len(there.recv(min(1 << 20, size - 1 - taken)))
            if wire.unsent_bytes():
                wire.serve(OUT)
        while wire.unsent_bytes():
            wire.serve(OUT)
        assert there.recv(100) == b"\0more"


def test_send_to_the_dead() -> None:
    """A send or a flush that fails drops the connection instead of raising."""
    with wire_and_peer() as (wire, there, notes):
        there.close()
        wire.send(b"anyone?")
        assert notes.calls == ["drop"]
    with wire_and_peer() as (wire, there, notes):
        wire.send(bytes(1 << 22))
        assert wire.unsent_bytes()
        there.close()
        wire.serve(OUT)
        assert notes.calls[-1] == "drop"
        assert wire.unsent_bytes() == 0


def test_spurious_events() -> None:
    """Events that no longer hold, or come for a wire that was ended, are harmless."""
    with wire_and_peer() as (wire, _, notes):
        wire.serve(IN)
        wire.conversation = _Quiet()
        wire.serve(IN)
        assert notes.calls == []
        wire.pause()
        wire.serve(IN | DEAD)
        assert notes.calls == ["modify 0"]
        wire.serve(DEAD)
        assert notes.calls == ["modify 0", "drop"]


class _Quiet:
    def received(self, data: bytes) -> None:
        raise AssertionError(data)

    def ended(self) -> None:
        raise AssertionError

    def drained(self) -> None:
        raise AssertionError

    def closed(self) -> None:
        raise AssertionError


def test_a_reset_is_noticed_while_nothing_is_read() -> None:
    """An error on a wire that reads nothing drops it: no later call would notice."""
    with wire_and_peer() as (wire, _, notes):
        wire.conversation = _Quiet()
        wire.pause()
        wire.read()
        assert notes.calls == ["modify 0"]
        wire.serve(DEAD)
        assert notes.calls[-1] == "drop"


def connect(address: str) -> socket.socket:
    """A client in the kernel's backlog."""
    host, _, port = address.rpartition(":")
    client = socket.create_connection((host, int(port)))
    client.setblocking(False)
    return client


@asynccontextmanager
async def running_hub(lingering: Lingering | None = None) -> AsyncIterator[tuple[Hub, list[Recorder]]]:
    """A hub whose conversations are recorders."""
    recorders: list[Recorder] = []

    def factory(wire: Wire) -> Conversation:
        recorders.append(Recorder(wire, trio.lowlevel.ParkingLot()))
        return recorders[-1]

    hub = Hub([await listener_at("127.0.0.1:0")], factory, lingering)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hub.run)
        yield hub, recorders
        nursery.cancel_scope.cancel()


async def eventually(predicate: object) -> None:
    """Wait until `predicate` is true, which the kernel will bring about."""
    assert callable(predicate)
    with trio.fail_after(5):
        while not predicate():  # noqa: ASYNC110 - the kernel sets no event
            await trio.sleep(0.005)


@contextmanager
def no_descriptors() -> Iterator[None]:
    """No new descriptor can be had."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    probe = os.dup(0)  # the lowest free number: all below are taken
    os.close(probe)
    resource.setrlimit(resource.RLIMIT_NOFILE, (probe, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_without_descriptors_accepting_waits() -> None:
    """The hub warns once, serves its clients, and accepts again in 100 ms or when a connection closes."""
    async with running_hub() as (hub, recorders):
        first = connect(hub.addresses[0])
        await eventually(lambda: len(recorders) == 1)
        second = connect(hub.addresses[0])
        with no_descriptors(), structlog.testing.capture_logs() as logs:
            await trio.sleep(0.25)
            assert len(recorders) == 1
            first.send(b"x")
            await eventually(lambda: recorders[0].data == b"x")
            recorders[0].wire.abort()
            await eventually(lambda: len(recorders) == 2)
        assert [entry["event"] for entry in logs] == ["cannot accept connections"]
        third = connect(hub.addresses[0])
        await eventually(lambda: len(recorders) == 3)
        for client in (first, second, third):
            client.close()


async def test_without_descriptors_peers_wait() -> None:
    """Accepting peers goes on as well, after one warning."""
    acceptor = SocketAcceptor(await listener_at("127.0.0.1:0"))
    client = connect(acceptor.address)
    async with trio.open_nursery() as nursery:
        accepted = []

        async def accept() -> None:
            accepted.append(await acceptor.accept())

        with no_descriptors(), structlog.testing.capture_logs() as logs:
            nursery.start_soon(accept)
            await trio.sleep(0.25)
        await eventually(lambda: accepted)
    assert len(logs) == 1
    await accepted[0].stream.aclose()
    acceptor.stop_accepting()
    with pytest.raises(trio.ClosedResourceError):
        await acceptor.accept()
    client.close()


class _Failing(Listener):
    """A listener whose accept fails."""

    def __init__(self, hub: Hub, errors: list[int]) -> None:
        self._hub = hub
        self._errors = errors
        self.socket = cast("socket.socket", self)

    def accept(self) -> object:
        number = self._errors.pop(0) if self._errors else errno.EAGAIN
        if number == 0:
            self._hub._listeners.clear()
            number = errno.ECONNABORTED
        raise OSError(number, os.strerror(number))


async def test_connections_that_died_in_the_backlog() -> None:
    """They are skipped; accepting ends if it is stopped meanwhile."""
    hub = Hub([await listener_at("127.0.0.1:0")], lambda _: _Quiet())
    (real,) = hub._listeners.values()
    errors = [errno.ECONNABORTED, errno.EPROTO]
    hub._accept(_Failing(hub, errors))
    assert errors == []
    hub._accept(_Failing(hub, [0, errno.EMFILE]))
    assert not hub._listeners
    real.close()
    hub._end()


async def test_watches_run_out() -> None:
    """A kernel that refuses one more watch is treated like one without descriptors."""
    hub = Hub([await listener_at("127.0.0.1:0")], lambda _: _Quiet())
    client = connect(hub.addresses[0])

    class NoWatches:
        def register(self, fd: int, events: int) -> None:  # noqa: ARG002 - epoll's signature
            raise OSError(errno.ENOSPC, "no watches")

        def modify(self, fd: int, events: int) -> None: ...

    real = hub._epoll
    hub._epoll = NoWatches()  # type: ignore[assignment]
    with structlog.testing.capture_logs() as logs:
        (listener,) = hub._listeners.values()
        hub._accept(listener)
        hub._accept(listener)
    assert len(logs) == 1
    hub._epoll = real
    hub._end()
    assert client.fileno() > 0
    client.close()


async def test_drained_connections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed connections whose clients stay are held for a time, and only up to a limit."""
    monkeypatch.setattr("trikv.host.hub.DRAIN_S", 0.1)
    async with running_hub(Lingering(3)) as (hub, recorders):
        clients = [connect(hub.addresses[0]) for _ in range(5)]
        await eventually(lambda: len(recorders) == 5)
        for recorder in recorders:
            recorder.wire.close()
        assert len(hub._draining) == 3
        await eventually(lambda: all(recorder.is_closed for recorder in recorders))
        for client in clients:
            client.send(b"still talking")
        await eventually(lambda: not hub._draining)
        for client in clients:
            client.close()


async def test_hubs_of_one_host_have_one_limit() -> None:
    """Who is closed at one hub may be ended for one that another hub has closed since, drained or not."""
    lingering = Lingering(2)
    async with running_hub(lingering) as (one, ones), running_hub(lingering) as (another, others):
        clients = [connect(one.addresses[0]) for _ in range(2)] + [connect(another.addresses[0])]
        await eventually(lambda: (len(ones), len(others)) == (2, 1))
        for recorder in ones:
            recorder.wire.close()
        assert len(one._draining) == 2
        others[0].wire.send(bytes(8 << 20))
        others[0].wire.close()
        assert (len(one._draining), len(another._flushing), lingering.count()) == (1, 1, 2)
        for client in clients:
            client.close()
        await eventually(lambda: lingering.count() == 0)


async def test_last_bytes_in_memory_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed connections whose clients do not read have a limit of bytes together; a single one has not."""
    monkeypatch.setattr("trikv.host.endings.LINGERING_BYTES_MAX", 50 << 20)
    async with running_hub() as (hub, recorders):
        clients = [connect(hub.addresses[0]) for _ in range(4)]
        await eventually(lambda: len(recorders) == 4)
        for recorder, size in zip(recorders, (80 << 20, 25 << 20, 25 << 20, 25 << 20), strict=True):
            recorder.wire.send(bytes(size))
        recorders[0].wire.close()
        assert [recorder.wire.unsent_bytes() > 0 for recorder in recorders] == [True] * 4
        for recorder in recorders[1:]:
            recorder.wire.close()
        assert recorders[0].wire.unsent_bytes() == 0, "the oldest was dropped"
        assert 0 < sum(recorder.wire.unsent_bytes() for recorder in recorders) <= 50 << 20
        for client in clients:
            client.close()


async def test_a_drained_connection_ends_with_its_client() -> None:
    """As soon as the client closes, gracefully or by a reset, the socket is gone."""
    async with running_hub() as (hub, recorders):
        clients = [connect(hub.addresses[0]) for _ in range(2)]
        await eventually(lambda: len(recorders) == 2)
        for recorder in recorders:
            recorder.wire.close()
        clients[0].close()
        clients[1].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        clients[1].close()
        await eventually(lambda: not hub._draining)


async def test_a_wake_up_looks_again_but_not_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """It polls until nothing is ready or the time is up; then other tasks have their turn."""
    hub = Hub(
        [await listener_at("127.0.0.1:0")],
        lambda wire: Recorder(wire, trio.lowlevel.ParkingLot()),
    )
    now_s = 0.0
    ready = [True, True, False, True]
    looks: list[float] = []

    def look(stop_at: float) -> bool:
        nonlocal now_s
        now_s += AGAIN_S / 10
        looks.append(stop_at)
        return ready.pop(0) if ready else True

    monkeypatch.setattr("trikv.host.hub.time.perf_counter", lambda: now_s)
    monkeypatch.setattr(hub, "_look", look)
    hub._turn()
    assert looks == [TURN_S] * 3, "the third found nothing"
    hub._turn()
    assert len(looks) == 3 + 10
    hub._end()


async def test_a_reply_waits_for_no_long_work_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reply that is held back while the hub serves others leaves after the cork's time."""
    now_s = 0.0
    monkeypatch.setattr("trikv.host.hub.time.perf_counter", lambda: now_s)
    async with running_hub() as (hub, recorders):
        clients = [connect(hub.addresses[0]) for _ in range(3)]
        await eventually(lambda: len(recorders) == 3)
        sent_when_served: list[bytes] = []

        class Answers:
            def __init__(self, number: int, wire: Wire) -> None:
                self.number, self.wire = number, wire

            def received(self, data: bytes) -> None:
                nonlocal now_s
                sent_when_served.append(b"".join(map(arrived, clients)))
                self.wire.send(data)
                now_s += CORK_S * 0.6

            def drained(self) -> None:
                """Nothing waits for it."""

            def closed(self) -> None:
                """The test is over."""

        for number, recorder in enumerate(recorders):
            hub._wires[cast("HubWire", recorder.wire).fd].conversation = cast(
                "Conversation", Answers(number, recorder.wire)
            )
        for client in clients:
            client.send(b"x")
        await eventually(lambda: len(sent_when_served) == 3)
        assert sent_when_served == [b"", b"", b"xx"]
        for client in clients:
            client.close()
        for recorder in recorders:
            recorder.wire.abort()


def arrived(client: socket.socket) -> bytes:
    """The bytes that have come, without taking them."""
    client.setblocking(False)
    try:
        return client.recv(100, socket.MSG_PEEK)
    except BlockingIOError:
        return b""


async def test_no_garbage() -> None:
    """Connections, whatever ends them, leave nothing to the cyclic collector (it is off in a node)."""

    async def use() -> None:
        async with running_hub() as (hub, recorders):
            for round_ in range(60):
                client = connect(hub.addresses[0])
                await eventually(lambda round_=round_: len(recorders) == round_ + 1)
                client.send(b"x")
                await eventually(lambda: recorders[-1].data)
                if round_ % 3 == 0:
                    recorders[-1].wire.close()
                elif round_ % 3 == 1:
                    client.close()
                    await eventually(lambda: "ended" in recorders[-1].calls)
                recorders[-1].wire.abort()
                client.close()
                await eventually(lambda: recorders[-1].is_closed)
            recorders.clear()
            wires = [one for one in gc.get_objects() if isinstance(one, HubWire)]
            assert len(wires) <= 1

    gc.collect()
    gc.disable()
    try:
        await use()
    finally:
        gc.enable()
