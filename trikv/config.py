"""Every setting of a node: its unit, default, range and reason, in one place.

A setting is one field of `NodeConfig`. The flag, the environment name, the TOML key, the line of help and
the error text are all derived from it. `resolve` puts the sources together: **flags > TRIKV_* > TOML file >
defaults**. Anything that is not understood is refused, above all a misspelt setting: a server that ignores
``maxmemroy`` runs without a cap until the day it matters.

Nothing here opens a socket, and only `read_file` opens a file: the configuration is read before there is
a host.
"""

import difflib
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from trikv import addresses, declare, notation, passwords, system_text
from trikv.machine.memory import CAP_BYTES_MAX
from trikv.orchestrator_variables import is_orchestrator_variable
from trikv.protocol.events import LONGEST_REQUEST_BYTES

ENVIRONMENT_PREFIX: Final = "TRIKV_"
ENVIRONMENT_OF_SCRIPTS: Final = frozenset({"TRIKV_CONFIG", "TRIKV_DATA", "TRIKV_REWRITE", "TRIKV_STRICT"})
"""Variables of the scripts and tests around a node. They are known, but are no settings."""

_ELSEWHERE: Final = {"max_volume": "maxmemory", "bind": "listen", "dir": "data_directory"}
"""What `run_cluster.sh` and redis.conf call a setting that has no similar name here."""

PEER_PORT_OFFSET: Final = 10_000
"""What `trikv cluster` adds to a client port for the peer port (PROTOCOL 16)."""

MIB: Final = 1 << 20
FILE_BYTES_MAX: Final = MIB
"""Most bytes of a settings file. A longer one is a mistaken path, and a device may never end."""

_Given: TypeAlias = tuple[Any, str]
"""A value as a source gave it, and how an error names that source."""


class ConfigError(Exception):
    """A setting is missing, unknown or makes no sense. The text is the one line a person sees."""


def _hosts(value: str | Sequence[str]) -> tuple[str, ...]:
    """Read `listen`, which an embedding program may give as text or as its parts. Raises ConfigError."""
    try:
        return notation.parse_hosts(value if isinstance(value, str) else " ".join(value))
    except (ValueError, TypeError) as error:
        raise ConfigError(f"listen: {error}") from error


