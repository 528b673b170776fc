"""How settings are read: integers in a range, bytes in Redis' units, addresses, peers.

Apart from `trikv.config`, which says what settings there are, because these say only what text means; a
reader here never knows where the text came from, so its errors are half a sentence that the caller ends.
"""

from collections.abc import Mapping
from typing import Final

_UNITS: Final = {
    "": 1,
    "b": 1,
    "k": 1000,
    "kb": 1024,
    "m": 1000**2,
    "mb": 1024**2,
    "g": 1000**3,
    "gb": 1024**3,
}
"""Redis' (redis.conf, "Note on units"): with a ``b`` powers of 1024, without it powers of 1000."""

_DIGITS_MAX: Final = 30
"""More than any setting takes; Python refuses to read thousands of them, in words that help nobody here."""

NODE_ID_MAX: Final = 65535
PORT_MAX: Final = 65535


def parse_bytes(text: str) -> int:
    """Read a size such as ``256mb``, ``1g`` or ``4096``; upper or lower case. Raises ValueError."""
    digits = text.strip().lower()
    unit = digits.lstrip("0123456789")
    number = digits.removesuffix(unit) if unit else digits
    if unit not in _UNITS or not number.isascii() or not number.isdigit():
        raise ValueError(f"{text!r} is not a size; write a number with b, k, kb, m, mb, g or gb, as in 256mb")
    return _read(number) * _UNITS[unit]


def format_bytes(count: int) -> str:
    """Write `count` in the largest unit that holds it exactly: 268435456 is ``256mb``."""
    for unit in ("gb", "mb", "kb"):
        if count and count % _UNITS[unit] == 0:
            return f"{count // _UNITS[unit]}{unit}"
    return str(count)


def parse_integer(text: str) -> int:
    """Read a whole number. Raises ValueError."""
    sign, digits = (-1, text.strip()[1:]) if text.strip().startswith("-") else (1, text.strip())
    if not digits.isascii() or not digits.isdigit():
        raise ValueError(f"{text!r} is not a whole number")
    return sign * _read(digits)


def _read(digits: str) -> int:
    if len(digits) > _DIGITS_MAX:
        raise ValueError(f"a number of {len(digits)} digits is too large; write one of at most {_DIGITS_MAX}")
    return int(digits)


def split_address(text: str) -> tuple[str, int]:
    """Read ``host:port``, with brackets around an IPv6 host. Raises ValueError."""
    host, colon, port = text.strip().rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{text!r} is no address; write an IPv6 host in brackets, as in [::1]:8080")
    if not colon or not host or any(character.isspace() for character in host):
        raise ValueError(f"{text!r} is no address; write host:port, as in 127.0.0.1:18080")
    number = parse_integer(port)
    if not 1 <= number <= PORT_MAX:
        raise ValueError(f"{text!r} has a port that is not between 1 and {PORT_MAX}")
    return host, number


def join_address(host: str, port: int) -> str:
    """Write ``host:port``, with brackets around an IPv6 host."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_peers(text: str) -> Mapping[int, str]:
    """Read ``1=host:peerport,2=host:peerport``; empty is no peers. Raises ValueError."""
    peers: dict[int, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, address = part.partition("=")
        if not equals:
            raise ValueError(f"{part!r} is no peer; write id=host:peerport, as in 2=127.0.0.1:18081")
        node_id = parse_integer(name)
        if not 1 <= node_id <= NODE_ID_MAX:
            raise ValueError(f"{part!r} names a node whose id is not between 1 and {NODE_ID_MAX}")
        if node_id in peers:
            raise ValueError(f"node {node_id} is named twice")
        peers[node_id] = join_address(*split_address(address))
    return dict(sorted(peers.items()))


def format_peers(peers: Mapping[int, str]) -> str:
    """Write what `parse_peers` reads."""
    return ",".join(f"{node_id}={address}" for node_id, address in peers.items())
