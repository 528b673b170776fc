"""What `trikv cluster` will start: nodes, ports, commands. All is decided before the first process starts."""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs

import trikv
from trikv.addresses import PORT_MAX, join_address
from trikv.config import PEER_PORT_OFFSET, ConfigError, NodeConfig, resolve, settings
from trikv.notation import counted, format_peers, parse_bytes, parse_directory, parse_integer, shorten
from trikv.orchestrator_variables import orchestrator_variables, without_orchestrator_variables
from trikv.places import demand_writable_directory

NODES: Final = 3
HOST: Final = "127.0.0.1"
SHARED_FILE: Final = "cluster.secret"
"""What the nodes trust each other by, beside their data."""
PORT_DEFAULT: Final = 8080
PORT_HIGHEST: Final = PORT_MAX - PEER_PORT_OFFSET - (NODES - 1)
VOLUME_BYTES_MIN: Final = 64 << 10
"""A smaller volume holds a few hundred keys at most: somebody forgot the unit."""

OF_ONE_NODE: Final = {
    "TRIKV_CONFIG": "cluster/node1.toml to node3.toml are used",
    "TRIKV_DATA_DIRECTORY": "TRIKV_DATA moves the data of all three",
    "TRIKV_LISTEN": "the three nodes bind 127.0.0.1",
    "TRIKV_NODE_ID": "the nodes are 1, 2 and 3",
    "TRIKV_PEERS": "the three nodes are each other's peers",
    "TRIKV_PEER_PORT": f"peer ports are client ports + {PEER_PORT_OFFSET}",
    "TRIKV_UNIX_SOCKET": "each node needs a path of its own: unix_socket in its file",
    "TRIKV_SHARED_FILE_FILE": "it is cluster.secret beside the nodes' data",
}
"""Variables that three nodes cannot share, and what the supervisor uses instead."""


@attrs.frozen
class PlannedNode:
    """One node of the plan: its checked configuration and the commands that start it."""

    name: str
    config: NodeConfig
    command: tuple[str, ...]
    """The words after the program that start it here; the first is ``serve``."""
    restart: str
    """The command that a person types, in any directory, to start it again."""

    @property
    def log_file(self) -> Path:
        """The file that its standard output and error go to."""
        return Path(self.config.data_directory) / "node.log"


@attrs.frozen
class Plan:
    """Three nodes, and the settings and paths that they share."""

    nodes: tuple[PlannedNode, ...]
    data: Path
    secret_file: str
    environment: Mapping[str, str]
    """The variables that the nodes inherit: all except those that the plan itself decides."""
    ignored: tuple[str, ...] = ()
    """Variables that an orchestrator has set, and that are no settings."""
    called_from: Path = Path()
    """The person's directory. It is not ours if `run_cluster.sh` is called from elsewhere."""

    def shown(self, path: str | Path) -> str:
        """A path that works in the person's directory: relative if it is below that."""
        whole, here = Path.cwd() / path, self.called_from.resolve()
        return str(whole.relative_to(here) if whole.is_relative_to(here) else whole)

    def program(self) -> str:
        """The ``trikv`` command, as a person types it in their directory."""
        script, *more = program()
        return shlex.join([self.shown(script), *more])

    def ports(self) -> list[tuple[int, str]]:
        """Every port that must be free, with its purpose in words."""
        return [
            pair
            for node in self.nodes
            for pair in (
                (node.config.port, f"{node.name}'s client port"),
                (node.config.peer_port, f"{node.name}'s peer port"),
            )
        ]


def make_plan(
    *,
    port: str | None,
    max_volume: str | None,
    timeout: str | None,
    environment: Mapping[str, str],
    configs: Path | None = None,
    called_from: Path = Path(),
) -> Plan:
    """Plan the three nodes. Raises ConfigError with one line.

    `configs` is the directory of ``node1.toml`` to ``node3.toml``; if not given, ``cluster`` here or beside
    the package. Without any of them the flags say everything.
    """
    ignored = orchestrator_variables(environment)
    environment = without_orchestrator_variables(environment)
    for variable, instead in OF_ONE_NODE.items():
        if variable in environment:
            raise ConfigError(f"{variable}: belongs to one node; unset it: {instead}")
    if port is None:
        first = _first_port(environment.get("TRIKV_PORT"), "TRIKV_PORT")
    else:
        first = _first_port(port, "PORT")
    data = _data_directory(environment.get("TRIKV_DATA", "data"))
    load = environment.get("TRIKV_LOAD", "")
    if load and not Path(load).is_file():
        raise ConfigError(f"TRIKV_LOAD: {load} is no file; give a backup or a dump")
    shared = {
        "listen": HOST,
        "peers": format_peers(
            {node: join_address(HOST, first + PEER_PORT_OFFSET + node - 1) for node in range(1, NODES + 1)}
        ),
        "secret_file": str(data / SHARED_FILE),
    }
    _refuse_tiny(max_volume)
    asked = {"maxmemory": (max_volume, "MAX_VOLUME"), "typed_timeout_s": (timeout, "TIMEOUT")}
    inherited = {
        name: value for name, value in environment.items() if name not in ("TRIKV_PORT", "TRIKV_LOAD")
    }
    nodes = []
    for node_id in range(1, NODES + 1):
        own = {
            "node_id": str(node_id),
            "port": str(first + node_id - 1),
            "peer_port": str(first + PEER_PORT_OFFSET + node_id - 1),
            "data_directory": str(data / f"node{node_id}"),
        }
        once = {"load": load} if load and node_id == 1 else {}  # only one: three would load three times
        nodes.append(_plan_node(own | shared, asked, once, inherited, _find_config(configs, node_id)))
    return Plan(tuple(nodes), data, shared["secret_file"], inherited, tuple(ignored), called_from)


