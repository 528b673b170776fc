"""One blocking connection to a node, with a time-out on everything: for probes, status and reading back."""

import socket
import time
from collections.abc import Iterable
from typing import Any, Final, NamedTuple, Self

import hiredis

from trikv.bench.options import Address

_RECEIVE_BYTES: Final = 65_536
_REPLY_BYTES_MAX: Final = 64 << 20
"""No reply these tools ask for comes near; a peer that talks without end is cut off."""


class Refused(Exception):  # noqa: N818 - named for what the node did
    """The node answered, but will not serve this connection; the text is its error."""


class Endpoint(NamedTuple):
    """An address as the socket module wants it, resolved once."""

    family: socket.AddressFamily
    where: tuple[Any, ...] | str

    def new_socket(self) -> socket.socket:
        """A fresh socket to connect there. OSError."""
        sock = socket.socket(self.family, socket.SOCK_STREAM)
        if self.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock


def resolve(address: Address) -> Endpoint:
    """Look `address` up. Raises OSError where the name is unknown."""
    if address.is_path:
        return Endpoint(socket.AF_UNIX, address.host)
    family, _, _, _, where = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0]
    return Endpoint(family, where)


def encode(args: tuple[str | bytes | int, ...]) -> bytes:
    """Encode a command as RESP."""
    packed: bytes = hiredis.pack_command(args)  # type: ignore[arg-type]  # its stub knows only tuples of one
    return packed


def error_code(error: Exception) -> str:
    """Give the code of an error reply: its first word where that is capitals, else ``ERR``."""
    word = str(error).partition(" ")[0]
    return word if word.isupper() else "ERR"


def wants_none(error: Exception) -> bool:
    """Whether this answer to AUTH says that the server asks for no password: then it serves without."""
    return "without any password configured" in str(error)


class Connection:
    """A client of one node. Error replies are returned as `hiredis.ReplyError` values, never raised.

    Every wait ends after `timeout_s` seconds with TimeoutError; after any OSError the connection is of no
    more use.
    """

    def __init__(self, address: Address, *, timeout_s: float, password: bytes | None = None) -> None:
        self.address = address
        self._timeout_s = timeout_s
        endpoint = resolve(address)
        self._socket = endpoint.new_socket()
        self._reader = hiredis.Reader(notEnoughData=Ellipsis)
        try:
            self._socket.settimeout(timeout_s)
            self._socket.connect(endpoint.where)
            if password is not None:
                self._authenticate(password)
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _authenticate(self, password: bytes) -> None:
        reply = self.command("AUTH", password)
        if isinstance(reply, hiredis.ReplyError) and not wants_none(reply):
            raise Refused(str(reply))

    def close(self) -> None:
        """Close the socket; harmless twice."""
        self._socket.close()

    def command(self, *args: str | bytes | int) -> Any:
        """Send one command and wait for its reply. Raises OSError (TimeoutError included)."""
        self.send([args])
        return self.receive()

    def send(self, commands: Iterable[tuple[str | bytes | int, ...]]) -> None:
        """Send commands without waiting; each owes one `receive`. Raises OSError."""
        self._socket.settimeout(self._timeout_s)
        self._socket.sendall(b"".join(map(encode, commands)))

    def receive(self) -> Any:
        """Wait for the next reply. Raises OSError: TimeoutError, or ConnectionError if closed or garbled."""
        deadline = time.perf_counter() + self._timeout_s
        taken = 0
        try:
            while (reply := self._reader.gets()) is Ellipsis:
                left_s = deadline - time.perf_counter()
                if left_s <= 0:
                    raise TimeoutError(f"{self.address}: no reply within {self._timeout_s:g} s")
                self._socket.settimeout(left_s)
                data = self._socket.recv(_RECEIVE_BYTES)
                taken += len(data)
                if not data or taken > _REPLY_BYTES_MAX:
                    raise ConnectionError(f"{self.address}: closed the connection")
                self._reader.feed(data)
        except hiredis.ProtocolError as error:
            raise ConnectionError(f"{self.address}: does not speak the Redis protocol") from error
        return reply
