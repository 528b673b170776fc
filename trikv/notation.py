"""How settings are read and figures written: integers in a range, sizes in Redis' units, hosts, peers, paths.

`trikv.config` says which settings there are; this module says only what text means. A reader here does not
know which source the text came from, so its errors are half a sentence that the caller completes.
"""

import ipaddress
import os
import re
import sys
from collections.abc import Mapping
from typing import Final

from trikv.addresses import join_address, split_address
from trikv.size_notation import UNITS, split_size
from trikv.size_notation import counted as counted  # noqa: PLC0414 - told here, too

NODE_ID_MAX: Final = 65535
HOSTS_MAX: Final = 16
"""Redis' limit for ``bind``. Each host costs two descriptors."""
EVERY_ADDRESS: Final = ("0.0.0.0", "::")
"""Hosts that one can bind, but not dial."""
SOCKET_PATH_BYTES_MAX: Final = 107 if sys.platform == "linux" else 103
"""The bytes that fit ``sun_path`` with the zero behind them."""
_DIGITS_MAX: Final = 40
"""More digits than any limit has. Python itself refuses thousands of them, with an error of its own."""
_SHOWN_MAX: Final = 160
_MODE: Final = re.compile(r"0*[0-7]{3}")
_NAME_MAX: Final = 253
"""Longest name of a host; each of its parts has at most 63 characters (RFC 1035)."""
_LABEL: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")


def parse_bytes(text: str) -> int:
    """Read a size such as ``256mb``, ``1g`` or ``4096``; upper or lower case. Raises ValueError."""
    found = split_size(text.strip().encode("utf-8", "replace"))
    if found is None:
        raise ValueError(
            f"{shorten(text)} is not a size; write a number with b, k, kb, m, mb, g or gb, as in 256mb"
        )
    digits, factor = found
    return _whole(digits.decode()) * factor


def format_bytes(count: int) -> str:
    """Write `count` in the largest unit that holds it exactly: 268435456 is ``256mb``."""
    for unit in (b"gb", b"mb", b"kb"):
        if count and count % UNITS[unit] == 0:
            return f"{count // UNITS[unit]}{unit.decode()}"
    return str(count)


def parse_integer(text: str) -> int:
    """Read a whole number in ASCII digits, which may be negative. Raises ValueError."""
    sign, digits = (-1, text.strip()[1:]) if text.strip().startswith("-") else (1, text.strip())
    if not digits.isascii() or not digits.isdigit():
        raise ValueError(f"{shorten(text)} is not a whole number")
    return sign * _whole(digits)


def _whole(digits: str) -> int:
    """Read digits. Raises ValueError for too many, and for a zero in front, which may mean octal."""
    if len(digits) > 1 and digits.startswith("0"):
        raise ValueError(
            f"{shorten(digits)} begins with a zero; write {shorten(digits.lstrip('0') or '0', '')}"
        )
    if len(digits) > _DIGITS_MAX:
        raise ValueError(f"a number of {len(digits)} digits is too large")
    return int(digits)


def shorten(value: object, quote: str = "'") -> str:
    """Write a given value in an error: in quotes if it is text, and shortened to fit a line."""
    text = repr(value) if quote else str(value)
    return (
        text
        if len(text) <= _SHOWN_MAX
        else f"{text[:_SHOWN_MAX]}...{quote if isinstance(value, str) else ''}"
    )


def parse_host(text: str) -> str:
    """Read a name, or an IPv4 or IPv6 address (with or without brackets). Raises ValueError.

    Every spelling of an IPv6 address becomes the usual one.
    """
    host = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    labels = host.removesuffix(".").split(".")
    if len(host) <= _NAME_MAX and all(map(_LABEL.fullmatch, labels)) and not labels[-1].isdigit():
        return host
    raise ValueError(f"{shorten(text)} is no host; write a name, or an address such as 127.0.0.1 or ::1")


def parse_hosts(text: str) -> tuple[str, ...]:
    """Read hosts with spaces or commas between; ``*`` stands for every IPv4 address. Raises ValueError."""
    hosts = [
        parse_host({"*": "0.0.0.0", "::*": "::"}.get(part, part)) for part in text.replace(",", " ").split()
    ]
    if not hosts:
        raise ValueError("names no host; write one or more, as in 127.0.0.1 ::1")
    if len(hosts) > HOSTS_MAX:
        raise ValueError(f"names {len(hosts)} hosts; at most {HOSTS_MAX} can be bound")
    for host in hosts:
        if hosts.count(host) > 1:
            raise ValueError(f"names {host} twice")
    return tuple(hosts)


def parse_address(text: str) -> tuple[str, int]:
    """Read ``host:port`` to dial, with brackets around an IPv6 host. Raises ValueError."""
    host, port = split_address(text.strip(), port_min=1)
    return parse_host(host), port


def parse_peers(text: str) -> Mapping[int, str]:
    """Read ``1=host:peerport,2=host:peerport``; empty is no peers. Raises ValueError."""
    peers: dict[int, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, address = part.partition("=")
        if not equals:
            raise ValueError(f"{shorten(part)} is no peer; write id=host:peerport, as in 2=127.0.0.1:18081")
        node_id = parse_integer(name)
        if not 1 <= node_id <= NODE_ID_MAX:
            raise ValueError(f"{shorten(part)} names a node whose id is not between 1 and {NODE_ID_MAX}")
        if node_id in peers:
            raise ValueError(f"node {node_id} is named twice")
        peers[node_id] = join_address(*parse_address(address))
    return dict(sorted(peers.items()))


def format_peers(peers: Mapping[int, str]) -> str:
    """Write peers as ``1=host:peerport,2=host:peerport``, which `parse_peers` reads."""
    return ",".join(f"{node_id}={address}" for node_id, address in peers.items())


def parse_path(text: str) -> str:
    """Read a path, or nothing. Raises ValueError for control characters: a log line could not show it."""
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise ValueError(f"{shorten(text)} holds control characters; give another path")
    return text


def parse_directory(text: str) -> str:
    """Read a path. An empty one, which would mean the working directory, is refused. Raises ValueError."""
    if not text.strip():
        raise ValueError("the path is empty; write . for the working directory")
    return parse_path(text)


def parse_socket_path(text: str) -> str:
    """Read the path of a Unix socket, or nothing. Raises ValueError, also for a path that is too long."""
    if len(os.fsencode(text)) > SOCKET_PATH_BYTES_MAX:
        raise ValueError(
            f"{shorten(text)} is longer than the {SOCKET_PATH_BYTES_MAX} bytes that a socket may have"
        )
    if text.endswith("/"):
        raise ValueError(f"{shorten(text)} is a directory; give the path of the socket itself")
    return parse_path(text)


def parse_mode(text: str) -> str:
    """Read a file's mode, as in 0770; the same with four digits. Raises ValueError."""
    digits = text.strip().removeprefix("0o")
    if not _MODE.fullmatch(digits):
        raise ValueError(f"{shorten(text)} is no mode of a file; write three octal digits, as in 0770")
    return f"{int(digits, 8):04o}"
