"""The command line: what is accepted, and that every refusal is one line with the right exit code."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from trikv import __version__, cli
from trikv.cluster.plan import OF_ONE_NODE
from trikv.config import settings


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of who runs the tests is not under test."""
    for name in list(os.environ):
        if name.startswith("TRIKV_"):
            monkeypatch.delenv(name)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run what must be refused; its one line."""
    assert cli.main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("trikv: ")
    assert captured.err.count("\n") == 1
    return captured.err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nonsense"], 'Unknown command "nonsense"'),
        (["serve", "--prot", "1"], "--prot is no setting; did you mean --port?"),
        (["serve", "--port"], "--port requires an argument"),
        (["serve", "--port", "1", "--port", "2"], "--port specified multiple times"),
        (["serve", "--port", "many"], "--port: 'many' is not a whole number"),
        (["serve", "8080"], "too many arguments: 8080;"),
        (["serve", "--config", "/nowhere.toml"], "/nowhere.toml: No such file or directory"),
        (["serve", "--refill"], "--refill: a single node has no peers"),
        (["cluster", "x"], "PORT: 'x' is not a whole number"),
        (["cluster", "8080", "lots"], "MAX_VOLUME: 'lots' is not a size"),
        (["cluster", "1", "2", "3", "4"], "too many arguments: 4;"),
        (["cli", "x"], "'x' is not a whole number; give PORT, host:port or the path of a Unix socket"),
        (["cli", "0"], "0 is no port"),
        (["cli", "a:b"], "'b' is not a whole number"),
    ],
)
def test_bad_arguments_are_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], expected: str
) -> None:
    """Exit code 2; the line says what is wrong."""
    assert expected in refused(capsys, *arguments)


def test_unknown_variables_are_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A misspelt setting in the environment is not ignored."""
    monkeypatch.setenv("TRIKV_PROT", "1")
    assert "did you mean TRIKV_PORT?" in refused(capsys, "serve")


def test_settings_reach_the_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Flags, environment and file arrive as one configuration, with --refill beside it."""
    seen: dict[str, Any] = {}

    def serve(config: object, **more: object) -> int:
        seen.update(config=config, **more)
        return 7

    monkeypatch.setattr("trikv.serve.serve", serve)
    monkeypatch.setenv("TRIKV_TIMEOUT_S", "9")
    file = tmp_path / "node.toml"
    file.write_text("maxclients = 3\n", encoding="utf-8")
    assert cli.main(["serve", "--config", str(file), "--port", "7000", "--refill"]) == 7
    config = seen["config"]
    assert (config.port, config.timeout_s, config.maxclients) == (7000, 9, 3)
    assert (seen["refill"], seen["supervised"]) == (True, False)


def test_help_lists_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    """``trikv serve --help`` is derived from the configuration, so nothing is missing in it."""
    assert cli.main(["serve", "--help"]) == 0
    shown = capsys.readouterr().out
    for setting in settings():
        assert f"{setting.flag} " in shown or f"{setting.flag}\n" in shown


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    """Every command is listed; the version is the package's."""
    assert cli.main([]) == 0
    shown = capsys.readouterr().out
    assert all(command in shown for command in ("serve", "cluster", "cli", "bench", "status", "torture"))
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__


@pytest.mark.parametrize("command", ["bench", "status", "cluster", "cli", "torture"])
def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str], command: str) -> None:
    """--help works, for commands that are imported late as well."""
    assert cli.main([command, "--help"]) == 0
    assert command in capsys.readouterr().out


@pytest.mark.parametrize("columns", ["0", "1", "2", "", "-3", "\u00b2", "9" * 30, "100000000"])
@pytest.mark.parametrize("arguments", [["--help"], ["serve", "--help"]])
def test_help_fits_any_width(arguments: list[str], columns: str) -> None:
    """COLUMNS may be what no terminal has: help is shown all the same, as wide as can be read."""
    done = subprocess.run(
        [sys.executable, "-m", "trikv", *arguments],
        env={**os.environ, "COLUMNS": columns},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"Usage: trikv" in done.stdout


def test_the_clusters_help_is_the_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    """run_cluster.sh --help calls itself so, and names each variable that three nodes can share, no other."""
    assert cli.main(["cluster", "--called-from", "/", "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("Usage: run_cluster.sh [PORT] [MAX_VOLUME] [TIMEOUT]")
    assert "called-from" not in shown
    named = set(re.findall(r"\bTRIKV_[A-Z_]+", shown))
    assert named == {one.variable for one in settings()} - set(OF_ONE_NODE) | {"TRIKV_DATA"}


def test_ctrl_c_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command ended by Ctrl-C has the exit code that shells know."""

    def talk(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("trikv.console.talk", talk)
    assert cli.main(["cli"]) == 130


def test_the_module_is_the_command() -> None:
    """``python -m trikv`` works where no script was installed, and passes the exit code on."""
    done = subprocess.run(
        [sys.executable, "-m", "trikv", "nonsense"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("trikv: Unknown command")


@pytest.mark.parametrize(("option", "variable"), [(["-O"], ""), ([], "1"), ([], "2")])
def test_it_refuses_to_run_without_assertions(option: list[str], variable: str) -> None:
    """``python -O`` would drop the assertions that guard the data: a configuration that makes no sense."""
    done = subprocess.run(
        [sys.executable, *option, "-m", "trikv", "--version"],
        env={**os.environ, "PYTHONOPTIMIZE": variable},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("trikv: refuses to run under 'python -O'")
    assert "PYTHONOPTIMIZE" in line


def test_a_taken_port_is_a_failure_in_one_line(tmp_path: Path) -> None:
    """Exit code 1, and the line names the address."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [
                *(sys.executable, "-m", "trikv", "serve", "--port", str(port)),
                *("--data-directory", str(tmp_path / "node1")),
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("trikv: node1: ")
    assert f"127.0.0.1:{port}" in last
    assert "Traceback" not in done.stderr