@attrs.frozen(kw_only=True)
class NodeConfig:
    """The settings of one node, checked. Build it with `resolve`, or directly when embedding."""

    node_id: int = declare.whole_number("this node's number in the cluster", 1, 1, notation.NODE_ID_MAX)
    listen: tuple[str, ...] = attrs.field(
        default=("127.0.0.1",),
        converter=_hosts,
        metadata={
            "setting": declare.Setting(
                "hosts to bind, for clients and peers, as in 127.0.0.1 ::1; loopback unless asked: there is "
                "no TLS yet",
                notation.parse_hosts,
            )
        },
    )
    port: int = declare.whole_number(
        "client port, telnet and RESP alike; 0: the system chooses", 8080, 0, addresses.PORT_MAX
    )
    peer_port: int = declare.whole_number(
        "port for the other nodes; 0: that of this node's own entry in peers (a single node needs none)",
        0,
        0,
        addresses.PORT_MAX,
    )
    peers: Mapping[int, str] = attrs.field(
        factory=dict,
        metadata={
            "setting": declare.Setting(
                "all nodes, this one included, as 1=host:peerport,2=...; empty: a single node",
                notation.parse_peers,
            )
        },
    )
    unix_socket: str = declare.path(
        "path of a Unix socket for clients, beside the ports; empty: none", "", notation.parse_socket_path
    )
    unix_socket_mode: str = declare.path(
        "octal mode of its file; whoever may write it may connect (Redis' unixsocketperm)",
        "0700",
        notation.parse_mode,
    )
    data_directory: str = declare.path("where log and snapshots live", "data/node1", notation.parse_directory)
    secret_file: str = declare.path(
        "the cluster's shared secret, a 0600 file; empty: cluster.secret beside data_directory", ""
    )
    maxmemory: int = declare.size(
        "memory cap on keys and values; 0: none. The file's counts at bootstrap, a flag's is sent to the log",
        256 * MIB,
        0,
        CAP_BYTES_MAX,
    )
    typed_timeout_s: int = declare.whole_number(
        "idle seconds before a typed connection is warned and closed; 0: never", 300, 0, 10**9, "s"
    )
    timeout_s: int = declare.whole_number(
        "the same for RESP clients, which pool (Redis' timeout)", 0, 0, 10**9, "s"
    )
    maxclients: int = declare.whole_number(
        "client connections at once (Redis' default)", 10_000, 1, 1_000_000
    )
    requirepass: str = declare.text(
        "password that AUTH must give; left out: none. ps shows a flag: better the next, or the environment",
        "",
        secret=True,
        may_be_empty=False,
    )
    requirepass_file: str = declare.text(
        "a file whose one line is that password, instead of requirepass", "", may_be_empty=False
    )
    reads: str = declare.text(
        "linearizable, or lease: as fresh and quicker while no clock drifts by 20 % or stops in a paused VM",
        "linearizable",
        ("linearizable", "lease"),
    )
    enable_debug_command: str = declare.text(
        "who may use DEBUG, which can hold up all clients: no (nobody), local (this machine), yes (all)",
        "no",
        ("no", "local", "yes"),
    )
    election_timeout_ms_min: int = declare.whole_number(
        "shortest silence before a follower stands; ten times the longest step of a node",
        400,
        10,
        60_000,
        "ms",
    )
    election_timeout_ms_max: int = declare.whole_number(
        "longest such silence; the spread keeps two nodes from standing at once", 800, 20, 120_000, "ms"
    )
    heartbeat_interval_ms: int = declare.whole_number(
        "how often a leader is heard; a third of the shortest election timeout", 130, 1, 30_000, "ms"
    )
    segment_bytes: int = declare.size(
        "size of a log file; zeroing more ahead stalls syncs, less makes more switches",
        16 * MIB,
        64 << 10,
        1 << 30,
    )
    snapshot_log_bytes: int = declare.size("log growth that starts a snapshot", 64 * MIB, 64 << 10, 1 << 40)
    snapshot_interval_s: int = declare.whole_number(
        "longest time between snapshots while there are changes", 600, 1, 10**9, "s"
    )
    log_tail_bytes: int = declare.size(
        "log kept in memory behind a snapshot, for slow followers", 16 * MIB, 0, 1 << 40
    )
    log_follower_bytes: int = declare.size(
        "the same for a follower that answered within 30 s", 64 * MIB, 0, 1 << 40
    )
    command_deadline_ms: int = declare.whole_number(
        "longest wait of a command for a majority before CLUSTERDOWN or INDETERMINATE",
        10_000,
        100,
        10**7,
        "ms",
    )
    stop_deadline_ms: int = declare.whole_number(
        "longest time without progress in a stop; the dump may take longer", 10_000, 100, 10**7, "ms"
    )
    output_bytes_max: int = declare.size(
        "replies that may wait for one client that does not read", 64 * MIB, 64 << 10, 1 << 40
    )
    input_bytes_max: int = declare.size(
        "unfinished and waiting requests of all clients together; 0: a quarter of the cap, at least 64mb",
        0,
        0,
        1 << 40,
    )
    entry_bytes_max: int = declare.size(
        "longest log entry, and so the longest command (3/4 of it); a value is at most 8mb",
        16 * MIB,
        12 * MIB,
        1 << 31,
    )
    peer_frame_bytes_max: int = declare.size(
        "longest peer message; above entry_bytes_max", 20 * MIB, 4096, 1 << 32
    )
    backups_kept: int = declare.whole_number("how many BACKUP files are kept", 10, 1, 10**6)
    load: str = declare.path("a backup or dump that fills a cluster that never held a key; empty: none", "")

    maxmemory_explicit: bool = False
    """A flag or the environment gave `maxmemory`: send it through the log once after election."""

    def __attrs_post_init__(self) -> None:
        """Check all settings, alone and together. Raises ConfigError."""
        for setting in settings():
            _check_value(setting, getattr(self, setting.name))
        _check_together(self)

    @property
    def address(self) -> str:
        """The first address for clients, as ``host:port``."""
        return self.addresses[0]

    @property
    def addresses(self) -> tuple[str, ...]:
        """All TCP addresses for clients, as ``host:port``."""
        return tuple(addresses.join_address(host, self.port) for host in self.listen)

    @property
    def peer_addresses(self) -> tuple[str, ...]:
        """All addresses for other nodes, as ``host:port``: the same hosts, TCP only."""
        return tuple(addresses.join_address(host, self.peer_port) for host in self.listen)


