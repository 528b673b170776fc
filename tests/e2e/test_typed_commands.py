"""What a person at a real telnet, on a real terminal, can do on any of the nodes."""

import os
import pty
import re
import select
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cluster import NODE_IDS, START_S, Cluster, eventually, now_s
from tests.tools import require_tool

CTRL_C = b"\x03"
CTRL_BRACKET = b"\x1d"


class Telnet:
    """Debian's telnet on a terminal of its own."""

    def __init__(self, port: int) -> None:
        self._terminal, side = pty.openpty()
        self.process = subprocess.Popen(
            [require_tool("telnet"), "127.0.0.1", str(port)],
            stdin=side,
            stdout=side,
            stderr=side,
            start_new_session=True,
            env={"TERM": "dumb", "PATH": os.environ["PATH"]},
        )
        os.close(side)
        self.seen = b""
        self.wait_for("Escape character")

    def wait_for(self, expected: str, *, within_s: float = 15.0) -> str:
        """Read until `expected`, a regular expression, is on the screen; what was read is then forgotten."""
        pattern = re.compile(expected.encode())
        deadline = now_s() + within_s
        while (found := pattern.search(self.seen)) is None:
            left_s = deadline - now_s()
            assert left_s > 0, f"{expected!r} is not on the screen: {self.seen!r}"
            if select.select([self._terminal], [], [], left_s)[0]:
                try:
                    self.seen += os.read(self._terminal, 4096)
                except OSError:  # the other side has closed
                    raise AssertionError(f"telnet ended before {expected!r}: {self.seen!r}") from None
        screen, self.seen = self.seen[: found.end()], self.seen[found.end() :]
        return screen.decode(errors="replace")

    def type(self, line: str) -> None:
        """Type a line and Enter; its echo is read away."""
        self.press(line.encode() + b"\r")
        self.wait_for(re.escape(line) + r"[^\n]*\r\n")

    def ask(self, line: str, expected: str) -> None:
        """Type a line, and demand an answer."""
        self.type(line)
        self.wait_for(expected)

    def press(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._terminal, keys)

    def close(self) -> None:
        """End it, however it is."""
        self.process.kill()
        self.process.wait()
        os.close(self._terminal)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One cluster for all tests of this file: none of them harms it."""
    with Cluster(tmp_path_factory.mktemp("typed")) as cluster:
        cluster.start_all()
        cluster.wait_for_leader()
        yield cluster


@pytest.fixture(params=NODE_IDS)
def telnet(request: pytest.FixtureRequest, shared: Cluster) -> Iterator[Telnet]:
    """A telnet to each of the three nodes in turn."""
    client = Telnet(shared.ports[request.param])
    yield client
    client.close()


def test_the_original_eight_words_and_help(telnet: Telnet) -> None:
    """Set, get, delete, count, clean, backup, memstats, help and exit work by telnet on every node."""
    telnet.ask("clean", "OK\r\n")
    telnet.ask("set key val", "OK\r\n")
    telnet.ask("get key", '"val"\r\n')
    telnet.ask("count", r"\(integer\) 1\r\n")
    telnet.ask("GET nothing", r"\(nil\)\r\n")
    telnet.ask("memstats", r"(?i)used")
    telnet.ask("backup", r"backups/.*json: 1 key at index \d")
    telnet.ask("delete key", r"\(integer\) 1\r\n")
    telnet.ask("count", r"\(integer\) 0\r\n")
    telnet.ask("help", "backup")
    telnet.ask("help set", "(?i)set")
    telnet.type("exit")
    telnet.wait_for("Connection closed by foreign host")
    assert telnet.process.wait(10) in (0, 1)


def test_any_bytes_can_be_typed_and_none_can_drive_the_terminal(telnet: Telnet) -> None:
    """Quotes and hex escapes as redis-cli reads them; text shows as itself, everything else escaped."""
    telnet.ask(r'set raw "a b\x00\x1b[31m"', "OK\r\n")
    telnet.ask("get raw", r'"a b\\x00\\x1b\[31m"')
    telnet.ask("set word привет", "OK\r\n")
    telnet.ask("get word", '"привет"')


def test_an_empty_line_tells_where_one_is(telnet: Telnet) -> None:
    """A bare Enter is answered with this node's name and role."""
    telnet.press(b"\r")
    telnet.wait_for(r"# trikv node\d.*type help")


def test_slips_are_forgiven(telnet: Telnet) -> None:
    """A misspelt command is answered with the nearest one; a value with spaces with a hint at quotes."""
    telnet.ask("gte key", "did you mean get")
    telnet.ask("set name John Smith", "quotes")


