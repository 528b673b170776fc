"""``host:port`` and back: one spelling of an address in settings, logs and errors. IPv6 is in brackets."""

from typing import Final

PORT_MAX: Final = 65535
_SHOWN_MAX: Final = 160


def split_address(address: str, *, port_min: int = 0) -> tuple[str, int]:
    """Take ``host:port`` or ``[host]:port`` apart; 0 may stand for a port that the system chooses.

    Raises ValueError with one line that names the address and what is wrong with it.
    """
    wrong = f"{repr(address)[:_SHOWN_MAX]} is no address"
    host, colon, digits = address.rpartition(":")
    if not colon or host in ("", "[]") or any(character.isspace() for character in host):
        raise ValueError(f"{wrong}; write host:port, as in 127.0.0.1:18080")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{wrong}; write an IPv6 host in brackets, as in [::1]:8080")
    # isdecimal() alone would let digits of other scripts through; a zero in front may mean octal.
    is_number = digits.isascii() and digits.isdecimal() and len(digits) <= len(str(PORT_MAX))
    if not is_number or str(int(digits)) != digits or not port_min <= int(digits) <= PORT_MAX:
        raise ValueError(f"{wrong}; {digits[:20]!r} is not a whole number between {port_min} and {PORT_MAX}")
    return host, int(digits)


def join_address(host: str, port: int) -> str:
    """``host:port``, with brackets around an IPv6 host: what `split_address` takes apart."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
