"""The contract over the operating system, served by the hub and by streams; and tests for it alone."""

import errno
import os
import resource
import socket
import stat
import struct
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import pytest
import trio

from tests.host.contract import HostContract
from tests.host.rig import Echo, descriptors, read_exactly, serving
from tests.host.serve_contract import ServeContract
from tests.tools import needs, needs_ipv6
from trikv.host.disk import DataDirectoryBusy, RealDisk
from trikv.host.handoff import PythonHandoff
from trikv.host.real import HAS_EPOLL, RealHost
from trikv.host.seam import UnixAddress
from trikv.host.sockets import unix_listener


@attrs.frozen
class RealRig:
    """The real host and loopback clients."""

    host: RealHost
    monkeypatch: pytest.MonkeyPatch
    any_address: str = "127.0.0.1:0"
    another_address: str = "127.0.0.2:0"
    big_bytes: int = 32 << 20
    crowd: int = 1000

    def shorten_flush(self) -> float:
        self.monkeypatch.setattr("trikv.host.hub.FLUSH_S", 0.3)
        self.monkeypatch.setattr("trikv.host.stream_server.FLUSH_S", 0.3)
        return 0.3

    async def connect(self, address: str) -> trio.abc.HalfCloseableStream:
        if "/" in address:
            return await trio.open_unix_socket(address)
        host, _, port = address.rpartition(":")
        return await trio.open_tcp_stream(host.strip("[]"), int(port))  # noqa: TID251 - a client

    def reset(self, stream: trio.abc.HalfCloseableStream) -> None:
        assert isinstance(stream, trio.SocketStream)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stream.socket.close()


class UnixContract:
    """Clients of a Unix socket, in both ways of serving."""

    async def test_a_unix_socket_beside_a_port(self, rig: RealRig, tmp_path: Path) -> None:
        """Clients of both are served; those of the socket get Redis' names; its file goes at the end."""
        file = tmp_path / "trikv.sock"
        path = str(file)
        addresses = (rig.any_address, UnixAddress(path, 0o770))
        async with serving(rig, Echo, addresses=addresses) as server:
            assert server.listening.addresses[1] == path
            assert stat.S_IMODE(file.stat().st_mode) == 0o770
            for address in server.listening.addresses:
                async with await rig.connect(address) as client:
                    await client.send_all(b"x")
                    assert await read_exactly(client, 1) == b"x"
            wire = server.recorders[-1].wire
            assert (wire.remote, wire.local) == (f"{path}:0", f"{path}:0")
            server.listening.stop_accepting()
            assert not file.exists()
            with pytest.raises(FileNotFoundError):
                await rig.connect(path)

    async def test_what_a_killed_process_left_is_replaced(self, rig: RealRig, tmp_path: Path) -> None:
        """A socket nobody listens on is stale. One that is served, and any other file, stays as it is."""
        file = tmp_path / "trikv.sock"
        path = str(file)
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(path)
        stale.close()
        unix = UnixAddress(path, 0o700)
        async with serving(rig, Echo, addresses=(unix,)) as server:
            with pytest.raises(OSError, match=f"cannot listen on {path}: Address already in use"):
                unix_listener(unix)
            async with await rig.connect(path) as client:
                await client.send_all(b"x")
                assert await read_exactly(client, 1) == b"x"
            await server.accepted(1)
        file.write_text("precious")
        with pytest.raises(OSError, match=f"cannot listen on {path}: there is a file that is no socket"):
            unix_listener(unix)
        assert file.read_text() == "precious"
        with pytest.raises(OSError, match=r"cannot listen on .*/nowhere/a: No such file or directory"):
            unix_listener(UnixAddress(str(tmp_path / "nowhere/a"), 0o700))

    async def test_the_file_of_another_is_left(self, rig: RealRig, tmp_path: Path) -> None:
        """A file that another process has put in our socket's place stays when we stop."""
        path = tmp_path / "trikv.sock"
        async with serving(rig, addresses=(UnixAddress(str(path), 0o700),)):
            path.rename(tmp_path / "moved.sock")
            path.write_text("another's")
        assert path.read_text() == "another's"


