"""The options of a torture, checked once at the beginning."""

from pathlib import Path
from typing import Final
from urllib.parse import unquote_to_bytes, urlsplit

import attrs

from trikv.bench.options import OptionError
from trikv.client.endpoint import Address
from trikv.system_text import check_host, to_bytes

NODES: Final = 3
SECONDS_MAX: Final = 600.0
"""The whole history is kept in memory and searched at the end: about 400 MB after ten minutes."""
CLIENTS_MAX: Final = 200
PORTS: Final = range(18200, 18299, NODES)
"""The range to search for free ports: below Linux's ephemeral ports, including peer ports (+10000)."""
PORT_MAX: Final = 55_533
"""The highest first port: three client ports and three peer ports, 10000 above, must fit."""


@attrs.frozen
class Target:
    """A server that another person runs."""

    address: Address
    password: bytes | None = None


@attrs.frozen
class Options:
    """The options of a torture. Raises OptionError, with one line of text, if they are invalid."""

    seconds: float = 60.0
    """How long each system is tortured; recovery and checks come after that."""
    target: Target | None = None
    against_redis: bool | None = None
    """None: if ``redis-server`` is installed."""
    redis_server: str | None = None
    """The path of ``redis-server``, if it is installed."""
    data_directory: Path | None = None
    """The nodes' directory; None: a temporary one, removed after a clean verdict."""
    port: int | None = None
    """The first client port; None: the first free one."""
    clients: int = 16
    seed: int = 1
    report: Path | None = None
    """The file for a JSON report."""

    def __attrs_post_init__(self) -> None:
        """Refuse options that cannot be run, in one line."""
        _within("--seconds", self.seconds, 1, SECONDS_MAX)
        _within("--clients", self.clients, 1, CLIENTS_MAX)
        _within("--port", self.port, 1, PORT_MAX)
        if self.target is not None:
            for name, given in (
                ("--against-redis", self.against_redis),
                ("--data-directory", self.data_directory),
                ("--port", self.port),
            ):
                if given:
                    raise OptionError(f"{name} does not go with --target, which starts no nodes")
        if self.against_redis and self.redis_server is None:
            raise OptionError("--against-redis: redis-server is not installed")
        if self.report is not None and not self.report.parent.is_dir():
            raise OptionError(f"--report: there is no directory {self.report.parent}")
        if self.data_directory is not None:
            _empty(self.data_directory)


def _within(name: str, value: float | None, low: float, high: float) -> None:
    # Written so that it also refuses a NaN, which compares false with everything.
    if value is not None and not low <= value <= high:
        raise OptionError(f"{name} must be from {low:,} to {high:,}, not {value}")


def _empty(directory: Path) -> None:
    try:
        first = next(directory.iterdir(), None)
    except FileNotFoundError:
        return
    except OSError as error:
        raise OptionError(f"--data-directory: {directory}: {error.strerror}") from error
    if first is not None:
        raise OptionError(f"--data-directory: {directory} is not empty; nodes of a torture need blank disks")


def parse_target(text: str) -> Target:
    """Read ``redis://[:password@]host:port``. Raises OptionError."""
    url = urlsplit(text)
    try:
        port = url.port
    except ValueError:
        port = None
    if url.scheme != "redis" or not url.hostname or not port or url.path.strip("/") or url.query:
        raise OptionError(f"--target: {text!r} is not redis://host:port, or redis://:password@host:port")
    try:
        check_host(url.hostname)
    except ValueError as error:
        raise OptionError(f"--target: {error}") from error
    password = unquote_to_bytes(to_bytes(url.password)) if url.password else None
    return Target(Address(url.hostname, port), password)