def _data_directory(path: str) -> Path:
    """Read TRIKV_DATA. Raises ConfigError, in the words of a node's setting, if no directory can be there."""
    try:
        data = Path(parse_directory(path))
        # Nothing is made in it if all is there, as after a first start.
        made = [data / f"node{node_id}" for node_id in range(1, NODES + 1)]
        for place in made if (data / SHARED_FILE).exists() else [data, *made]:
            demand_writable_directory(place)
    except ValueError as error:
        raise ConfigError(f"TRIKV_DATA: {error}") from error
    except OSError as error:
        raise ConfigError(f"TRIKV_DATA: {shorten(path)}: {error.strerror or error}") from error
    return data


def _refuse_tiny(max_volume: str | None) -> None:
    """Refuse a volume that is too small to be meant. Raises ConfigError.

    ``256`` for ``256mb`` is an easy mistake, and with old data it would change the cap of a whole cluster.
    """
    try:
        size = parse_bytes(max_volume or "0")
    except ValueError:
        return  # the reader of the setting has a better error for it
    if 0 < size < VOLUME_BYTES_MIN:
        raise ConfigError(
            f"MAX_VOLUME: {max_volume} is {counted(size, 'byte')}, too few to store anything; "
            f"did you mean {size}mb?"
        )


def _first_port(text: str | None, name: str) -> int:
    if text is None:
        return PORT_DEFAULT
    try:
        port = parse_integer(text)
    except ValueError as error:
        raise ConfigError(f"{name}: {error}; give the first node's client port") from error
    if not 1 <= port <= PORT_HIGHEST:
        raise ConfigError(
            f"{name}: {port} is not between 1 and {PORT_HIGHEST}; "
            f"{NODES} client ports and, {PEER_PORT_OFFSET} above, {NODES} peer ports must fit"
        )
    return port


def _find_config(configs: Path | None, node_id: int) -> Path | None:
    beside_package = Path(trikv.__file__).parents[1] / "cluster"
    for directory in [configs] if configs is not None else [Path("cluster"), beside_package]:
        if (file := directory / f"node{node_id}.toml").is_file():
            return file
    return None


def _plan_node(
    fixed: Mapping[str, str],
    asked: Mapping[str, tuple[str | None, str]],
    once: Mapping[str, str],
    environment: Mapping[str, str],
    file: Path | None,
) -> PlannedNode:
    """Plan one node. Raises ConfigError.

    `fixed` overrides its file, `asked` does if the argument was given, `once` is for this start only.
    """
    name = f"node{fixed['node_id']}"
    given = {key: text for key, (text, _) in asked.items() if text is not None}
    for key, (text, argument) in asked.items():
        if text is not None:
            _check_argument(key, text, argument)
    config = resolve(
        flags={**fixed, **given, **once}, environment=environment, file=str(file) if file else None
    )
    own = resolve(environment=environment, file=str(file) if file else None)
    needed = {
        key: text for key, text in {**fixed, **given}.items() if getattr(own, key) != getattr(config, key)
    }
    # Once the cap was set it is in the log. A restart by hand must not undo a later CONFIG SET.
    lasting = {key: text for key, text in needed.items() if key != "maxmemory"}
    start = {**needed, **{key: given[key] for key in given if key == "maxmemory"}, **once}
    words = ["serve", *(["--config", str(file)] if file else [])]
    return PlannedNode(
        name=name,
        config=config,
        command=(*words, *_as_flags(start)),
        restart=_for_a_person([*words, *_as_flags(lasting)], environment),
    )


def _check_argument(key: str, text: str, argument: str) -> None:
    """Check an argument. Raises ConfigError that names it, not the flag that it becomes."""
    try:
        resolve(flags={key: text})
    except ConfigError as error:
        raise ConfigError(f"{argument}: {str(error).partition(': ')[2]}") from error


def _as_flags(values: Mapping[str, str]) -> list[str]:
    return [word for key, text in values.items() for word in (f"--{key.replace('_', '-')}", text)]


def _for_a_person(words: list[str], environment: Mapping[str, str]) -> str:
    """A command that works in any directory and without our environment."""
    variables = [
        # A password is not printed. If the person's own shell does not have it, it runs nothing and says so.
        f'{setting.variable}="${{{setting.variable}:?set it to the password of this cluster}}"'
        if setting.about.secret
        else f"{setting.variable}={shlex.quote(environment[setting.variable])}"
        for setting in settings()
        if setting.variable in environment and setting.name != "maxmemory"
    ]
    command = " ".join([*variables, shlex.join([*program(), *words])])
    return f"cd {shlex.quote(str(Path.cwd()))} && {command}"


def program() -> list[str]:
    """The ``trikv`` command of this environment, relative to the working directory if it is below that."""
    script = Path(sys.executable).with_name("trikv")
    if not script.is_file():
        return [sys.executable, "-m", "trikv"]
    usual = Path(".venv", "bin", "trikv")  # a link to the environment's real place (`tools/make_venv.py`)
    if usual.is_file() and usual.samefile(script):
        return [str(usual)]
    return [str(script.relative_to(Path.cwd()) if script.is_relative_to(Path.cwd()) else script)]