@needs(HAS_EPOLL, "needs epoll")
class TestHub(UnixContract, HostContract):
    """Everything, clients by epoll."""

    @pytest.fixture
    def rig(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RealRig]:
        with RealHost(str(tmp_path / "data")) as host:
            yield RealRig(host, monkeypatch)

    @needs_ipv6
    async def test_ipv6(self, rig: RealRig) -> None:
        """IPv6 addresses are bound, dialed and shown in brackets."""
        six = attrs.evolve(rig, any_address="[::1]:0")
        async with serving(six, Echo) as server, await rig.host.network.dial(server.address) as client:
            assert server.address.startswith("[::1]:")
            await client.send_all(b"x")
            assert await read_exactly(client, 1) == b"x"
            assert server.recorders[0].wire.remote.startswith("[::1]:")

    async def test_names_resolve(self, rig: RealRig) -> None:
        """A host name works as well as a number."""
        named = attrs.evolve(rig, any_address="localhost:0")
        async with serving(named, Echo) as server, await rig.host.network.dial(server.address) as client:
            await client.send_all(b"x")
            assert await read_exactly(client, 1) == b"x"


class TestStreams(UnixContract, ServeContract):
    """Clients by tasks over streams, the way without epoll."""

    @pytest.fixture
    def rig(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RealRig]:
        with RealHost(str(tmp_path / "data"), use_epoll=False) as host:
            yield RealRig(host, monkeypatch, crowd=200)


EMFILE_SCRIPT = """
import resource, socket, sys, trio
from trikv.host.real import RealNetwork
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))

class Echo:
    def __init__(self, wire): self.wire = wire
    def received(self, data): self.wire.send(data)
    def ended(self): self.wire.close()
    def drained(self): pass
    def closed(self): pass

async def main():
    async with trio.open_nursery() as nursery:
        network = RealNetwork(use_epoll=sys.argv[1] == "hub")
        async def serve(task_status):
            await network.serve(("127.0.0.1:0",), Echo, task_status=task_status)
        listening = await nursery.start(serve)
        print(listening.addresses[0], flush=True)

trio.run(main)
"""


@pytest.mark.e2e
@pytest.mark.parametrize("way", ["hub", "streams"])
def test_out_of_descriptors(way: str) -> None:
    """Without free descriptors the server warns once and goes on; it accepts again when one is free."""
    process = subprocess.Popen(
        [sys.executable, "-c", EMFILE_SCRIPT, way],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        host, _, port = process.stdout.readline().strip().rpartition(":")
        clients = [socket.create_connection((host, int(port)), timeout=10) for _ in range(60)]
        warning = process.stdout.readline()
        assert "cannot accept connections" in warning
        clients[0].sendall(b"still served")
        assert clients[0].recv(100) == b"still served"
        clients[-1].sendall(b"at last")
        for client in clients[:-1]:
            client.close()
        assert clients[-1].recv(100) == b"at last"
        clients[-1].close()
    finally:
        process.kill()
        rest, _ = process.communicate()
    assert "Traceback" not in rest


def test_taken_port_is_one_line() -> None:
    """A port in use is an OSError of one line that names the address."""

    async def main() -> None:
        from trikv.host.sockets import listener_at

        first = await listener_at("127.0.0.1:0")
        address = first.address
        with pytest.raises(OSError, match=f"cannot listen on {address}: Address already in use"):
            await listener_at(address)
        first.close()

    trio.run(main)


def test_second_process_is_refused(tmp_path: Path) -> None:
    """A data directory belongs to one process; the next gets one clear line, and it when the first ends."""
    directory = str(tmp_path / "node1")
    script = textwrap.dedent(f"""
        from trikv.host.disk import RealDisk
        try:
            RealDisk({directory!r})
            print("locked")
        except OSError as error:
            print(type(error).__name__, error)
    """)

    def other_process() -> str:
        return subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        ).stdout.strip()

    disk = RealDisk(directory)
    assert other_process().startswith("DataDirectoryBusy")
    assert directory in other_process()
    known = f" (pid {os.getpid()})" if Path("/proc/locks").is_file() else ""
    assert f"is in use by another process{known}; stop that, or give " in other_process()
    with pytest.raises(DataDirectoryBusy):
        RealDisk(directory)
    disk.close()
    disk.close()
    assert other_process() == "locked"


