"""Making sockets: binding, dialing and their options, in one place for clients and peers."""

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias, cast

import trio

from trikv import system_text
from trikv.addresses import join_address, split_address
from trikv.errors import NO_THREADS
from trikv.host.peer_socket import PeerSocket
from trikv.host.seam import UnixAddress

BACKLOG = 1024
"""Connections that the kernel may hold before `accept`. Linux lowers it to ``net.core.somaxconn``."""

CLIENT_KEEPALIVE_S = 300
"""Redis' default ``tcp-keepalive``: after this silence the kernel probes, and a vanished client is freed."""

PEER_TIMEOUT_S = 10
"""Unacknowledged bytes to a peer break the connection after this time (the kernel's default: 15 min)."""


SockAddr: TypeAlias = tuple[str | int, ...]


def endpoint(sockaddr: SockAddr) -> str:
    """``host:port`` of an address that ``getsockname`` or ``accept`` returned."""
    return join_address(str(sockaddr[0]), int(sockaddr[1]))


async def _resolve(address: str) -> tuple[socket.AddressFamily, SockAddr]:
    """The socket address for `address`. For a name with several, an IPv4 one. Raises OSError."""
    host, port = split_address(address)
    try:
        system_text.check_host(host)  # otherwise the resolver would raise something that is no OSError
    except ValueError as error:
        raise OSError(errno.EINVAL, str(error)) from error
    # An address in numbers never reaches the resolver, which may be slow and needs a thread.
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):
            socket.inet_pton(family, host)
            return family, (host, port)
    try:
        found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except RuntimeError as error:  # no thread could be started for it
        raise OSError(errno.EAGAIN, f"{NO_THREADS}: a name is looked up in one") from error
    except UnicodeError as error:  # the name cannot be encoded for a resolver
        raise OSError(errno.EINVAL, f"{host!r} is no host name ({error})") from error
    found.sort(key=lambda one: one[0] != socket.AF_INET)
    family, _, _, _, sockaddr = found[0]
    return family, cast("SockAddr", sockaddr)


def _named(error: OSError, what: str) -> OSError:
    """The same error, with a message that begins with `what`. Its class follows from its errno."""
    return OSError(error.errno, f"{what}: {error.strerror or error}")


class _HasName(Protocol):
    """A socket of Trio's or of the standard library."""

    def getsockname(self) -> Any:
        """The address of this end, as the socket's family has it."""


class Listener:
    """A bound, listening, non-blocking socket, and how its connections are named."""

    def __init__(self, sock: socket.socket, path: str = "") -> None:
        """`path` is that of a Unix socket, whose file `close` removes; empty for TCP."""
        self.socket = sock
        self.address = path or endpoint(sock.getsockname())
        """``host:port``, or the path of a Unix socket."""
        self._path = path
        self._file = Path(path).lstat() if path else None

    def fileno(self) -> int:
        """Its descriptor; -1 once it is closed."""
        return self.socket.fileno()

    def ends(self, accepted: _HasName, peer: SockAddr) -> tuple[str, str]:
        """Names of a connection's two ends, the client's first. Unix sockets get Redis' names."""
        if self._path:
            return f"{self._path}:0", f"{self._path}:0"
        return endpoint(peer), endpoint(accepted.getsockname())

    def close(self) -> None:
        """Listen no more, and remove the file of a Unix socket. Harmless twice."""
        if self._file is not None:
            # Unless it is another process's by now, which listens at the same path.
            with contextlib.suppress(OSError):
                if os.path.samestat(Path(self._path).lstat(), self._file):
                    Path(self._path).unlink()
            self._file = None
        self.socket.close()


async def listen_on(addresses: Sequence[str | UnixAddress]) -> list[Listener]:
    """Listen on all of `addresses`, or on none: then OSError names the one that cannot be bound.

    If several ask for port 0, the system chooses one for the first, and the others take the same. An address
    that another one names too (``localhost`` beside ``127.0.0.1``) or includes (``0.0.0.0``, ``::``) is
    bound once.
    """
    listeners: list[Listener] = []
    try:
        for address in await _distinct(addresses):
            if isinstance(address, UnixAddress):
                listeners.append(unix_listener(address))
                continue
            host, port = split_address(address)
            if port == 0 and listeners:
                port = split_address(listeners[0].address)[1]
            listeners.append(await listener_at(join_address(host, port)))
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    return listeners


