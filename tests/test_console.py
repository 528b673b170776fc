"""``trikv cli``: bytes both ways, every reply shown, an honest exit code."""

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ports import unanswered_port
from trikv.client.commands import encode_command
from trikv.console import Typed
from trikv.protocol.requests import NEED_DATA, ClientWire, Request

EDITING = b'\n\r\x04\x08\x7f"\\'
"""Bytes that end or edit a line, by telnet as well, and those that mean something in quotes."""
Behaviour = Callable[[socket.socket], None]


@pytest.fixture
def serve() -> Iterator[Callable[[Behaviour], int]]:
    """Serve one connection on a thread; gives the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(30)
    threads = []

    def start(behaviour: Behaviour) -> int:
        def run() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(30)
                behaviour(connection)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        threads.append(thread)
        port: int = listener.getsockname()[1]
        return port

    yield start
    for thread in threads:
        thread.join(30)
    listener.close()


def talk(node: str, typed: bytes) -> subprocess.CompletedProcess[bytes]:
    """Run the client with its input from a pipe."""
    return subprocess.run(
        [sys.executable, "-m", "trikv", "cli", node],
        input=typed,
        capture_output=True,
        timeout=60,
        check=False,
    )


def echo(connection: socket.socket) -> None:
    """Send back what comes, to the end."""
    while data := connection.recv(65536):
        connection.sendall(data)


def test_all_is_carried_both_ways(serve: Callable[[Behaviour], int]) -> None:
    """More than any buffer holds, and the end of input ends it with exit code 0.

    Byte 255 goes out twice, as telnet sends it; all else that is typed is unchanged, and whatever comes back.
    """
    typed = b"".join(b"line %d \x00\x80\r\xfe\xff*\n" % number for number in range(200_000))
    done = talk(f"127.0.0.1:{serve(echo)}", typed)
    assert done.returncode == 0, done.stderr
    assert done.stdout == typed.replace(b"\xff", b"\xff\xff")


@given(
    values=st.lists(st.binary(max_size=9).map(lambda value: value.translate(None, EDITING))),
    cuts=st.lists(st.integers(min_value=0, max_value=100)),
)
def test_a_line_arrives_as_it_was_typed(values: list[bytes], cuts: list[int]) -> None:
    """Byte 255 is data to the node, wherever the input is cut; in RESP, behind the lines, it is anyway."""
    program = (b"SET", b"k", b"\xff\n\xff\xff")
    resp = encode_command(program)
    typed = b"".join(b'set k "%b"\r\n' % value for value in values) + resp
    encoder, wire = Typed(), ClientWire()
    seen: list[object] = []
    for start, end in pairwise([0, *sorted(cuts), 1 << 20]):
        wire.receive(encoder.encoded(typed[start:end]))
        while (event := wire.next_event()) is not NEED_DATA:
            seen.append(event)
    lines = [Request((b"set", b"k", value), True) for value in values]
    assert seen == [*lines, Request(program, False)]


def test_an_empty_input_is_no_command(serve: Callable[[Behaviour], int]) -> None:
    """Nothing typed, nothing sent: the connection just ends."""
    done = talk(str(serve(echo)), b"")
    assert (done.returncode, done.stdout) == (0, b"")


def test_a_node_that_is_not_there_is_one_line() -> None:
    """Exit code 1, with the address and what to try."""
    with unanswered_port() as port:
        done = talk(str(port), b"ping\n")
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
    assert b"is a node running there?" in done.stderr


def test_what_a_closing_node_said_is_shown(serve: Callable[[Behaviour], int]) -> None:
    """A warning before the end of the connection reaches the person; the exit code says it was not theirs."""

    def warn(connection: socket.socket) -> None:
        connection.sendall(b"# closing: node1 stops\r\n")

    port = serve(warn)
    process = subprocess.Popen(
        [sys.executable, "-m", "trikv", "cli", str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    shown = process.stdout.read()  # its input stays open: the end comes from the node
    assert process.wait(30) == 1
    _, error = process.communicate()
    assert shown == b"# closing: node1 stops\r\n"
    assert b"closed the connection" in error


def test_a_goodbye_is_no_failure(serve: Callable[[Behaviour], int]) -> None:
    """After `exit` the node closes, as asked."""

    def leave(connection: socket.socket) -> None:
        assert connection.recv(100) == b"exit\n"

    process = subprocess.Popen(
        [sys.executable, "-m", "trikv", "cli", str(serve(leave))],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(b"exit\n")
    process.stdin.flush()
    assert process.wait(30) == 0
    process.communicate()
