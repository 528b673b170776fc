"""Nodes and tools among paths and passwords that are no UTF-8, in any locale, and under an orchestrator."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.e2e.clients import Resp, Typist
from tests.e2e.cluster import START_S, eventually
from tests.e2e.single import Program, Single, bare_environment, words
from tests.ports import PortBlock
from trikv.config import settings

PATIENCE_S = 120
ODD = b"\xff \xe9"
"""No UTF-8."""
PASSWORD = b"p\xff\xe9"

LOCALES = {
    "as it is": {},
    "ascii": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


def environment(**more: str | bytes | Path) -> dict[bytes, bytes]:
    """An environment as bytes: what `os.environ` holds is already decoded."""
    given = {**bare_environment(), **more}
    return {os.fsencode(name): os.fsencode(value) for name, value in given.items()}


@pytest.fixture(params=list(LOCALES.values()), ids=list(LOCALES))
def locale(request: pytest.FixtureRequest) -> Mapping[str, str]:
    """What tells Python the encoding of its surroundings."""
    chosen: Mapping[str, str] = request.param
    return chosen


def odd_directory(tmp_path: Path) -> Path:
    """A directory whose name is no UTF-8."""
    directory = tmp_path / os.fsdecode(ODD)
    directory.mkdir()
    return directory


def test_every_textual_setting_is_tried_here() -> None:
    """A new one has to be decided: it is a path, a password, a name of a host, or of few choices."""
    textual = {
        setting.name
        for setting in settings()
        if isinstance(setting.default, str | tuple) and not setting.about.choices
    }
    paths = {"data_directory", "secret_file", "requirepass_file", "load", "unix_socket"}
    of_ascii = {"listen", "unix_socket_mode"}  # anything else is refused: tests/test_config.py
    assert textual == paths | of_ascii | {"requirepass"}


REQUESTS = (
    ("AUTH", b"wrong\xff"),
    ("AUTH", "default", PASSWORD),
    ("AUTH", PASSWORD),
    ("HELLO", "3", "AUTH", "default", PASSWORD, "SETNAME", "me"),
    ("HELLO", "2"),
    ("CLIENT", "SETNAME", b"\xff"),
    ("CLIENT", "LIST"),
    ("CLIENT", "KILL", "ADDR", b"\xff:1"),
    ("CLIENT", "TYPE", b"\xff"),
    ("CLIENT", b"\xff"),
    ("CONFIG", "GET", "*"),
    ("CONFIG", "GET", b"\xff*"),
    ("CONFIG", "SET", b"\xff", b"\xff"),
    ("INFO",),
    ("INFO", "everything"),
    ("INFO", b"\xff"),
    ("MEMSTATS",),
    ("ROLE",),
    ("HELP", b"\xff"),
    ("COMMAND", "INFO", b"\xff"),
    (b"\xff", b"\xff"),
    ("SET", b"\xff", b"\xff", b"\xff"),
    ("SET", b"\xff", b"\xff"),
    ("KEYS", b"\xff*"),
    ("SELECT", b"\xff"),
    ("DIGEST",),
    ("SAVE",),
    ("BACKUP",),
    ("LASTSAVE",),
    ("RESET",),
    ("PING",),
    ("AUTH", PASSWORD),
    ("PING",),
)


def quoted(words: tuple[str | bytes, ...]) -> bytes:
    """A request as it is typed."""
    return b" ".join(
        b'"%b"' % b"".join(b"\\x%02x" % byte for byte in os.fsencode(word))
        if isinstance(word, bytes)
        else word.encode()
        for word in words
    )


def test_no_request_meets_text_that_it_cannot_encode(tmp_path: Path, locale: Mapping[str, str]) -> None:
    """Data, secret, password and file to load are no UTF-8: every request is answered, typed or not."""
    directory = odd_directory(tmp_path)
    load = directory / "none.json"
    load.write_bytes(b"")  # an empty file fills nothing: that is told in the log, with the path
    secret = directory / "secret"
    secret.touch(mode=0o600)
    secret.write_text("0" * 64)
    with Single(
        directory,
        *("--load", os.fsencode(load), "--secret-file", os.fsencode(secret)),
        *("--unix-socket", os.fsencode(directory / "socket")),
        environment=environment(TRIKV_REQUIREPASS=PASSWORD, **locale),
        stderr=subprocess.PIPE,
    ) as node:
        eventually(lambda: _answers(node.port), within_s=START_S, what="a node that serves")
        with Resp(node.port) as client:
            for request in REQUESTS:
                reply = client.call(*request)
                if request[0] == "BACKUP":
                    assert os.fsencode(node.data / "backups") in reply
                    assert Path(os.fsdecode(reply.partition(b": ")[0])).exists()
                if request[:3] == ("CONFIG", "GET", "*"):
                    assert PASSWORD in reply
        with Typist(node.port) as typist:
            for request in REQUESTS:
                if request[0] != "HELLO":
                    typist.type(quoted(request))
            typist.type("exit")
            assert "exit" not in typist.rest()
        assert node.end() == 0
        assert node.process.stderr is not None
        assert b"Traceback" not in node.process.stderr.read()


def _answers(port: int) -> bool:
    try:
        with Resp(port, wait_s=5) as client:
            client.call("AUTH", PASSWORD)
            return bool(client.call("SET", "key", "value") == b"OK")
    except OSError:
        return False


def test_a_cluster_of_odd_names(tmp_path: Path, locale: Mapping[str, str]) -> None:
    """The supervisor shows the path and the restart command with the very bytes, whatever the locale."""
    data, block = odd_directory(tmp_path), PortBlock()
    given = environment(TRIKV_DATA=data, TRIKV_REQUIREPASS=PASSWORD, **locale)
    try:
        with Program("cluster", str(block.first), environment=given, stdout=subprocess.PIPE) as supervisor:
            assert supervisor.process.stdout is not None
            shown = b""
            while b"Ctrl-C stops all three" not in shown:
                line = supervisor.process.stdout.readline()
                assert line, shown
                shown += line
            assert b"data in " + os.fsencode(data) + b"; Ctrl-C" in shown
            with Resp(block.first + 1) as client:
                assert client.call("AUTH", PASSWORD) == b"OK"
                assert client.call("SET", "key", "value") == b"OK"
            nodes = ",".join(f"127.0.0.1:{block.first + step}" for step in range(3))
            status = subprocess.run(
                words("status", nodes), env=given, capture_output=True, timeout=PATIENCE_S, check=False
            )
            assert (status.returncode, status.stderr) == (0, b"")
            assert supervisor.end(within_s=PATIENCE_S) == 0
    finally:
        block.release()


REFUSED = (
    ("serve", b"--config", b"/nowhere/\xff"),
    ("serve", b"--listen", b"\xff"),
    ("serve", b"--port", b"\xff"),
    ("serve", b"--\xff", b"1"),
    ("serve", b"--peers", b"1=\xff:1,2=h:2"),
    ("serve", b"--data-directory", b"/dev/null/\xff"),
    ("serve", b"--requirepass-file", b"/nowhere/\xff"),
    ("cluster", b"\xff"),
    ("cli", b"\xff"),
    ("cli", b"\xff:1"),
    ("status", b"\xff:1"),
    ("bench", b"--nodes", b"\xff:1"),
    ("bench", b"--mix", b"\xff"),
    ("torture", b"--target", b"redis://\xff:1"),
    ("torture", b"--report", b"/nowhere/\xff"),
    ("sim", b"--replay", b"/nowhere/\xff"),
    (b"\xff",),
)


def test_odd_arguments_are_refused_in_one_line(tmp_path: Path, locale: Mapping[str, str]) -> None:
    """No traceback, whatever is no UTF-8 and wherever."""
    started = [
        subprocess.Popen(words(*arguments), env=environment(**locale), cwd=tmp_path, stderr=subprocess.PIPE)
        for arguments in REFUSED
    ]
    said = [process.communicate(timeout=PATIENCE_S)[1] for process in started]
    for arguments, process, line in zip(REFUSED, started, said, strict=True):
        # A node logs that it runs without the part in C, if so; its last line is the refusal.
        last = line.splitlines()[-1]
        assert process.returncode in (1, 2), (arguments, line)
        assert last.startswith(b"trikv"), (arguments, line)
        assert b"Traceback" not in line


def test_a_node_starts_under_an_orchestrator(tmp_path: Path) -> None:
    """Beside a Kubernetes service named trikv: its variables are ignored, and named once in the log."""
    variables = {
        "TRIKV_SERVICE_HOST": "10.0.0.1",
        "TRIKV_PORT": "tcp://10.0.0.1:8080",
        "TRIKV_PORT_8080_TCP_ADDR": "10.0.0.1",
        "TRIKV_NAME": "/web/trikv",
    }
    with Single(tmp_path, environment=environment(**variables), stderr=subprocess.PIPE) as node:
        node.wait_until_it_leads()
        assert node.end() == 0
        assert node.process.stderr is not None
        log = node.process.stderr.read().decode()
    (line,) = [line for line in log.splitlines() if "TRIKV_" in line]
    assert all(name in line for name in variables)