async def test_modes(tmp_path: Path) -> None:
    """Files are 0600 and directories 0700, whatever the umask is."""
    before = os.umask(0)
    try:
        disk = RealDisk(str(tmp_path / "a/b"))
        await disk.make_directory("c/d")
        (await disk.create("c/d/file")).close()
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / path).stat().st_mode) for path in ("a", "a/b", "a/b/c", "a/b/c/d")]
    assert modes == [0o700] * 4
    for path in ("a/b/lock", "a/b/c/d/file"):
        assert stat.S_IMODE((tmp_path / path).stat().st_mode) == 0o600
    disk.close()


async def test_partial_system_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads and writes that the kernel cuts short are continued to the end."""
    monkeypatch.setattr("trikv.host.worker.new_handoff", PythonHandoff)
    pread, pwrite = os.pread, os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: pwrite(fd, bytes(data[:3]), at))
    monkeypatch.setattr(os, "pread", lambda fd, size, at: pread(fd, min(size, 4), at))
    disk = RealDisk(str(tmp_path))
    file = await disk.create("a")
    await file.write(2, b"0123456789")
    assert await file.read(0, 100) == b"\0\x000123456789"
    assert await file.read(3, 5) == b"12345"
    file.close()
    disk.close()


async def test_failing_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the device reaches the caller; nothing is retried silently."""
    calls = []

    def fail(fd: int) -> None:
        calls.append(fd)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("trikv.host.worker.new_handoff", PythonHandoff)
    monkeypatch.setattr(os, "fdatasync", fail)
    disk = RealDisk(str(tmp_path))
    file = await disk.create("a")
    for use in (file.write_and_sync(0, b"x"), file.sync()):
        with pytest.raises(OSError, match="a: Input/output error"):
            await use
    assert len(calls) == 2
    file.close()
    disk.close()


