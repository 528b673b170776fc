"""The options of a run, checked once at the beginning, so that no other code has to check them."""

import os
import sys
from typing import Final

import attrs

from trikv import notation, passwords
from trikv.bench.ledger import STAMP_BYTES
from trikv.client.dialogue import REPLY_S_MAX
from trikv.client.endpoint import Address

PORT_DEFAULT: Final = 8080
NODES_DEFAULT: Final = 3

CONNECTIONS_MAX: Final = 10_000
"""The default `maxclients` of a node."""
PIPELINE_MAX: Final = 10_000
VALUE_BYTES_MAX: Final = 8 << 20
"""The longest value a node takes."""
BATCH_BYTES_MAX: Final = 64 << 20
"""Limited because each connection builds one pipeline in memory."""
MSET_KEYS: Final = 10
"""Keys of one MSET, as in redis-benchmark."""
KEYS_MAX: Final = 100_000_000
"""Limited because the ledger keeps eight bytes for each key of each kind."""

COMMANDS: Final = ("set", "get", "incr", "mget", "mset", "del", "ping", "append")


class OptionError(ValueError):
    """An invalid option; the text is the one line that the person sees."""


@attrs.frozen
class Options:
    """The options of a run. Exactly one of `requests` and `seconds` is set."""

    nodes: tuple[Address, ...]
    connections: int = 50
    requests: int | None = None
    """Commands to send, rounded up to whole pipelines."""
    seconds: float | None = None
    pipeline: int = 1
    value_bytes: int = 64
    keys: int = 100_000
    mix: tuple[tuple[str, float], ...] = (("set", 1.0), ("get", 9.0))
    rate: float | None = None
    """Commands per second over all connections; None: as fast as replies come."""
    password: bytes | None = None
    verify: bool = False
    seed: int = 1
    reply_timeout_s: float = REPLY_S_MAX
    """A connection whose reply takes longer is given up."""
    give_up_s: float = 30.0
    """The run ends when no node could be reached for this long."""

    def __attrs_post_init__(self) -> None:
        """Refuse options that cannot be run, in one line that says what would be right."""
        if (self.requests is None) == (self.seconds is None):
            raise OptionError("give either --requests or --seconds, not both")
        _within("--requests", self.requests, 1, 10**12)
        _within("--seconds", self.seconds, 0.01, 7 * 86_400)
        _within("--connections", self.connections, 1, CONNECTIONS_MAX)
        _within("--pipeline", self.pipeline, 1, PIPELINE_MAX)
        _within("--value-bytes", self.value_bytes, 1, VALUE_BYTES_MAX)
        _within("--keys", self.keys, 1, KEYS_MAX)
        _within("--rate", self.rate, 0.1, 10_000_000)
        if not self.nodes:
            raise OptionError("--nodes names no node; write host:port,host:port")
        values = MSET_KEYS if any(name == "mset" for name, _ in self.mix) else 1
        if self.pipeline * values * self.value_bytes > BATCH_BYTES_MAX:
            raise OptionError(
                f"--pipeline times --value-bytes make batches over {BATCH_BYTES_MAX >> 20} MiB; lower one"
            )
        if self.verify and self.value_bytes < STAMP_BYTES:
            raise OptionError(f"--verify stamps each value: --value-bytes must be {STAMP_BYTES} or more")
        if self.verify and self.keys < self.connections:
            raise OptionError(
                "--verify gives each connection its own keys: --keys must be --connections or more"
            )


def find_password(given: str | None, file: str | None) -> bytes | None:
    """The password for AUTH, if there is one; warns if the way it was given is unsafe. Raises OptionError."""
    try:
        found = passwords.for_client(given, file, os.environ)
    except ValueError as error:
        raise OptionError(str(error)) from error
    if found.warning:
        sys.stderr.write(f"trikv: {found.warning}\n")
    return found.password


def _within(name: str, value: float | None, low: float, high: float) -> None:
    # Written so that it also refuses a NaN, which compares false with everything.
    if value is not None and not low <= value <= high:
        raise OptionError(f"{name} must be from {low:,} to {high:,}, not {value}")


def parse_address(text: str) -> Address:
    """Read ``host:port``, ``[v6]:port``, ``:port``, ``port`` (host 127.0.0.1) or a path with a ``/`` in it.

    Raises OptionError.
    """
    where = text.strip()
    if "/" in where:
        return Address(where, 0)
    host, _, port = where.rpartition(":")
    try:
        return Address(*notation.parse_address(f"{host or '127.0.0.1'}:{port}"))
    except ValueError as error:
        raise OptionError(
            f"--nodes: {where!r} is not host:port, nor the path of a Unix socket: {error}"
        ) from error


def parse_nodes(text: str | None) -> tuple[Address, ...]:
    """Read a comma-separated list of nodes; None means the three default ports of `run_cluster.sh`."""
    if text is None:
        return tuple(Address("127.0.0.1", PORT_DEFAULT + n) for n in range(NODES_DEFAULT))
    # dict.fromkeys, because a node named twice would count twice for a majority.
    return tuple(dict.fromkeys(parse_address(part) for part in text.split(",") if part.strip()))


def parse_mix(text: str) -> tuple[tuple[str, float], ...]:
    """Read ``set=1,get=9`` (``set`` alone weighs 1) into (command, weight) pairs. Raises OptionError."""
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, _, weight_text = part.strip().lower().partition("=")
        if name not in COMMANDS:
            raise OptionError(f"--mix: no command {name!r}; there are {', '.join(COMMANDS)}")
        try:
            weight = float(weight_text or 1)
        except ValueError:
            weight = -1.0
        if not 0 <= weight <= 1e9 or name in weights:
            raise OptionError(f"--mix: {part.strip()!r} must give a command one weight, as in set=1,get=9")
        weights[name] = weight
    if not any(weights.values()):
        raise OptionError("--mix: every weight is zero")
    return tuple(weights.items())
