"""What `trikv cluster` will start, worked out without starting it."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from trikv.cluster.plan import Plan, make_plan, program
from trikv.config import ConfigError, resolve

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def in_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative paths are relative to the project, as run_cluster.sh has it."""
    monkeypatch.chdir(ROOT)


def plan(
    *arguments: str | None, environment: dict[str, str] | None = None, configs: Path | None = None
) -> Plan:
    """Plan with PORT, MAX_VOLUME, TIMEOUT."""
    port, max_volume, timeout = (*arguments, None, None, None)[:3]
    return make_plan(
        port=port, max_volume=max_volume, timeout=timeout, environment=environment or {}, configs=configs
    )


def flags(node: int, made: Plan) -> dict[str, str]:
    """The flags a node is started with."""
    words = made.nodes[node - 1].command[1:]
    return dict(zip(words[::2], words[1::2], strict=True))


def test_without_arguments_the_files_say_it_all() -> None:
    """On the default ports a node's command is as short as what a person would type."""
    made = plan()
    for node in (1, 2, 3):
        assert made.nodes[node - 1].command == ("serve", "--config", f"cluster/node{node}.toml")
    assert made.ports()[:2] == [(8080, "node1's client port"), (18080, "node1's peer port")]
    assert [port for port, _ in made.ports()] == [8080, 18080, 8081, 18081, 8082, 18082]


def test_the_files_are_the_defaults_written_out() -> None:
    """cluster/nodeN.toml and a bare `trikv serve` differ in nothing but who the node is."""
    for node in (1, 2, 3):
        config = resolve(file=f"cluster/node{node}.toml")
        assert (config.node_id, config.port, config.peer_port) == (node, 8079 + node, 18079 + node)
        assert (config.maxmemory, config.typed_timeout_s) == (256 << 20, 300)
        assert config.data_directory == f"data/node{node}"
        assert list(config.peers) == [1, 2, 3]


def test_another_port_moves_everything() -> None:
    """Client ports, peer ports and every node's idea of its peers follow PORT."""
    made = plan("9000")
    assert [node.config.port for node in made.nodes] == [9000, 9001, 9002]
    assert flags(2, made)["--port"] == "9001"
    assert flags(2, made)["--peers"] == "1=127.0.0.1:19000,2=127.0.0.1:19001,3=127.0.0.1:19002"


def test_the_same_without_files(tmp_path: Path) -> None:
    """Installed without the project's cluster/ directory the flags say it all."""
    made = plan("9000", "1gb", configs=tmp_path)
    assert "--config" not in flags(3, made)
    for node in made.nodes:
        words = node.command[1:]
        given = {words[at].removeprefix("--"): words[at + 1] for at in range(0, len(words), 2)}
        assert resolve(flags=given) == node.config


def test_a_given_cap_is_sent_once_and_not_repeated_by_a_restart() -> None:
    """MAX_VOLUME goes through the log at this start; a restart must not undo a CONFIG SET since."""
    made = plan(None, "256mb")
    assert flags(1, made)["--maxmemory"] == "256mb"
    assert made.nodes[0].config.maxmemory_explicit
    assert "maxmemory" not in made.nodes[0].restart
    assert not plan().nodes[0].config.maxmemory_explicit


def test_a_given_timeout_lasts() -> None:
    """TIMEOUT is the typed connections' and belongs to the restart command too."""
    made = plan(None, None, "0")
    assert made.nodes[1].config.typed_timeout_s == 0
    assert "--typed-timeout-s 0" in made.nodes[1].restart


def test_the_restart_command_is_whole(tmp_path: Path) -> None:
    """It works in any directory and names the environment it needs, but never a password."""
    environment = {
        "TRIKV_REQUIREPASS": "hunter2",
        "TRIKV_MAXCLIENTS": "7",
        "TRIKV_DATA": f"{tmp_path}/d d",
        "HOME": "/x",
    }
    restart = plan("9000", environment=environment).nodes[0].restart
    assert restart.startswith(f"cd {ROOT} && ")
    assert "hunter2" not in restart
    assert 'TRIKV_REQUIREPASS="${TRIKV_REQUIREPASS:?set it to the password of this cluster}"' in restart
    assert "TRIKV_MAXCLIENTS=7" in restart
    assert "TRIKV_DATA=" not in restart
    words = shlex.split(restart.partition(" && ")[2])
    assert words[words.index("--data-directory") + 1] == f"{tmp_path}/d d/node1"
    assert words[words.index("--secret-file") + 1] == f"{tmp_path}/d d/cluster.secret"