@attrs.frozen
class NamedSetting:
    """A setting with its name and default, for help and documentation."""

    name: str
    about: declare.Setting
    default: Any

    @property
    def flag(self) -> str:
        """Its name on a command line, such as ``--node-id``."""
        return as_flag(self.name)

    @property
    def variable(self) -> str:
        """Its name in the environment, such as ``TRIKV_NODE_ID``."""
        return _as_variable(self.name)

    @property
    def default_text(self) -> str:
        """The default as a person writes it; empty if there is none."""
        if self.about.unit == "bytes":
            return notation.format_bytes(self.default)
        if isinstance(self.default, tuple):
            return " ".join(self.default)
        return "" if self.default is None else str(self.default)


def settings() -> Iterator[NamedSetting]:
    """List every setting, in the order of `NodeConfig`."""
    for field in attrs.fields(NodeConfig):
        about = field.metadata.get("setting")
        if about is not None:
            default = None if field.name == "peers" else field.default
            yield NamedSetting(field.name, about, default)


def resolve(
    *,
    flags: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    file: str | None = None,
) -> NodeConfig:
    """Put the sources together: flags over ``TRIKV_*`` over the TOML `file` over defaults.

    `flags` has settings by name, with ``_`` or ``-`` between words. Raises ConfigError with one line.
    """
    environment = environment or {}
    if file == "":
        raise ConfigError("--config: the path is empty; give a file, or leave it out")
    if file is None and environment.get("TRIKV_CONFIG") == "":
        raise ConfigError("TRIKV_CONFIG: the path is empty; give a file, or unset it")
    file = file or environment.get("TRIKV_CONFIG")
    from_file = _from_file(file) if file else {}
    from_environment, from_flags = _from_environment(environment), _from_flags(flags or {})
    given: dict[str, _Given] = {}
    for source in (from_file, from_environment, from_flags):
        given = _without_other_password(given, source) | source
    known = {setting.name: setting for setting in settings()}
    values = {key: _read(known[key], value, source) for key, (value, source) in given.items()}
    if "requirepass_file" in given:
        values["requirepass"] = _read_password(values["requirepass_file"], given["requirepass_file"][1])
    explicit = "maxmemory" in from_environment | from_flags
    return NodeConfig(**_fill_in(values), maxmemory_explicit=explicit)


