"""Where a server is, and a socket that is connected to it."""

import socket
from typing import Any, NamedTuple

from trikv.addresses import join_address


class Address(NamedTuple):
    """The address of a server, as a person gives it."""

    host: str
    """If it contains a ``/``, the path of a Unix socket."""
    port: int

    @property
    def is_path(self) -> bool:
        """Whether it is a Unix socket; then the port has no meaning."""
        return "/" in self.host

    def __str__(self) -> str:
        """``host:port``, brackets around an IPv6 host; a path."""
        return self.host if self.is_path else join_address(self.host, self.port)


class Endpoint(NamedTuple):
    """One of the places that an address stands for, in the form for the socket module."""

    family: socket.AddressFamily
    where: tuple[Any, ...] | str

    def new_socket(self) -> socket.socket:
        """Make a socket to connect there. Raises OSError."""
        sock = socket.socket(self.family, socket.SOCK_STREAM)
        if self.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock


def resolve(address: Address) -> tuple[Endpoint, ...]:
    """The endpoints of an address, at least one, in the order to try. Raises OSError if it is unknown.

    A name may stand for several: ``localhost`` for ::1 and 127.0.0.1, of which a server may listen on one.
    """
    if address.is_path:
        return (Endpoint(socket.AF_UNIX, address.host),)
    found = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)
    return tuple(Endpoint(family, where) for family, _, _, _, where in found)


def connect(address: Address, timeout_s: float) -> socket.socket:
    """Connect a socket with the time-out `timeout_s`, which also limits the attempt at each endpoint.

    Raises OSError, that of the first endpoint if there are several.
    """
    failures: list[OSError] = []
    for endpoint in resolve(address):
        try:
            return _connect(endpoint, timeout_s)
        except OSError as error:
            failures.append(error)
    raise failures[0]


def _connect(endpoint: Endpoint, timeout_s: float) -> socket.socket:
    sock = endpoint.new_socket()
    try:
        sock.settimeout(timeout_s)
        sock.connect(endpoint.where)
    except BaseException:
        sock.close()
        raise
    return sock