@pytest.mark.parametrize("given", [{}, {"TRIKV_REQUIREPASS": ""}])
def test_the_restart_command_never_starts_a_node_without_its_password(
    given: dict[str, str], tmp_path: Path
) -> None:
    """Pasted into a shell that does not have the password, it says what to set and runs nothing."""
    restart = (
        plan("9000", environment={"TRIKV_REQUIREPASS": "hunter2", "TRIKV_DATA": str(tmp_path / "nowhere")})
        .nodes[0]
        .restart
    )
    done = subprocess.run(
        ["sh", "-c", restart],
        env={"PATH": os.environ["PATH"], **given},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "TRIKV_REQUIREPASS: set it to the password of this cluster" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_password_file_is_named_in_the_restart_command(tmp_path: Path) -> None:
    """The file's name is no secret; the password in it never shows."""
    file = tmp_path / "password"
    file.write_text("hunter2\n", encoding="utf-8")
    made = plan("9000", environment={"TRIKV_REQUIREPASS_FILE": str(file)})
    assert [node.config.requirepass for node in made.nodes] == ["hunter2"] * 3
    for node in made.nodes:
        assert f"TRIKV_REQUIREPASS_FILE={file}" in node.restart
        assert "hunter2" not in node.restart + " ".join(node.command)


def test_paths_are_shown_for_the_directory_that_the_person_is_in(tmp_path: Path) -> None:
    """As short as works there, when run_cluster.sh was called from another directory than the project's."""
    script = program()[0] if len(program()) == 1 else sys.executable
    whole = Path.cwd() / script
    for place, expected, data in (
        (Path(), script, "data"),
        (ROOT, script, "data"),
        (ROOT.parent, str(whole.relative_to(ROOT.parent)), f"{ROOT.name}/data"),
        (ROOT / "tests", str(whole), f"{ROOT}/data"),
        (tmp_path, str(whole), f"{ROOT}/data"),
    ):
        made = make_plan(port=None, max_volume=None, timeout=None, environment={}, called_from=place)
        assert shlex.split(made.program())[0] == expected
        assert made.shown(made.data) == data
    (tmp_path / "a link").symlink_to(ROOT)
    made = make_plan(
        port=None, max_volume=None, timeout=None, environment={}, called_from=tmp_path / "a link"
    )
    assert made.shown("data") == "data"
    assert made.shown("/else where") == "/else where"


def test_variables_of_an_orchestrator_are_left_out() -> None:
    """They stop no start, reach no node, and are told."""
    environment = {
        "TRIKV_PORT": "tcp://10.0.0.1:8080",
        "TRIKV_PEER_PORT": "tcp://10.0.0.1:18080",
        "TRIKV_SERVICE_HOST": "10.0.0.1",
        "TRIKV_MAXCLIENTS": "9",
    }
    made = plan(environment=environment)
    assert made.environment == {"TRIKV_MAXCLIENTS": "9"}
    assert made.nodes[0].config.port == 8080
    assert made.ignored == ("TRIKV_PEER_PORT", "TRIKV_PORT", "TRIKV_SERVICE_HOST")


def test_nodes_inherit_the_environment_but_what_the_plan_decides() -> None:
    """TRIKV_PORT would give three nodes one port, TRIKV_LOAD would load three times."""
    environment = {"TRIKV_PORT": "9100", "TRIKV_LOAD": __file__, "TRIKV_MAXCLIENTS": "9", "HOME": "/x"}
    made = plan(environment=environment)
    assert [node.config.port for node in made.nodes] == [9100, 9101, 9102]
    assert made.environment == {"TRIKV_MAXCLIENTS": "9", "HOME": "/x"}
    assert [node.config.load for node in made.nodes] == [__file__, "", ""]
    assert all("load" not in node.restart for node in made.nodes)
    assert plan("9200", environment=environment).nodes[0].config.port == 9200


def test_one_secret_for_the_three(tmp_path: Path) -> None:
    """All nodes read the file beside their data."""
    made = plan(environment={"TRIKV_DATA": str(tmp_path / "d")})
    assert (
        {node.config.secret_file for node in made.nodes}
        == {made.secret_file}
        == {f"{tmp_path}/d/cluster.secret"}
    )
    assert made.nodes[2].log_file == tmp_path / "d" / "node3" / "node.log"


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        (["x"], {}, "PORT: 'x' is not a whole number"),
        (["0"], {}, "PORT: 0 is not between 1 and 55533"),
        (["55534"], {}, "PORT: 55534 is not between"),
        ([], {"TRIKV_PORT": "x"}, "TRIKV_PORT: 'x'"),
        ([None, "much"], {}, "MAX_VOLUME: 'much' is not a size"),
        ([None, "2000000gb"], {}, "MAX_VOLUME: 2147483648000000 is not between 0 and 1125899906842624 bytes"),
        ([None, "9" * 5000], {}, "MAX_VOLUME: a number of 5000 digits is too large"),
        ([None, "256"], {}, "MAX_VOLUME: 256 is 256 bytes, too few to store anything; did you mean 256mb?"),
        ([None, None, "-1"], {}, "TIMEOUT: -1 is not between 0"),
        ([], {"TRIKV_LOAD": "/nowhere"}, "TRIKV_LOAD: /nowhere is no file"),
        (
            [],
            {"TRIKV_DATA": "/etc/passwd"},
            "TRIKV_DATA: '/etc/passwd': /etc/passwd is no directory; give",
        ),
        ([], {"TRIKV_DATA": "/etc/passwd/a"}, "TRIKV_DATA: '/etc/passwd/a': /etc/passwd is no directory"),
        ([], {"TRIKV_DATA": "a\nb"}, "TRIKV_DATA: 'a\\nb' holds control characters; give another path"),
        ([], {"TRIKV_DATA": " "}, "TRIKV_DATA: the path is empty"),
        ([""], {"TRIKV_PORT": "9000"}, "PORT: '' is not a whole number"),
        ([None, ""], {}, "MAX_VOLUME: '' is not a size"),
        ([None, None, ""], {}, "TIMEOUT: '' is not a whole number"),
        ([], {"TRIKV_DATA": "x" * 5000}, "...': File name too long"),
        ([], {"TRIKV_PEERS": "1=h:1"}, "TRIKV_PEERS: belongs to one node"),
        ([], {"TRIKV_LISTEN": "0.0.0.0"}, "TRIKV_LISTEN: belongs to one node"),
        ([], {"TRIKV_REQUIREPASS": ""}, "TRIKV_REQUIREPASS: is given, but empty"),
        ([], {"TRIKV_MAXMEMROY": "1"}, "did you mean TRIKV_MAXMEMORY?"),
    ],
)
def test_nonsense_is_refused(arguments: list[str | None], environment: dict[str, str], expected: str) -> None:
    """One line, naming the argument as the person knows it."""
    with pytest.raises(ConfigError, match=r"^[^\n]*$") as caught:
        plan(*arguments, environment=environment)
    assert expected in str(caught.value)


@pytest.mark.parametrize("variable", ["TRIKV_DATA", "TRIKV_PORT"])
def test_an_empty_variable_is_not_taken_for_one_that_is_unset(variable: str) -> None:
    """A script's variable that was never set would start a cluster on the data of another one."""
    with pytest.raises(ConfigError, match=f"^{variable}: "):
        plan(environment={variable: ""})


def test_the_program_is_named_as_briefly_as_works(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Below the working directory relative, elsewhere absolute, without a script by the interpreter."""
    script = tmp_path / "bin" / "trikv"
    script.parent.mkdir()
    monkeypatch.setattr("sys.executable", str(script.with_name("python")))
    assert program() == [str(script.with_name("python")), "-m", "trikv"]
    script.touch()
    assert program() == [str(script)]
    monkeypatch.chdir(tmp_path)
    assert program() == ["bin/trikv"]
    Path(".venv").symlink_to(tmp_path)
    assert program() == [".venv/bin/trikv"]
    Path(".venv").unlink()
    Path(".venv", "bin").mkdir(parents=True)
    Path(".venv", "bin", "trikv").touch()
    assert program() == ["bin/trikv"], "another environment's"
