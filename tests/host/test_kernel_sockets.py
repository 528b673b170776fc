"""The options of the real host's sockets, and its clocks and randomness, as the kernel has them."""

import random
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType

import pytest
import trio

from tests.host.kernel import blocks, descriptors, leaks_to_children, loaded_anew, option, sockets, target_of
from tests.host.rig import Echo, Recorder
from tests.tools import needs, needs_ipv6, skip_unless_strict
from trikv.host.real import HAS_EPOLL, RealHost

KEEPALIVE_S = 300
"""Redis' own."""
PEER_TIMEOUT_S = 10

pytestmark = needs(Path("/proc/self/fd").exists(), "looks at /proc")


@pytest.fixture(params=["hub", "streams"])
def host(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[RealHost]:
    """By epoll and without."""
    if request.param == "hub" and not HAS_EPOLL:
        skip_unless_strict("needs epoll")
    with RealHost(str(tmp_path), use_epoll=request.param == "hub") as host:
        yield host


@asynccontextmanager
async def served(host: RealHost, address: str = "127.0.0.1:0") -> AsyncIterator[str]:
    """A server of clients; its address."""
    changed = trio.lowlevel.ParkingLot()

    def factory(wire: object) -> Recorder:
        return Echo(wire, changed)  # type: ignore[arg-type]

    async def serve(task_status: trio.TaskStatus[object]) -> None:
        await host.network.serve((address,), factory, task_status=task_status)

    async with trio.open_nursery() as nursery:
        listening = await nursery.start(serve)
        yield listening.addresses[0]
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def client_of(address: str) -> AsyncIterator[socket.socket]:
    """A client that has been answered: the server has accepted it."""
    host, _, port = address.rpartition(":")
    stream = await trio.open_tcp_stream(host.strip("[]"), int(port))  # noqa: TID251 - a client
    async with stream:
        await stream.send_all(b"x")
        assert await stream.receive_some(1) == b"x"
        yield stream.socket  # type: ignore[misc]


def listener() -> tuple[int, dict[str, int]]:
    """The one listening socket of this process, and its options."""
    found = [
        (fd, options_of(sock))
        for fd, sock in sockets()
        if option(sock, socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    ]
    assert len(found) == 1
    return found[0]


def far_end_of(client: socket.socket) -> tuple[int, dict[str, int]]:
    """The descriptor of the connection that the server accepted, and its options."""
    for fd, sock in sockets():
        try:
            peer = sock.getpeername()
        except OSError:
            continue
        if peer[:2] == client.getsockname()[:2]:
            return fd, options_of(sock)
    raise AssertionError("nobody has accepted this one")


def options_of(sock: socket.socket) -> dict[str, int]:
    """The options that are promised."""
    return {
        "reuse": option(sock, socket.SOL_SOCKET, socket.SO_REUSEADDR),
        "nodelay": option(sock, socket.IPPROTO_TCP, socket.TCP_NODELAY),
        "keepalive": option(sock, socket.SOL_SOCKET, socket.SO_KEEPALIVE),
        "idle_s": option(sock, socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
        "interval_s": option(sock, socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
        "count": option(sock, socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
        "timeout_ms": option(sock, socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT),
    }


async def test_the_clients_listener(host: RealHost) -> None:
    """Bound again at once after a restart, never waited on, never inherited by a child."""
    async with served(host):
        fd, options = listener()
        assert options["reuse"] == 1
        assert not blocks(fd)
        assert not leaks_to_children(fd)


async def test_an_accepted_client(host: RealHost) -> None:
    """Short replies leave at once, a client that vanished is noticed, and no call on it waits."""
    async with served(host) as address, client_of(address) as client:
        fd, options = far_end_of(client)
        assert not blocks(fd)
        assert not leaks_to_children(fd)
        assert options["nodelay"] == options["keepalive"] == 1
        assert options["idle_s"] == KEEPALIVE_S
        assert options["interval_s"] * options["count"] <= KEEPALIVE_S


async def test_both_ends_of_a_link_to_a_peer(tmp_path: Path) -> None:
    """Short messages leave at once; a peer that is gone is noticed within ten seconds, busy or silent."""
    with RealHost(str(tmp_path)) as host:
        ended = trio.Event()

        async def handler(stream: trio.abc.Stream) -> None:
            await stream.receive_some(1)
            for fd, sock in sockets():
                if is_connected(sock):
                    ends.append(options_of(sock))
                    faults.extend(fault for fault in (blocks, leaks_to_children) if fault(fd))
            ended.set()

        ends: list[dict[str, int]] = []
        faults: list[object] = []
        async with trio.open_nursery() as nursery:
            bound = await nursery.start(
                lambda task_status: host.network.listen(
                    ("127.0.0.1:0",), handler, connections_max=64, task_status=task_status
                )
            )
            fd, options = listener()
            assert (options["reuse"], blocks(fd), leaks_to_children(fd)) == (1, False, False)
            stream = await host.network.dial(bound.addresses[0])
            await stream.send_all(b"x")
            with trio.fail_after(10):
                await ended.wait()
            assert len(ends) == 2
            assert faults == []
            for options in ends:
                assert options["nodelay"] == options["keepalive"] == 1
                assert options["timeout_ms"] == PEER_TIMEOUT_S * 1000
                assert options["idle_s"] + options["interval_s"] * options["count"] <= PEER_TIMEOUT_S
            await stream.aclose()
            nursery.cancel_scope.cancel()


def is_connected(sock: socket.socket) -> bool:
    """Whether there is somebody at the other end."""
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


@needs_ipv6
async def test_ipv6_addresses_are_ipv6_alone(host: RealHost) -> None:
    """``[::]`` takes no IPv4 client that an address beside it is meant for: both can be bound at one port."""
    with socket.socket() as four:
        # The first of the two: a port that is free for the other may be somebody's here.
        four.bind(("127.0.0.1", 0))
        async with served(host, f"[::]:{four.getsockname()[1]}"):
            ((_, only),) = [
                (fd, option(sock, socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))
                for fd, sock in sockets()
                if sock.family == socket.AF_INET6 and option(sock, socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            ]
            assert only == 1


async def test_no_descriptor_reaches_a_child(host: RealHost) -> None:
    """Neither sockets, nor files and the pipes of their threads, nor the loop's own descriptors."""
    before = descriptors()
    file = await host.disk.create("file")
    await file.write_and_sync(0, b"x")
    async with served(host) as address, client_of(address) as client:
        own = descriptors() - before - {client.fileno()}
        assert own
        leaking = {fd: target_of(fd) for fd in own if leaks_to_children(fd)}
        assert leaking == {}
    file.close()


CLOCKS = {"CLOCK_REALTIME": 1_700_000_000_000, "CLOCK_MONOTONIC": 5_000, "CLOCK_BOOTTIME": 9_000}
"""What each clock shows, in ms: all differ, so that a test sees which one was read."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The clock's module, over clocks that can be told apart."""
    shows_ms = {getattr(time, name): ms for name, ms in CLOCKS.items()}
    monkeypatch.setattr(time, "clock_gettime_ns", lambda clock: shows_ms[clock] * 1_000_000 + 999_999)
    monkeypatch.setattr(time, "clock_gettime", lambda clock: shows_ms[clock] / 1000)
    for function, name in (("time", "CLOCK_REALTIME"), ("monotonic", "CLOCK_MONOTONIC")):
        ms = CLOCKS[name]
        monkeypatch.setattr(time, f"{function}_ns", lambda ms=ms: ms * 1_000_000 + 999_999)
        monkeypatch.setattr(time, function, lambda ms=ms: ms / 1000)
    monkeypatch.setattr(time, "perf_counter_ns", lambda: 1)
    return loaded_anew("trikv.host.clock")


def test_boot_time_counts_a_suspended_machine(clock: ModuleType) -> None:
    """CLOCK_BOOTTIME, in whole milliseconds: a clock without suspended time would let a lease outlive it."""
    assert clock.RealClock().boot_ms() == CLOCKS["CLOCK_BOOTTIME"]


def test_the_time_of_day_is_the_time_of_day(clock: ModuleType) -> None:
    """CLOCK_REALTIME, milliseconds since 1970."""
    assert clock.RealClock().wall_ms() == CLOCKS["CLOCK_REALTIME"]


def test_randomness_is_the_kernels(tmp_path: Path) -> None:
    """Equal seeds of Python's generator give different bytes: nonces and ids never repeat."""
    with RealHost(str(tmp_path)) as host:
        given = []
        for _ in range(2):
            random.seed(7)
            given.append((host.entropy.bytes(16), [host.entropy.below(1 << 62) for _ in range(4)]))
    assert given[0][0] != given[1][0]
    assert given[0][1] != given[1][1]
    assert len(given[0][0]) == 16
