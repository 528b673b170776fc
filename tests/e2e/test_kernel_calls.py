"""A real `trikv serve`, watched by strace: what is acknowledged was on the disk, and under a durable name."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from tests.e2e.clients import Resp
from tests.e2e.cluster import STOP_S, eventually
from tests.ports import PortBlock
from tests.tools import require_tool

CALLS = (
    "openat,mkdir,mkdirat,rename,renameat,renameat2,unlink,pwrite64,fsync,fdatasync,"
    "recvfrom,sendto,sendmsg,getrandom"
)
START_S = 90.0
"""Python under strace on a busy machine."""
SYNCS = ("fsync", "fdatasync")
RENAMES = ("rename", "renameat", "renameat2")


@attrs.frozen
class Traced:
    """A system call: in which line of the trace it began, in which it had returned."""

    name: str
    text: str
    """Its arguments, with the paths of descriptors."""
    result: str
    begun: int
    ended: int

    @property
    def path(self) -> str:
        """Of its descriptor (``7</data/wal/next.tmp>``)."""
        found = re.match(r"\d+<([^>]*)>", self.text)
        return found[1] if found else ""


_LINE = re.compile(r"^(\d+) +(.*)$")
_WHOLE = re.compile(r"^(\w+)\((.*)\) += (.*)$")
_BEGUN = re.compile(r"^(\w+)\((.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>(.*)\) += (.*)$")


def read_trace(text: str) -> list[Traced]:
    """The calls of a trace, in the order in which they returned."""
    calls: list[Traced] = []
    open_calls: dict[str, tuple[str, str, int]] = {}
    for number, line in enumerate(text.splitlines()):
        found = _LINE.match(line)
        if found is None:
            continue
        thread, rest = found.groups()
        if whole := _WHOLE.match(rest):
            calls.append(Traced(whole[1], whole[2], whole[3], number, number))
        elif begun := _BEGUN.match(rest):
            open_calls[thread] = (begun[1], begun[2], number)
        elif (resumed := _RESUMED.match(rest)) and thread in open_calls:
            name, arguments, since = open_calls.pop(thread)
            calls.append(Traced(name, arguments + resumed[2], resumed[3], since, number))
    return calls


@attrs.define
class Watched:
    """A node of its own under strace."""

    process: subprocess.Popen[bytes]
    port: int
    data: Path
    trace: Path

    def stop(self) -> list[Traced]:
        """Have the node stop in order; all that it did."""
        with Resp(self.port) as client:
            client.send("SHUTDOWN")
        self.process.wait(STOP_S * 4)
        return read_trace(self.trace.read_text(errors="replace"))


@contextmanager
def watched(directory: Path) -> Iterator[Watched]:
    """Start one; whatever happens, it does not outlive the block."""
    strace = require_tool("strace")
    block = PortBlock(1)
    trace, data = directory / "trace", directory / "node"
    command = [strace, "-f", "-y", "-s", "40", "-e", f"trace={CALLS}", "-e", "signal=none", "-o", str(trace)]
    command += [sys.executable, "-m", "trikv", "serve", "--port", str(block.first), "--segment-bytes", "64kb"]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--data-directory", str(data)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        if process.poll() is None:
            eventually(
                lambda: _answers(block.first, process), within_s=START_S, what="an answer under strace"
            )
        yield Watched(process, block.first, data, trace)
    finally:
        process.kill()  # strace's end ends what it traces
        process.wait()
        block.release()


def _answers(port: int, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "it has ended"
    try:
        with Resp(port, wait_s=5) as client:
            return client.call("PING") in {b"PONG", "PONG"}
    except OSError:
        return False


def test_nothing_is_acknowledged_that_is_not_on_the_disk(tmp_path: Path) -> None:
    """For each SET, through the ends of segments: bytes, sync, and only then the reply. So for names."""
    with watched(tmp_path) as node:
        with Resp(node.port) as client:
            for number in range(10):
                assert client.call("SET", f"key:{number}:", "x" * 20_000) in {b"OK", "OK"}
            assert client.call("SAVE") in {b"OK", "OK"}
        calls = node.stop()
    wal, snapshots = node.data / "wal", node.data / "snapshots"
    segments = set()
    for number in range(10):
        asked = next(c for c in calls if c.name == "recvfrom" and f"key:{number}:" in c.text)
        replied = next(
            c for c in calls if c.name in {"sendto", "sendmsg"} and c.begun > asked.ended and "+OK" in c.text
        )
        between = [c for c in calls if c.begun > asked.ended and c.ended < replied.begun]
        written = [c for c in between if c.name == "pwrite64" and c.path.startswith(f"{wal}/0")]
        assert written, "the record was written before the reply"
        last = written[-1]
        synced = [c for c in between if c.name in SYNCS and c.path == last.path and c.begun > last.ended]
        assert synced, "and synced"
        assert synced[-1].result == "0"
        if last.path not in segments:
            segments.add(last.path)
            before = [c for c in calls if c.ended < replied.begun]
            named = next(c for c in before if c.name in RENAMES and last.path in c.text)
            assert [c for c in before if c.name in SYNCS and c.path == str(wal) and c.begun > named.ended]
            zeroed = [c for c in before if c.path == f"{wal}/next.tmp" and c.ended < named.begun]
            assert zeroed[-1].name in SYNCS, "what gets a name is synced"
    assert len(segments) > 2
    _check_published(calls, str(snapshots))
    _check_published(calls, str(node.data), "identity.json")
    _check_published(calls, str(node.data), "dump.json")
    _check_flags(calls, str(node.data))
    assert any(c.name == "getrandom" and c.result != "0" for c in calls)


def _check_published(calls: list[Traced], directory: str, name: str = "") -> None:
    """A file there was written aside, synced, renamed, and its directory synced after that."""
    renamed = [c for c in calls if c.name in RENAMES and f'"{directory}/{name}' in c.text.partition(", ")[2]]
    assert renamed
    for one in renamed:
        aside = re.findall(r'"([^"]*)"', one.text)[0]
        assert aside.endswith(".tmp")
        touched = [
            c for c in calls if c.path == aside and c.name in {"pwrite64", *SYNCS} and c.ended < one.begun
        ]
        assert touched[-1].name in SYNCS
        assert any(c.name == "pwrite64" for c in touched)
        assert [c for c in calls if c.name in SYNCS and c.path == directory and c.begun > one.ended]


def _check_flags(calls: list[Traced], data: str) -> None:
    """Files are made exclusively, for the owner alone, and stay out of children."""
    made = [c for c in calls if c.name == "openat" and f'"{data}/' in c.text and "O_CREAT" in c.text]
    assert len(made) > 3
    for call in made:
        assert "O_CLOEXEC" in call.text
        assert call.text.endswith("0600")
        assert "O_EXCL" in call.text or f'"{data}/lock"' in call.text


def test_the_trace_is_read_across_threads() -> None:
    """What one thread began and another's line cut in two is one call, from its beginning to its end."""
    calls = read_trace(
        '7 pwrite64(5</d/a>, "x", 1, 0) = 1\n'
        "8 fdatasync(5</d/a> <unfinished ...>\n"
        '7 sendto(9<socket:[1]>, "+OK\\r\\n", 5, 0, NULL, 0) = 5\n'
        "8 <... fdatasync resumed>) = 0\n"
    )
    assert [(c.name, c.path, c.result, c.begun, c.ended) for c in calls] == [
        ("pwrite64", "/d/a", "1", 0, 0),
        ("sendto", "socket:[1]", "5", 2, 2),
        ("fdatasync", "/d/a", "0", 1, 3),
    ]