@contextmanager
def no_more_of_anything(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No descriptor and no thread can be had."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    probe = os.dup(0)  # the lowest free number: all below are taken
    os.close(probe)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", _no_thread)
        resource.setrlimit(resource.RLIMIT_NOFILE, (probe, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _no_thread(_: object) -> None:
    raise RuntimeError("can't start new thread")


async def test_what_was_begun_needs_nothing_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An open file is written, synced, renamed, removed, and its directory synced, whatever runs out."""
    disk = RealDisk(str(tmp_path / "data"))
    await disk.make_directory("wal")
    file = await disk.create("wal/next")
    with no_more_of_anything(monkeypatch):
        with pytest.raises(OSError, match="Too many open files"):
            await disk.create("wal/more")
        await file.write_and_sync(0, b"x")
        await disk.rename("wal/next", "wal/1")
        await disk.sync_directory("wal")
        await disk.sync_directory("")
        assert await disk.exists("wal/1")
        assert await file.read(0, 9) == b"x"
        await disk.remove("wal/1")
        await disk.sync_directory("wal")
    assert await disk.names("wal") == []
    file.close()
    disk.close()


async def test_a_refused_file_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a thread for it no file is made, and no descriptor is lost; with one again it is."""
    disk = RealDisk(str(tmp_path / "data"))
    assert await disk.names("") == []
    open_before = descriptors()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", _no_thread)
        for _ in range(3):
            with pytest.raises(OSError, match="no more threads can be started"):
                await disk.create("a")
    assert await disk.names("") == []
    assert len(descriptors() - open_before) == 1, "the directory, which stays open"
    (await disk.create("a")).close()
    with pytest.raises(FileExistsError):
        await disk.create("a")
    disk.close()


async def test_a_directory_that_was_replaced_is_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The directory that has the name now is synced, not one that an operator has moved away."""
    disk = RealDisk(str(tmp_path))
    await disk.make_directory("backups")
    (await disk.create("backups/1")).close()
    (tmp_path / "backups").rename(tmp_path / "old")
    await disk.make_directory("backups")
    synced: list[os.stat_result] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.fstat(fd)))
    await disk.sync_directory("backups")
    assert os.path.samestat(synced[0], (tmp_path / "backups").stat())
    (tmp_path / "backups").rmdir()
    with pytest.raises(FileNotFoundError):
        await disk.sync_directory("backups")
    disk.close()


async def test_a_parent_that_knows_no_sync_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some file systems refuse to sync a directory (fsync(2)): no start fails for that."""
    codes = [errno.EINVAL, errno.ENOTSUP, errno.EIO]

    def refuse(_fd: int) -> None:
        raise OSError(codes[0], "as the file system says")

    monkeypatch.setattr(os, "fsync", refuse)
    for _ in range(2):
        RealDisk(str(tmp_path / "data")).close()
        codes.pop(0)
    with pytest.raises(OSError, match="could not be made durable"):
        RealDisk(str(tmp_path / "data"))


async def test_a_long_removal_holds_up_no_other_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unlinking gigabytes takes time; the log's next segment gets its name meanwhile."""
    disk = RealDisk(str(tmp_path))
    for name in ("old", "next"):
        (await disk.create(name)).close()
    may_end = threading.Event()
    unlink = os.unlink

    def slow(path: Path) -> None:
        assert may_end.wait(60)
        unlink(path)

    monkeypatch.setattr(os, "unlink", slow)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(disk.remove, "old")
        with trio.fail_after(30):
            await disk.rename("next", "1")
            await disk.sync_directory("")
        assert await disk.names("") == ["1", "old"]
        may_end.set()
    assert await disk.names("") == ["1"]
    disk.close()


def test_who_writes_the_log_says_what_was_dropped(tmp_path: Path) -> None:
    """The host knows no log: it asks the function that it was given, each time."""
    dropped = [3, 7]
    with RealHost(str(tmp_path), lines_dropped=lambda: dropped.pop(0)) as host:
        assert [host.lines_dropped(), host.lines_dropped()] == [3, 7]


@pytest.mark.parametrize("refused", ["chmod", "listen"])
def test_a_unix_socket_that_cannot_be_listened_on_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    """If the file's mode cannot be set, or listening fails, the new file is removed again."""

    def refuse(*_: object) -> None:
        assert (tmp_path / "socket").is_socket()
        raise PermissionError(errno.EPERM, "not permitted")

    monkeypatch.setattr(Path if refused == "chmod" else socket.socket, refused, refuse)
    with pytest.raises(PermissionError, match=r"cannot listen on .*socket: not permitted"):
        unix_listener(UnixAddress(str(tmp_path / "socket"), 0o700))
    assert list(tmp_path.iterdir()) == []


async def test_no_thread_for_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host name that cannot be looked up because no thread starts is an OSError: the link tries again."""
    from trikv.host.sockets import dial

    async def refuse(*_: object, **__: object) -> None:
        await trio.lowlevel.checkpoint()
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(trio.socket, "getaddrinfo", refuse)
    with pytest.raises(OSError, match=r"cannot reach peer\.example:1: no more threads can be started"):
        await dial("peer.example:1")


async def test_lost_in_the_backlog(tmp_path: Path) -> None:
    """A peer that resets before it is accepted costs nothing but itself."""
    with RealHost(str(tmp_path)) as host:
        served = trio.Event()

        async def handler(stream: trio.abc.Stream) -> None:
            try:
                if await stream.receive_some(1):
                    served.set()
            except trio.BrokenResourceError:
                pass

        async with trio.open_nursery() as nursery:
            bound = await nursery.start(
                lambda task_status: host.network.listen(
                    ("127.0.0.1:0",), handler, connections_max=64, task_status=task_status
                )
            )
            host_part, _, port = bound.addresses[0].rpartition(":")
            hasty = socket.create_connection((host_part, int(port)))
            hasty.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            hasty.close()
            stream = await host.network.dial(bound.addresses[0])
            await stream.send_all(b"x")
            with trio.fail_after(5):
                await served.wait()
            await stream.aclose()
            nursery.cancel_scope.cancel()


async def test_unknown_host() -> None:
    """A name nobody knows, or text that is no address, is one clear error."""
    from trikv.host.sockets import dial

    with pytest.raises(ValueError, match="is no address"):
        await dial("nonsense")
    with pytest.raises(OSError, match=r"cannot reach no-such-host\.invalid:1: "):
        await dial("no-such-host.invalid:1")