async def _distinct(addresses: Sequence[str | UnixAddress]) -> list[str | UnixAddress]:
    """Leave out each address that another of them names or includes. Raises OSError, like `listen_on`."""
    places = [None if isinstance(one, UnixAddress) else await _place(one) for one in addresses]
    kept = []
    for at, (address, place) in enumerate(zip(addresses, places, strict=True)):
        every = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}.get(place[0]) if place else None
        is_part = place is not None and place[1] != every and (place[0], every, place[2]) in places
        if place is None or not (is_part or place in places[:at]):
            kept.append(address)
    return kept


async def _place(address: str) -> tuple[socket.AddressFamily, str, int]:
    """Family, host and port that `address` is resolved to. Raises OSError."""
    try:
        family, sockaddr = await _resolve(address)
    except OSError as error:
        raise _named(error, f"cannot listen on {address}") from error
    return family, str(sockaddr[0]), int(sockaddr[1])


async def listener_at(address: str) -> Listener:
    """Listen on a TCP address. Raises OSError with the address in its message if it cannot be bound."""
    try:
        family, sockaddr = await _resolve(address)
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise _named(error, f"cannot listen on {address}") from error
    try:
        # Linux hands options of a listener down to accepted sockets: no system calls for each connection.
        # SO_REUSEADDR: a restarted node must be able to bind the address again at once.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:  # IPv6 only, so that an IPv4 address can be bound at the same port
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _keep_alive(listener, CLIENT_KEEPALIVE_S)
        listener.setblocking(False)
        listener.bind(sockaddr)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise _named(error, f"cannot listen on {address}") from error
    return Listener(listener)


def unix_listener(address: UnixAddress) -> Listener:
    """Listen on a Unix socket. Raises OSError with the path in its message if it cannot be bound.

    The file that a killed process left is replaced. A socket on which somebody listens is not, nor is a file
    that is no socket.
    """
    path = Path(address.path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    bound: Listener | None = None
    try:
        _clear_away(path)
        listener.setblocking(False)
        listener.bind(address.path)
        bound = Listener(listener, address.path)
        # Before `listen`: nobody can connect before the file has its mode.
        path.chmod(address.mode)
        listener.listen(BACKLOG)
    except OSError as error:
        if bound is not None:
            bound.close()  # its file too: nobody would ever be served there
        listener.close()
        raise _named(error, f"cannot listen on {address.path}") from error
    return bound


def _clear_away(path: Path) -> None:
    """Remove a socket's file if nobody listens on it. Raises OSError if anything else is at `path`."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(errno.EEXIST, "there is a file that is no socket; move it away")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        error = probe.connect_ex(str(path))
    if error != errno.ECONNREFUSED:  # after any other answer somebody may be there
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    path.unlink()


def _keep_alive(sock: socket.socket, idle_s: int) -> None:
    """Probe a silent connection after `idle_s`. Not every platform lets a program set the times."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle_s)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(1, idle_s // 3))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)


def peer_stream(sock: trio.socket.SocketType) -> PeerSocket:
    """The stream of a connected socket, which it owns from now on.

    It notices a dead peer within `PEER_TIMEOUT_S`, whether bytes are on the way or not.
    """
    plain = socket.socket(fileno=sock.detach())
    plain.setblocking(False)
    # The connection may have been reset meanwhile. Its first use says so.
    with contextlib.suppress(OSError):
        _tune_peer(plain)
    return PeerSocket(plain)


def _tune_peer(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, PEER_TIMEOUT_S // 2)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PEER_TIMEOUT_S // 2)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, PEER_TIMEOUT_S * 1000)


async def dial(address: str) -> PeerSocket:
    """Connect to `address`, with one attempt. Raises OSError with the address in its message."""
    # Not by Trio's happy eyeballs: links retry by themselves, and the race would only add a nursery and
    # timers to each attempt.
    try:
        family, sockaddr = await _resolve(address)
        sock = trio.socket.socket(family, socket.SOCK_STREAM)
        try:
            await sock.connect(sockaddr)
        except BaseException:
            sock.close()
            raise
    except OSError as error:
        raise _named(error, f"cannot reach {address}") from error
    return peer_stream(sock)
