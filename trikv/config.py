"""Every setting of a node: its unit, default, range and reason, in one place.

A setting is one field of `NodeConfig`; the flag, the environment name, the TOML key, the line of help and
the error text are all derived from it. `resolve` puts the sources together: **flags > TRIKV_* > TOML file >
defaults**. Whatever is not understood is refused, a misspelt setting most of all: a server that ignores
``maxmemroy`` runs without a cap until the day it matters.

Nothing here opens a socket, and only `read_file` opens a file: the configuration is read before there is
a host.
"""

import difflib
import ipaddress
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from trikv import passwords, system_text, units
from trikv.service_variables import is_service_variable, service_variables

ENVIRONMENT_PREFIX: Final = "TRIKV_"
ENVIRONMENT_OF_SCRIPTS: Final = frozenset({"TRIKV_CONFIG", "TRIKV_DATA", "TRIKV_REWRITE", "TRIKV_STRICT"})
"""Names that belong to the scripts and tests around a node; known, and no settings."""

PEER_PORT_OFFSET: Final = 10_000
"""Peer port = client port + 10000 unless configured (PROTOCOL 16)."""

MIB: Final = 1 << 20

_Given: TypeAlias = tuple[Any, str]
"""A value as a source gave it, and how an error names that source."""


class ConfigError(Exception):
    """A setting is missing, unknown or makes no sense. The text is the one line a person sees."""


@attrs.frozen
class Setting:
    """What is known of one setting."""

    reason: str
    """What it does and why the default is what it is; the help line."""
    parse: Callable[[str], Any]
    """Reads the text; ValueError says what is wrong with it."""
    unit: str = ""
    low: int | None = None
    high: int | None = None
    choices: tuple[str, ...] = ()
    secret: bool = False
    """Never shown: not in a log, not in a command that is printed."""
    may_be_empty: bool = True
    """False: an empty text is a variable that was never set, and what follows from it would fail open."""


def _integer(reason: str, default: int, low: int, high: int, unit: str = "") -> Any:
    setting = Setting(reason, units.parse_integer, unit, low, high)
    return attrs.field(default=default, metadata={"setting": setting})


def _bytes(reason: str, default: int, low: int, high: int) -> Any:
    setting = Setting(reason, units.parse_bytes, "bytes", low, high)
    return attrs.field(default=default, metadata={"setting": setting})


def _text(
    reason: str,
    default: str,
    choices: tuple[str, ...] = (),
    *,
    secret: bool = False,
    may_be_empty: bool = True,
) -> Any:
    setting = Setting(reason, str, choices=choices, secret=secret, may_be_empty=may_be_empty)
    return attrs.field(default=default, repr=not secret, metadata={"setting": setting})


