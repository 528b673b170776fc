"""``host:port`` and back: one spelling of an address in settings, logs and errors, IPv6 in brackets."""


def split_address(address: str) -> tuple[str, int]:
    """Take ``host:port`` or ``[host]:port`` apart.

    Raises ValueError with one line that names the address and what is wrong with it.
    """
    host, colon, digits = address.rpartition(":")
    if not colon or not host:
        raise ValueError(f"{address!r} is not an address: write host:port, or [host]:port for IPv6")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{address!r} is not an address: put the IPv6 host in brackets, [host]:port")
    if not host:
        raise ValueError(f"{address!r} is not an address: the host is empty")
    # isdecimal() alone would let digits of other scripts through.
    if not (digits.isascii() and digits.isdecimal() and int(digits) <= 65535):
        raise ValueError(f"{address!r} is not an address: the port must be a number from 0 to 65535")
    return host, int(digits)


def join_address(host: str, port: int) -> str:
    """The inverse of `split_address`."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
