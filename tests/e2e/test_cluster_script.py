"""``./run_cluster.sh`` as a person uses it: on a terminal, sourced, with bad arguments, with a taken port."""

import contextlib
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.clients import Typist
from tests.e2e.cluster import START_S, STOP_S, eventually, now_s, pause
from tests.ports import PortBlock
from trikv.host.signals import ECHO_S

ROOT = Path(__file__).parents[2]
CTRL_C = b"\x03"
LIKE_A_NODE = re.compile(
    r"^node\d  127\.0\.0\.1:\d+ +(leader|follower) +pid \d+ +telnet .*trikv cli \d+", re.MULTILINE
)


@pytest.fixture(autouse=True, scope="module")
def installed() -> None:
    """The script must find its environment made: to make it is minutes of network, and ours runs in it."""
    if subprocess.run([ROOT / "tools" / "venv.sh", "--check"], check=False).returncode != 0:
        pytest.fail(".venv is not up to date; ./tests/run makes it so")


@pytest.fixture
def port() -> Iterator[int]:
    """The first of three client ports, with their peer ports free as well."""
    block = PortBlock()
    yield block.first
    block.release()


def environment(data: Path) -> dict[str, str]:
    """A person's environment, with the data elsewhere."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("TRIKV_")}
    return {**kept, "TRIKV_DATA": str(data), "TERM": "dumb"}


def alive(data: Path) -> list[str]:
    """Command lines of processes that work on `data`."""
    found = []
    for file in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"TRIKV_DATA={data}\0".encode() in file.read_bytes():
                found.append(file.with_name("cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


class Terminal:
    """A shell command on a terminal of its own, in which Ctrl-C goes to the whole foreground group."""

    def __init__(self, command: list[str], data: Path, place: Path) -> None:
        self.data = data
        self.seen = ""
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.chdir(place)
            os.execvpe(command[0], command, environment(data))

    def wait_for(self, expected: str, *, within_s: float = START_S) -> re.Match[str]:
        """Read until `expected`, a regular expression, is on the screen."""
        deadline = now_s() + within_s
        while (found := re.search(expected, self.seen, re.MULTILINE)) is None:
            left_s = deadline - now_s()
            assert left_s > 0, f"{expected!r} is not on the screen:\n{self.seen}"
            if select.select([self._terminal], [], [], left_s)[0]:
                try:
                    self.seen += os.read(self._terminal, 4096).decode(errors="replace").replace("\r", "")
                except OSError:
                    raise AssertionError(f"ended before {expected!r}:\n{self.seen}") from None
        return found

    def press(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._terminal, keys)

    def end(self, *, within_s: float = STOP_S + 10) -> int:
        """Wait for the end; the exit code."""

        def ended() -> tuple[int, int] | None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if select.select([self._terminal], [], [], 0)[0]:
                with contextlib.suppress(OSError):
                    self.seen += os.read(self._terminal, 4096).decode(errors="replace").replace("\r", "")
            return (pid, status) if pid else None

        _, status = eventually(ended, within_s=within_s, what="the end of the script")
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        """Nothing may stay, whatever the test found."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._terminal)


@pytest.fixture
def run(tmp_path: Path) -> Iterator["Runner"]:
    """Starts commands on terminals; none of them, nor a node of theirs, outlives the test."""
    runner = Runner(tmp_path / "data")
    yield runner
    for terminal in runner.terminals:
        terminal.close()
    eventually(lambda: not alive(runner.data), within_s=STOP_S, what="the end of every node")