def test_ctrl_c_drops_the_line_and_the_screen_comes_back(telnet: Telnet) -> None:
    """Debian's telnet hides output after Ctrl-C until the node answers its timing mark."""
    telnet.press(b"set half a li")
    telnet.press(CTRL_C)
    telnet.press(b"\r")
    telnet.seen = b""
    telnet.ask("ping", r"PONG\r\n")
    telnet.ask("exists half", r"\(integer\) 0\r\n")


def test_replies_are_the_same_everywhere(shared: Cluster) -> None:
    """What is written through one node is read through the others at once: reads are linearizable."""
    typists = {node: shared.typist(node) for node in NODE_IDS}
    for writer in NODE_IDS:
        assert typists[writer].ask(f"set shared {writer}") == "OK"
        assert [typists[reader].ask("get shared") for reader in NODE_IDS] == [f'"{writer}"'] * 3
    for typist in typists.values():
        typist.close()


def test_a_health_checker_finds_what_it_looks_for(tmp_path: Path) -> None:
    """HAProxy's documented check of Redis, line by line, against a leader with a password."""
    with Cluster(tmp_path, requirepass="sesame", peers="") as alone:
        alone.start(1)
        eventually(lambda: "role=leader" in alone.log(1), within_s=START_S, what="a leader")
        with alone.typist(1) as checker:
            for line, expected in [
                ("AUTH sesame", "+OK"),
                ("PING", "+PONG"),
                ("SELECT 0", "+OK"),
                ("info replication", "role:master"),
                ("ROLE", "master"),
                ("QUIT", "+OK"),
            ]:
                checker.type(line)
                while expected not in (seen := checker.line()):
                    assert not seen.startswith(("-", "(error)")), (line, seen)


def test_a_web_page_cannot_write(shared: Cluster) -> None:
    """What looks like HTTP gets one line 400 and the end of the connection, before anything is executed."""
    with shared.typist(1) as typist:
        typist.socket.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n\r\nset stolen 1\r\n")
        assert "400" in typist.rest()
    with shared.typist(1) as typist:
        assert typist.ask("exists stolen") == "(integer) 0"


def test_a_backup_is_a_file_of_this_node(shared: Cluster) -> None:
    """BACKUP answers with a path below this node's data and the number of keys; the file is whole JSON."""
    import json

    with shared.typist(2) as typist:
        typist.ask("set kept 1")
        answer = typist.ask("backup")
    found = re.search(r"(\S*backups/\S*\.json)", answer)
    assert found is not None, answer
    path = Path(found.group(1).strip("\"',;:"))
    path = path if path.is_absolute() and path.exists() else shared.data(2) / "backups" / path.name
    assert "kept" in json.dumps(json.loads(path.read_bytes()))


def test_the_line_client_answers_every_piped_line(shared: Cluster) -> None:
    """``trikv cli`` carries commands from a pipe and ends when all are answered."""
    import sys

    lines = "".join(f"set piped:{number} {number}\n" for number in range(500)) + "get piped:499\n"
    done = subprocess.run(
        [sys.executable, "-m", "trikv", "cli", str(shared.ports[3])],
        input=lines,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout.replace("\r", "").splitlines() == ["OK"] * 500 + ['"499"']


def test_the_line_client_loses_no_byte(shared: Cluster) -> None:
    """What is typed is stored, bytes that mean something to telnet included; replies show them escaped."""
    import sys

    values = (b"a\xff\xfeb", b"\xff", b"\xff\xff\xf4", b"\xff\xfd\x06z", bytes(range(128, 256)))
    lines = b"".join(b"set raw:%d %b\nget raw:%d\n" % (n, value, n) for n, value in enumerate(values))
    done = subprocess.run(
        [sys.executable, "-m", "trikv", "cli", str(shared.ports[1])],
        input=lines,
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert done.stdout.startswith(b'OK\r\n"a\\xff\\xfeb"\r\n')
    assert done.stdout.count(b"\r\n") == 2 * len(values)
    with shared.resp(2) as connection:
        assert [connection.call("GET", f"raw:{n}") for n in range(len(values))] == list(values)


def test_a_raw_socket_must_double_byte_255(shared: Cluster) -> None:
    """What COMMANDS.md tells who uses nc: 255 as two, CR NUL ends a line, two keys erase, 4 ends."""
    with shared.typist(1) as typist:
        typist.socket.sendall(b'set by:nc a\xff\xffb\x08c\r\0get by:nc\nset q "\\x04\\x7f\\xff"\nget q\n\x04')
        assert typist.rest() == 'OK\r\n"a\\xffc"\r\nOK\r\n"\\x04\\x7f\\xff"\r\n'