@attrs.frozen(kw_only=True)
class NodeConfig:
    """The settings of one node, checked. Build it with `resolve`, or directly when embedding."""

    node_id: int = _integer("this node's number in the cluster", 1, 1, units.NODE_ID_MAX)
    listen: str = _text("host to bind; loopback unless asked, for there is no TLS yet", "127.0.0.1")
    port: int = _integer("client port, telnet and RESP alike; 0: the system chooses", 8080, 0, units.PORT_MAX)
    peer_port: int = _integer(
        "port for the other nodes; 0: that of this node's own entry in peers (a single node needs none)",
        0,
        0,
        units.PORT_MAX,
    )
    peers: Mapping[int, str] = attrs.field(
        factory=dict,
        metadata={
            "setting": Setting(
                "all nodes, this one included, as 1=host:peerport,2=...; empty: a single node",
                units.parse_peers,
            )
        },
    )
    data_directory: str = _text("where log and snapshots live", "data/node1")
    secret_file: str = _text(
        "the cluster's shared secret, a 0600 file; empty: cluster.secret beside data_directory", ""
    )
    maxmemory: int = _bytes(
        "memory cap on keys and values; 0: none. The file's counts at bootstrap, a flag's is sent to the log",
        256 * MIB,
        0,
        1 << 50,
    )
    typed_timeout_s: int = _integer(
        "idle seconds before a typed connection is warned and closed; 0: never", 300, 0, 10**9, "s"
    )
    timeout_s: int = _integer("the same for RESP clients, which pool (Redis' timeout)", 0, 0, 10**9, "s")
    maxclients: int = _integer("client connections at once (Redis' default)", 10_000, 1, 1_000_000)
    requirepass: str = _text(
        "password that AUTH must give; left out: none. ps shows a flag: better the next, or the environment",
        "",
        secret=True,
        may_be_empty=False,
    )
    requirepass_file: str = _text(
        "a file whose first line is that password, instead of requirepass", "", may_be_empty=False
    )
    reads: str = _text(
        "linearizable, or lease: as fresh and quicker while no clock drifts by 20 % or stops in a paused VM",
        "linearizable",
        ("linearizable", "lease"),
    )
    election_timeout_ms_min: int = _integer(
        "shortest silence before a follower stands; ten times the longest step of a node",
        400,
        10,
        60_000,
        "ms",
    )
    election_timeout_ms_max: int = _integer(
        "longest such silence; the spread keeps two nodes from standing at once", 800, 20, 120_000, "ms"
    )
    heartbeat_interval_ms: int = _integer(
        "how often a leader is heard; a third of the shortest election timeout", 130, 1, 30_000, "ms"
    )
    segment_bytes: int = _bytes(
        "size of a log file; zeroing more ahead stalls syncs, less makes more switches",
        16 * MIB,
        64 << 10,
        1 << 30,
    )
    snapshot_log_bytes: int = _bytes("log growth that starts a snapshot", 64 * MIB, 64 << 10, 1 << 40)
    snapshot_interval_s: int = _integer(
        "longest time between snapshots while there are changes", 600, 1, 10**9, "s"
    )
    log_tail_bytes: int = _bytes(
        "log kept in memory behind a snapshot, for slow followers", 16 * MIB, 0, 1 << 40
    )
    log_follower_bytes: int = _bytes(
        "the same for a follower that answered within 30 s", 64 * MIB, 0, 1 << 40
    )
    command_deadline_ms: int = _integer(
        "longest wait of a command for a majority before CLUSTERDOWN or INDETERMINATE",
        10_000,
        100,
        10**7,
        "ms",
    )
    stop_deadline_ms: int = _integer(
        "longest phased stop; a supervisor's patience is often 10 s", 10_000, 100, 10**7, "ms"
    )
    output_bytes_max: int = _bytes(
        "replies that may wait for one client that does not read", 64 * MIB, 64 << 10, 1 << 40
    )
    entry_bytes_max: int = _bytes(
        "longest log entry, and so the longest command (3/4 of it); a value is at most 8mb",
        16 * MIB,
        12 * MIB,
        1 << 31,
    )
    peer_frame_bytes_max: int = _bytes("longest peer message; above entry_bytes_max", 20 * MIB, 4096, 1 << 32)
    backups_kept: int = _integer("how many BACKUP files are kept", 10, 1, 10**6)
    load: str = _text("a backup or dump that fills an empty cluster", "")

    maxmemory_explicit: bool = False
    """A flag or the environment gave `maxmemory`: send it through the log once after election."""

    def __attrs_post_init__(self) -> None:
        """Refuse what no source's line alone shows to be wrong. Raises ConfigError."""
        for setting in settings():
            _check_range(setting.name, getattr(self, setting.name), setting.about)
        _check_together(self)

    @property
    def address(self) -> str:
        """Where clients are served: ``host:port``."""
        return units.join_address(self.listen, self.port)

    @property
    def peer_address(self) -> str:
        """Where other nodes are served: ``host:port``."""
        return units.join_address(self.listen, self.peer_port)


@attrs.frozen
class Remark:
    """What the log should say of how the settings were given; nothing that stops a start."""

    text: str
    is_warning: bool = True