class Runner:
    """Starts commands on terminals."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.terminals: list[Terminal] = []

    def __call__(self, *command: str, place: Path = ROOT) -> Terminal:
        """`place`: the directory that the person is in."""
        terminal = Terminal(list(command), self.data, place)
        self.terminals.append(terminal)
        return terminal


def test_ctrl_c_on_a_terminal_stops_all_and_leaves_dumps(run: Runner, port: int) -> None:
    """Three lines, a leader; Ctrl-C reaches each node as one SIGTERM, so the dumps are written; exit code 0.

    A second run restores all of it.
    """
    terminal = run("./run_cluster.sh", str(port), "64mb", "0")
    terminal.wait_for(r"^node\d leads, term \d+, after \d+\.\d s$")
    terminal.wait_for("Ctrl-C stops all three")
    assert len(LIKE_A_NODE.findall(terminal.seen)) == 3, terminal.seen
    with Typist(port + 2) as typist:
        assert typist.ask("set kept yes") == "OK"
        terminal.press(CTRL_C)
        assert typist.line().startswith("#")
    assert terminal.end() == 0, terminal.seen
    for node in (1, 2, 3):
        dump = json.loads((run.data / f"node{node}" / "dump.json").read_bytes())
        assert [line["k"] for line in dump["keys"]] == ["kept"]
        assert dump["machine"]["maxmemory"] == 64 << 20
    assert not alive(run.data)

    again = run("./run_cluster.sh", str(port))
    again.wait_for("Ctrl-C stops all three")
    with Typist(port + 1) as typist:
        assert typist.ask("get kept") == '"yes"'
    again.press(CTRL_C)
    assert again.end() == 0, again.seen


def test_a_death_is_reported_with_the_command_that_undoes_it(run: Runner, port: int) -> None:
    """The leader killed with -9: a line for it, the full command, which works, and the next leader."""
    terminal = run("./run_cluster.sh", str(port))
    leader = terminal.wait_for(r"^(node\d) leads, term \d+").group(1)
    terminal.wait_for("Ctrl-C stops all three")
    found = re.search(rf"^{leader} .* pid (\d+)", terminal.seen, re.MULTILINE)
    assert found is not None, terminal.seen
    os.kill(int(found.group(1)), signal.SIGKILL)
    terminal.wait_for(rf"^{leader} died \(killed by SIGKILL\)")
    command = terminal.wait_for(r"start it again: (.*)\n").group(1)
    terminal.wait_for(rf"^(?!{leader})node\d leads, term \d+, after \d+\.\d s$")
    restarted = subprocess.Popen(
        ["bash", "-c", f"exec 2>/dev/null; {command.replace('&& ', '&& exec ', 1)}"],
        env=environment(run.data),
        cwd="/",
    )
    try:
        terminal.wait_for(rf"^{leader} is back, pid {restarted.pid}")
    finally:
        restarted.terminate()
        restarted.wait(STOP_S)
    terminal.press(CTRL_C)
    assert terminal.end() == 0, terminal.seen


def test_from_elsewhere_the_table_shows_what_works_there(run: Runner, port: int, tmp_path: Path) -> None:
    """The command for a node, pasted into another window in the same directory.

    A second cluster on the same data is refused in one line that says why, and disturbs nobody.
    """
    terminal = run(str(ROOT / "run_cluster.sh"), str(port), place=tmp_path)
    terminal.wait_for("Ctrl-C stops all three")
    command = terminal.wait_for(r"or: (.* cli \d+)").group(1)
    asked = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, input=b"ping\n", capture_output=True, timeout=60, check=True
    )
    assert asked.stdout == b"+PONG\r\n"
    block = PortBlock()
    refused = script(str(block.first), data=run.data)
    block.release()
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith(
        f"trikv: the data in {run.data} are in use by a running cluster (node1: "
    )
    assert refused.stderr.count("\n") == 1
    again = script(str(port), data=run.data)
    assert again.stderr == refused.stderr, "no advice to take another PORT"
    terminal.press(CTRL_C)
    assert terminal.end() == 0, terminal.seen
    assert "died" not in terminal.seen


def test_when_all_nodes_are_gone_the_terminal_says_so(run: Runner, port: int) -> None:
    """What has died, what was stopped, that all are down and what to do; Ctrl-C then ends it."""
    terminal = run("./run_cluster.sh", str(port))
    terminal.wait_for("Ctrl-C stops all three")
    pids = dict(re.findall(r"^(node\d) .* pid (\d+)", terminal.seen, re.MULTILINE))
    os.kill(int(pids["node1"]), signal.SIGTERM)
    terminal.wait_for("^node1 stopped$")
    for name in ("node2", "node3"):
        os.kill(int(pids[name]), signal.SIGKILL)
        terminal.wait_for(rf"^{name} died \(killed by SIGKILL\)$")
    terminal.wait_for("^all nodes are down: ")
    terminal.press(CTRL_C)
    assert terminal.end() == 0, terminal.seen


def test_how_a_load_went_is_on_the_terminal(run: Runner, port: int, tmp_path: Path) -> None:
    """A new cluster is filled; one that holds keys is not, and the person need not look for that in a log."""
    terminal = run("./run_cluster.sh", str(port))
    terminal.wait_for("Ctrl-C stops all three")
    with Typist(port) as typist:
        assert typist.ask("set kept yes") == "OK"
    terminal.press(CTRL_C)
    assert terminal.end() == 0, terminal.seen
    dump = tmp_path / "backup.json"
    dump.write_bytes((run.data / "node1" / "dump.json").read_bytes())
    for data, told in (
        (tmp_path / "data" / "new", "^node1: loaded 1 key$"),
        (run.data, "^node1: nothing is loaded: the cluster holds keys, .* keys=1$"),
    ):
        variables = (f"TRIKV_DATA={data}", f"TRIKV_LOAD={dump}")
        terminal = run("env", *variables, "./run_cluster.sh", str(port))
        terminal.wait_for(told)
        assert f"node1 loads {dump}" in terminal.seen
        terminal.press(CTRL_C)
        assert terminal.end() == 0, terminal.seen


def test_a_second_ctrl_c_is_passed_on(run: Runner, port: int) -> None:
    """Impatience is served: the node ends at once, and exit code 1 says that there is no dump of it."""
    terminal = run("./run_cluster.sh", str(port))
    terminal.wait_for("Ctrl-C stops all three")
    for pid in re.findall(r"^node[12] .* pid (\d+)", terminal.seen, re.MULTILINE):
        os.kill(int(pid), signal.SIGKILL)  # a stop without a majority takes a while
    terminal.wait_for("node1 died")
    terminal.wait_for("node2 died")
    terminal.press(CTRL_C)
    terminal.wait_for("stopping")
    pause(ECHO_S)
    terminal.press(CTRL_C)
    terminal.wait_for("stopping at once")
    terminal.wait_for("node3 ended, exit code 1: trikv: node3: stopped without a dump")
    assert terminal.end(within_s=STOP_S) == 1
    assert not list(run.data.glob("node*/dump*"))
    assert not alive(run.data)


def test_ctrl_c_that_arrives_twice_is_one(run: Runner, port: int) -> None:
    """A wrapper passes on the signal that the whole group gets from the terminal: the dumps are written."""
    terminal = run("./run_cluster.sh", str(port))
    terminal.wait_for("Ctrl-C stops all three")
    terminal.press(CTRL_C)
    pause(0.01)
    os.kill(terminal.pid, signal.SIGINT)
    assert terminal.end() == 0, terminal.seen
    assert len(list(run.data.glob("node*/dump.json"))) == 3


def test_sourced_it_runs_in_a_child_and_the_shell_survives(run: Runner, port: int) -> None:
    """The original was started by `source`: that shell must still be there, and itself, afterwards."""
    shell = run("bash", "--norc", "-i")
    shell.press(b"cd /tmp && PS1='$ ' && set +e\n")
    shell.press(f"source {ROOT}/run_cluster.sh {port}\n".encode())
    shell.wait_for("Ctrl-C stops all three")
    shell.press(CTRL_C)
    shell.wait_for("node3 ended, exit code 0", within_s=STOP_S)
    shell.press(b"echo survived in $PWD with $?\n")
    shell.wait_for("^survived in /tmp with 0$")
    shell.press(f"source {ROOT}/run_cluster.sh nonsense; echo code $?\n".encode())
    shell.wait_for("^code 2$")
    shell.press(b"exit\n")
    shell.end()


@pytest.mark.parametrize(
    ("shell", "number"), [((), signal.SIGTERM), ((), signal.SIGKILL), (("sh",), signal.SIGTERM)]
)
def test_nothing_outlives_the_supervisor(
    run: Runner, port: int, shell: tuple[str, ...], number: signal.Signals
) -> None:
    """However it was started and however it ends, kill -9 included, its nodes stop, with their dumps."""
    terminal = run(*shell, "./run_cluster.sh", str(port))
    terminal.wait_for("Ctrl-C stops all three")
    os.kill(terminal.pid, number)  # the script has become the supervisor by exec
    eventually(lambda: not alive(run.data), within_s=STOP_S, what="the end of every node")
    assert all((run.data / f"node{node}" / "dump.json").exists() for node in (1, 2, 3))
    assert terminal.end() == (0 if number is signal.SIGTERM else -signal.SIGKILL)


def script(*arguments: str, data: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the script where no terminal is, until it ends by itself."""
    return subprocess.run(
        [ROOT / "run_cluster.sh", *arguments],
        env={**environment(data), **more},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["eighty"], "PORT: 'eighty' is not a whole number"),
        (["99999"], "PORT: 99999 is not between 1 and 55533"),
        (["8080", "lots"], "MAX_VOLUME: 'lots' is not a size"),
        (["8080", "1mb", "soon"], "TIMEOUT: 'soon' is not a whole number"),
        (["8080", "1mb", "1", "extra"], "extra"),
    ],
)
def test_bad_arguments_are_one_line(tmp_path: Path, arguments: list[str], expected: str) -> None:
    """Exit code 2, one clear line, nothing started and nothing written."""
    done = script(*arguments, data=tmp_path / "data")
    assert done.returncode == 2
    assert expected in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["bin/link"], id="executed"),
        pytest.param(["sh", "bin/link"], id="sh"),
        pytest.param(["bash", "-eux", "bin/link"], id="bash -eux"),
        pytest.param(["env", "-u", "HOME", "bin/link"], id="without a home"),
        pytest.param(["bash", "-c", '. bin/link "$@"', "bash"], id="sourced"),
        pytest.param(["bash", "-c", 'PATH=bin:$PATH; . link "$@"', "bash"], id="sourced by PATH"),
        pytest.param(["sh", "-c", 'cd -- "$ROOT"; . ./run_cluster.sh', "sh"], id="sourced by sh"),
    ],
)
def test_the_checkout_is_found_from_anywhere(tmp_path: Path, words: list[str]) -> None:
    """Through links to the script, with a CDPATH that leads elsewhere, whatever shell runs it."""
    link = tmp_path / "bin" / "link"
    (tmp_path / "bin").mkdir()
    (tmp_path / "far" / "tools").mkdir(parents=True)
    (tmp_path / "near").symlink_to(ROOT / "run_cluster.sh")
    link.symlink_to("../near")
    done = subprocess.run(
        [*words, "eighty"],
        env={**environment(tmp_path / "data"), "CDPATH": f"{tmp_path / 'far'}:/", "ROOT": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert "PORT: 'eighty' is not a whole number" in done.stderr
    assert len(done.stderr.splitlines()) == 1 or "-eux" in words, done.stderr


@pytest.mark.parametrize("offset", [0, 2, 10_001])
def test_a_taken_port_is_named(tmp_path: Path, port: int, offset: int) -> None:
    """Exit code 1, one line that names the port, and nothing left running; peer ports count as well."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port + offset))
        taken.listen()
        done = script(str(port), data=tmp_path / "data")
    assert done.returncode == 1
    assert f"port {port + offset}" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not alive(tmp_path / "data")


def test_the_environment_is_checked_too(tmp_path: Path) -> None:
    """A misspelt TRIKV_ name is refused; one that belongs to a single node is as well."""
    done = script(data=tmp_path / "data", TRIKV_MAXMEMROY="1gb")
    assert (done.returncode, "did you mean TRIKV_MAXMEMORY?" in done.stderr) == (2, True)
    done = script(data=tmp_path / "data", TRIKV_NODE_ID="2")
    assert (done.returncode, "TRIKV_NODE_ID: belongs to one node" in done.stderr) == (2, True)


def test_a_relative_password_file_is_where_the_person_is(tmp_path: Path) -> None:
    """The script works in the project; the file is looked for in the directory that it was called from."""
    done = subprocess.run(
        [ROOT / "run_cluster.sh"],
        cwd=tmp_path,
        env={**environment(tmp_path / "data"), "TRIKV_REQUIREPASS_FILE": "secrets/password"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert f"TRIKV_REQUIREPASS_FILE: {tmp_path}/secrets/password: No such file" in done.stderr
