"""``trikv cli``: a line client for images without telnet, for typing or for commands piped in.

It adds nothing to the conversation: the node reads lines as people type them and answers in text for people
(`trikv.protocol`). So this only carries bytes both ways, byte 255 in telnet's way (`Typed`). From
`trikv.client` it uses only how to connect. At the end of its input it closes its half of the connection. The
node answers commands in flight and closes the other half: so a script knows that every command was answered.

Answers are shown unchanged. The node sends byte 255 only to a client that has sent telnet commands, which is
impossible through this program, and in RESP, where it is data.
"""

import os
import re
import select
import socket
import sys
from typing import Final

from trikv.client import login
from trikv.client.endpoint import Address, connect
from trikv.config import ConfigError
from trikv.notation import parse_address, parse_integer
from trikv.passwords import HOW_TO_GIVE, WANTED

_PIECE_BYTES: Final = 65_536
_UNSENT_BYTES_MAX: Final = 1 << 20
"""Above this the reading of input pauses: a node that does not read must not fill our memory."""
_CONNECT_S: Final = 10
_OPENS_RESP: Final = re.compile(rb"(?<=\n)\*")
_LOCKED: Final = f"(error) {WANTED}".encode()
_GOODBYES: Final = frozenset({b"exit", b"quit"})


def talk(node: str, password: bytes | None = None) -> int:
    """Carry lines between standard input and a node (``PORT``, ``host:port``, a path); the exit code.

    `password` is sent to the node first. Raises ConfigError if `node` is no address.
    """
    where = _address(node)
    try:
        connection = connect(where, _CONNECT_S)
    except OSError as error:
        return _fail(f"{where}: {error.strerror or error}; is a node running there? try 'trikv status'")
    interactive = sys.stdin.isatty()
    with connection:
        connection.setblocking(False)
        carrier = _Carrier(connection, greeting=b"\r\n" if interactive else b"", password=password)
        try:
            carrier.run()
        except OSError as error:
            return _fail(f"{where}: {error.strerror or error}")
    if carrier.refusal:
        return _fail(f"{where} does not take the password: {carrier.refusal}")
    if not carrier.input_ended and not carrier.said_goodbye:
        return _fail(f"{where} closed the connection")
    return 0


def _address(node: str) -> Address:
    if "/" in node:
        return Address(node, 0)
    try:
        if ":" in node:
            return Address(*parse_address(node))
        port = parse_integer(node)
    except ValueError as error:
        raise ConfigError(f"{error}; give PORT, host:port or the path of a Unix socket") from error
    if not 1 <= port <= 65535:
        raise ConfigError(f"{port} is no port; give a number from 1 to 65535, or host:port")
    return Address("127.0.0.1", port)


def _fail(text: str) -> int:
    sys.stderr.write(f"trikv: {text}\n")
    return 1


def _auth(password: bytes) -> bytes:
    """AUTH as a line; every byte is escaped, so that no password can be more than one word of it."""
    return b'auth "%b"\r\n' % b"".join(b"\\x%02x" % byte for byte in password)


class Typed:
    """Encodes input for a node that reads it as telnet (RFC 854), where byte 255 begins a telnet command.

    Doubled, it is a byte of the line. A ``*`` at the beginning of a line begins RESP, for the node too, and
    after it there is no telnet any more.
    """

    def __init__(self) -> None:
        self._is_resp = False
        self._last = b"\n"

    def encoded(self, data: bytes) -> bytes:
        """The next piece of input, `data`, in the form for the node."""
        if self._is_resp or not data:
            return data
        opening = _OPENS_RESP.search(self._last + data)
        self._is_resp = opening is not None
        self._last = data[-1:]
        end = len(data) if opening is None else opening.start() - 1
        return data[:end].replace(b"\xff", b"\xff\xff") + data[end:]


class _Carrier:
    """Moves bytes: standard input to the connection, the connection to standard output."""

    def __init__(self, connection: socket.socket, *, greeting: bytes, password: bytes | None) -> None:
        self.input_ended = False
        self.said_goodbye = False
        self._connection = connection
        self.refusal = ""
        """The node's answer to the password if it was not OK."""
        self._answer: bytes | None = None if password is None else b""
        """The part of AUTH's answer that has come. It is not shown: a script counts answers to its lines."""
        self._unsent = bytearray((b"" if password is None else _auth(password)) + greeting)
        """For a person the greeting is an empty line: its answer is the node's name and role."""
        self._typed = Typed()
        self._advised = password is not None
        """Whether the person knows, or has been told, how to give a password."""
        self._input = sys.stdin.fileno()
        self._output = sys.stdout.buffer

    def run(self) -> None:
        """Carry bytes until the node closes its half. Raises OSError, and OutputLost if nobody reads."""
        while True:
            reading: list[int | socket.socket] = [self._connection]
            if not self.input_ended and len(self._unsent) < _UNSENT_BYTES_MAX:
                reading.append(self._input)
            writing = [self._connection] if self._unsent else []
            readable, writable, _ = select.select(reading, writing, [])
            if self._input in readable:
                self._take_input()
            if writable:
                self._send()
            if self._connection in readable and (not self._show() or self.refusal):
                return

    def _take_input(self) -> None:
        data = os.read(self._input, _PIECE_BYTES)
        self._unsent += self._typed.encoded(data)
        self.said_goodbye = data.strip().lower() in _GOODBYES
        if not data:
            self.input_ended = True
            if not self._unsent:
                self._connection.shutdown(socket.SHUT_WR)

    def _send(self) -> None:
        try:
            del self._unsent[: self._connection.send(self._unsent)]
        except (BrokenPipeError, ConnectionResetError):
            self._unsent.clear()  # the node has closed; what it said before is still to be shown
            return
        if self.input_ended and not self._unsent:
            self._connection.shutdown(socket.SHUT_WR)

    def _show(self) -> bool:
        """Show what has come; False at the end. Raises OutputLost."""
        data = self._connection.recv(_PIECE_BYTES)
        shown = self._without_answer(data)
        self._output.write(shown)
        self._output.flush()
        if not self._advised and shown.startswith(_LOCKED):
            self._advised = True
            sys.stderr.write(f"trikv: this node requires a password: {HOW_TO_GIVE}\n")
        return bool(data)

    def _without_answer(self, data: bytes) -> bytes:
        """`data` without the line that answers AUTH."""
        if self._answer is None:
            return data
        self._answer += data
        line, newline, rest = self._answer.partition(b"\n")
        if not newline:
            return b""
        self._answer = None
        text = line.decode(errors="replace").strip()
        if text.removeprefix("+") != "OK" and not login.needs_none(text):
            self.refusal = text
            return b""
        return rest