@attrs.frozen
class NamedSetting:
    """A setting with its name and default, as help and documentation list it."""

    name: str
    about: Setting
    default: Any

    @property
    def flag(self) -> str:
        """How the command line spells it."""
        return _as_flag(self.name)

    @property
    def variable(self) -> str:
        """How the environment spells it."""
        return _as_variable(self.name)

    @property
    def default_text(self) -> str:
        """The default as a person writes it."""
        if self.about.unit == "bytes":
            return units.format_bytes(self.default)
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

    `flags` has settings by name, ``_`` or ``-`` between words. Raises ConfigError, one line.
    """
    environment = environment or {}
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


def remarks(flags: Mapping[str, str], environment: Mapping[str, str], config: NodeConfig) -> list[Remark]:
    """Look at how the settings were given: `flags` and `environment` are those that made `config`."""
    said = []
    if ignored := service_variables(environment):
        text = f"variables of an orchestrator are no settings, and are ignored: {', '.join(ignored)}"
        said.append(Remark(text, is_warning=False))
    if "requirepass" in flags:
        better = f"use {_as_flag('requirepass_file')}, or {passwords.VARIABLE}"
        said.append(Remark(f"{passwords.ON_THE_COMMAND_LINE}; {better}"))
    if not (config.requirepass or _is_loopback(config.listen)):
        said.append(Remark(f"clients need no password, and {config.listen} is not loopback: set requirepass"))
    if config.requirepass_file and (warning := passwords.warning_of(config.requirepass_file)):
        said.append(Remark(warning))
    return said


def _is_loopback(listen: str) -> bool:
    """Whether only this machine can connect there, as far as the text tells."""
    for host in listen.replace(",", " ").split():
        try:
            if not ipaddress.ip_address(host.strip("[]")).is_loopback:
                return False
        except ValueError:
            if host != "localhost":
                return False
    return True


def read_file(path: str) -> dict[str, Any]:
    """Read a TOML file. Raises ConfigError where it is absent or no TOML."""
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}; give an existing file to --config") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}; correct the file") from error


def _from_file(file: str) -> dict[str, _Given]:
    found = {_known(key, f"{file}: ", str): value for key, value in read_file(file).items()}
    # A file is UTF-8 whatever the locale; the other sources come as the system hands them over.
    return {
        key: (system_text.of_utf8(value) if isinstance(value, str) else value, f"{file}: {key}")
        for key, value in found.items()
    }


def _without_other_password(given: dict[str, _Given], source: Mapping[str, _Given]) -> dict[str, _Given]:
    """Drop from `given` what a source of higher rank replaces by the other way to give a password."""
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
        if not is_service_variable(variable, text):
            name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
            given[_known(name, "", _as_variable)] = (text, variable)
    return given


def _from_flags(flags: Mapping[str, str]) -> dict[str, _Given]:
    given = {}
    for name, text in flags.items():
        key = _known(name.replace("-", "_"), "", _as_flag)
        given[key] = (text, _as_flag(key))
    return given


def _as_flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _as_variable(name: str) -> str:
    return ENVIRONMENT_PREFIX + name.upper()


def _known(key: str, where: str, spell: Callable[[str], str]) -> str:
    """Give `key` back if it is a setting; else raise ConfigError with the nearest one, spelt as it was."""
    names = [setting.name for setting in settings()]
    if key in names:
        return key
    near = difflib.get_close_matches(key, names, n=1)
    advice = f"did you mean {spell(near[0])}?" if near else "'trikv serve --help' lists the settings"
    raise ConfigError(f"{where}{spell(key)} is no setting; {advice}")


def _read(setting: NamedSetting, value: Any, source: str) -> Any:
    """Turn one given value into the field's type; check its range. Raises ConfigError naming the source."""
    if isinstance(value, dict) and setting.name == "peers":
        value = ",".join(f"{node_id}={address}" for node_id, address in value.items())
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise ConfigError(f"{source}: expected text or a whole number, found {type(value).__name__}")
    if value == "" and not setting.about.may_be_empty:
        raise ConfigError(f"{source}: {passwords.NEVER_EMPTY}")
    try:
        read = setting.about.parse(str(value))
    except ValueError as error:
        raise ConfigError(f"{source}: {error}") from error
    _check_range(source, read, setting.about)
    return read


def _check_range(source: str, value: Any, about: Setting) -> None:
    """Raise ConfigError where `value` is outside of what the setting allows."""
    if isinstance(value, str):
        try:
            system_text.check(value)
        except ValueError as error:
            shown = "it holds a zero byte or cannot be encoded" if about.secret else error
            raise ConfigError(f"{source}: {shown}; give other text") from None
    if about.choices and value not in about.choices:
        raise ConfigError(f"{source}: {value!r} is not one of: {', '.join(about.choices)}")
    if about.low is None or about.high is None:
        return
    if not about.low <= value <= about.high:
        unit = f" {about.unit}" if about.unit else ""
        raise ConfigError(f"{source}: {value} is not between {about.low} and {about.high}{unit}")


def _fill_in(values: dict[str, Any]) -> dict[str, Any]:
    """Add what follows from other settings: the data directory, the secret's file, the peer port."""
    filled = dict(values)
    node_id = filled.get("node_id", 1)
    filled.setdefault("data_directory", f"data/node{node_id}")
    if not filled.get("secret_file"):
        filled["secret_file"] = str(Path(filled["data_directory"]).parent / "cluster.secret")
    own = filled.get("peers", {}).get(node_id)
    if not filled.get("peer_port") and own is not None:
        filled["peer_port"] = units.split_address(own)[1]
    return filled


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
    if config.log_tail_bytes > config.log_follower_bytes:
        raise ConfigError(
            f"log_tail_bytes: {config.log_tail_bytes} must not be above log_follower_bytes, "
            f"which is {config.log_follower_bytes}"
        )