def read_file(path: str) -> dict[str, Any]:
    """Read a TOML file, which may be a pipe. Raises ConfigError if it is absent, too long or no TOML."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
        if len(data) > FILE_BYTES_MAX:
            raise ConfigError(
                f"{path}: has more than {notation.format_bytes(FILE_BYTES_MAX)}; is it the right file?"
            )
        return tomllib.loads(data.decode())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}; give an existing file to --config") from error
    except (ValueError, RecursionError) as error:  # bad TOML, bad UTF-8, or a number of thousands of digits
        what = " ".join(str(error).split())
        raise ConfigError(f"{path}: not valid TOML: {what}; correct the file") from error


def _from_file(file: str) -> dict[str, _Given]:
    found = {_known(key, f"{file}: ", str): value for key, value in read_file(file).items()}
    # A file is UTF-8 whatever the locale is. The other sources are text of the system already.
    return {
        key: (system_text.of_utf8(value) if isinstance(value, str) else value, f"{file}: {key}")
        for key, value in found.items()
    }


def _without_other_password(given: dict[str, _Given], source: Mapping[str, _Given]) -> dict[str, _Given]:
    """Drop from `given` a password that a source of higher rank gives in the other of two ways."""
    ways = ("requirepass", "requirepass_file")
    found = [source[way][1] for way in ways if way in source]
    if len(found) > 1:
        raise ConfigError(f"{' and '.join(found)}: two ways to give one password; leave one out")
    return {key: value for key, value in given.items() if not (found and key in ways)}


def _read_password(path: str, source: str) -> str:
    try:
        return passwords.read(path)
    except ValueError as error:
        raise ConfigError(f"{source}: {error}") from error


def _from_environment(environment: Mapping[str, str]) -> dict[str, _Given]:
    given = {}
    for variable, text in sorted(environment.items()):
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable in ENVIRONMENT_OF_SCRIPTS:
            continue
        if not is_orchestrator_variable(variable, text):
            name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
            given[_known(name, "", _as_variable)] = (text, variable)
    return given


def _from_flags(flags: Mapping[str, str]) -> dict[str, _Given]:
    given = {}
    for name, text in flags.items():
        key = _known(name.replace("-", "_"), "", as_flag)
        given[key] = (text, as_flag(key))
    return given


def as_flag(name: str) -> str:
    """The name of a setting on a command line: ``node_id`` becomes ``--node-id``."""
    return "--" + name.replace("_", "-")


def _as_variable(name: str) -> str:
    return ENVIRONMENT_PREFIX + name.upper()


def _known(key: str, where: str, spell: Callable[[str], str]) -> str:
    """Return `key` if it is a setting; else raise ConfigError with the nearest one, in the same spelling."""
    names = [setting.name for setting in settings()]
    if key in names:
        return key
    typed = key.lower().replace("-", "_")
    near = _ELSEWHERE.get(typed) or next(iter(difflib.get_close_matches(typed, names, n=1)), "")
    advice = f"did you mean {spell(near)}?" if near else "'trikv serve --help' lists the settings"
    raise ConfigError(f"{where}{spell(key)} is no setting; {advice}")


def _read(setting: NamedSetting, value: Any, source: str) -> Any:
    """Turn one given value into the field's type; check its range. Raises ConfigError naming the source."""
    if isinstance(value, dict) and setting.name == "peers":
        value = ",".join(f"{node_id}={address}" for node_id, address in value.items())
    if isinstance(value, list) and setting.name == "listen":
        value = " ".join(map(str, value))
    if setting.about.choices and isinstance(value, int):  # a boolean, too: TOML has no bare words
        shown, words = notation.shorten(value).lower(), ", ".join(setting.about.choices)
        raise ConfigError(f"{source}: {shown} is not one of: {words}; write one of them in quotes")
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise ConfigError(f"{source}: expected text or a whole number, found {type(value).__name__}")
    if value == "" and not setting.about.may_be_empty:
        raise ConfigError(f"{source}: {passwords.NEVER_EMPTY}")
    if not isinstance(value, str) and not isinstance(setting.default, int):
        raise ConfigError(
            f"{source}: expected text, found the number {notation.shorten(value)}; write it in quotes"
        )
    try:
        read = setting.about.parse(str(value))
    except ValueError as error:
        raise ConfigError(f"{source}: {error}") from error
    _check_range(source, read, setting.about)
    return read


def _check_value(setting: NamedSetting, value: Any) -> None:
    """Check a value that a program may have given, and that no text could be. Raises ConfigError."""
    kind = Mapping if setting.name == "peers" else type(setting.default)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ConfigError(f"{setting.name}: expected {kind.__name__}, found {type(value).__name__}")
    _check_range(setting.name, value, setting.about)
    if isinstance(value, int):
        return
    try:
        setting.about.parse(_as_text(value))
    except ValueError as error:
        raise ConfigError(f"{setting.name}: {error}") from error


def _as_text(value: Any) -> str:
    """A value as the text that a flag would give."""
    if isinstance(value, Mapping):
        return notation.format_peers(value)
    return " ".join(value) if isinstance(value, tuple) else str(value)


def _check_range(source: str, value: Any, about: declare.Setting) -> None:
    """Raise ConfigError if `value` is outside of what the setting allows."""
    if isinstance(value, str):
        try:
            system_text.check(value)
        except ValueError as error:
            shown = "it holds a zero byte or cannot be encoded" if about.secret else error
            raise ConfigError(f"{source}: {shown}; give other text") from None
    if about.choices and value not in about.choices:
        raise ConfigError(f"{source}: {notation.shorten(value)} is not one of: {', '.join(about.choices)}")
    if about.low is None or about.high is None:
        return
    if not about.low <= value <= about.high:
        unit = f" {about.unit}" if about.unit else ""
        shown = notation.shorten(value)
        raise ConfigError(f"{source}: {shown} is not between {about.low} and {about.high}{unit}")


def _fill_in(values: dict[str, Any]) -> dict[str, Any]:
    """Add the settings that follow from others: the data directory, the secret's file, the peer port."""
    filled = dict(values)
    node_id = filled.get("node_id", 1)
    filled.setdefault("data_directory", f"data/node{node_id}")
    if not filled.get("secret_file"):
        filled["secret_file"] = str(Path(filled["data_directory"]).parent / "cluster.secret")
    own = filled.get("peers", {}).get(node_id)
    if not filled.get("peer_port") and own is not None:
        filled["peer_port"] = notation.parse_address(own)[1]
    return filled


def _check_peers(config: NodeConfig) -> None:
    """Refuse peers that cannot be dialled. Raises ConfigError."""
    owners: dict[str, int] = {}
    for node_id, address in config.peers.items():
        if notation.parse_address(address)[0] in notation.EVERY_ADDRESS:
            raise ConfigError(
                f"peers: node {node_id} is at {address}, which nobody can dial; give the address at which "
                "the other nodes reach it"
            )
        if owners.setdefault(address, node_id) != node_id:
            raise ConfigError(
                f"peers: nodes {owners[address]} and {node_id} have the same address, {address}"
            )


def _check_together(config: NodeConfig) -> None:
    """Refuse settings that contradict each other. Raises ConfigError."""
    if config.peers and config.node_id not in config.peers:
        raise ConfigError(
            f"peers: names nodes {', '.join(map(str, config.peers))} but not node_id {config.node_id}; "
            "list every node, this one included"
        )
    if config.peers and config.port == 0:
        raise ConfigError("port: 0 suits a single node only; give each node of a cluster its own port")
    if config.port != 0 and config.port == config.peer_port:
        raise ConfigError(f"peer_port: {config.peer_port} is the client port too; choose another")
    if config.requirepass_file and not config.requirepass:
        raise ConfigError(
            f"requirepass_file: only `resolve` reads {config.requirepass_file}; give requirepass instead"
        )
    _check_peers(config)
    for low, high in (
        ("election_timeout_ms_min", "election_timeout_ms_max"),
        ("entry_bytes_max", "peer_frame_bytes_max"),
    ):
        if getattr(config, low) >= getattr(config, high):
            raise ConfigError(
                f"{low}: {getattr(config, low)} must be below {high}, which is {getattr(config, high)}"
            )
    if 2 * config.heartbeat_interval_ms > config.election_timeout_ms_min:
        raise ConfigError(
            f"heartbeat_interval_ms: {config.heartbeat_interval_ms} must be at most half of "
            f"election_timeout_ms_min, which is {config.election_timeout_ms_min}: one lost beat is no death"
        )
    if 0 < config.input_bytes_max < LONGEST_REQUEST_BYTES:
        raise ConfigError(
            f"input_bytes_max: {config.input_bytes_max} is less than one request may have; give at least"
            f" {notation.format_bytes(LONGEST_REQUEST_BYTES)}, or 0 for a quarter of the cap"
        )
    if config.log_tail_bytes > config.log_follower_bytes:
        raise ConfigError(
            f"log_tail_bytes: {config.log_tail_bytes} must not be above log_follower_bytes, "
            f"which is {config.log_follower_bytes}"
        )
