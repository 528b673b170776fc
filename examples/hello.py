# ruff: noqa: INP001, T201 - an example is no package, and it prints
"""Write and read a trikv cluster with nothing but the standard library; any Redis client does the same.

usage: python examples/hello.py [PORT]   (8080; a password: TRIKV_REQUIREPASS_FILE or TRIKV_REQUIREPASS)
"""

import io
import os
import socket
import sys
from pathlib import Path


def command(stream: io.BufferedRWPair, *words: str | bytes) -> str:
    """Send one command, return its reply as text."""
    encoded = (b"$%d\r\n%b\r\n" % (len(word), word) for word in map(os.fsencode, words))
    stream.write(b"*%d\r\n%b" % (len(words), b"".join(encoded)))
    stream.flush()
    head = stream.readline().rstrip().decode()
    if head[:1] in ("-", ""):
        raise SystemExit(f"hello.py: the node refused: {head[1:] or 'it closed the connection'}")
    if head[0] != "$":
        return head[1:]
    return "(nil)" if head == "$-1" else stream.read(int(head[1:]) + 2)[:-2].decode()


def main() -> None:
    """Greet, count, read back."""
    port, *more = sys.argv[1:] or ["8080"]
    if port in ("-h", "--help"):
        raise SystemExit(print(__doc__))
    if more or not port.isdecimal() or not 1 <= int(port) <= 65535:
        sys.exit(print(f"hello.py: {' '.join(sys.argv[1:])!r} is no port; see --help", file=sys.stderr) or 2)
    try:
        file = os.environ.get("TRIKV_REQUIREPASS_FILE")
        password = Path(file).read_bytes().rstrip(b"\r\n") if file else os.environb.get(b"TRIKV_REQUIREPASS")
        with socket.create_connection(("127.0.0.1", int(port)), 15) as node, node.makefile("rwb") as stream:
            if password:
                command(stream, "AUTH", password)
            print("SET greeting:", command(stream, "SET", "greeting", "hello, world"))
            print("INCR visits: ", command(stream, "INCR", "visits"))
            print("GET greeting:", command(stream, "GET", "greeting"))
    except OSError as why:
        text = f"127.0.0.1:{port}: {why.strerror or why}; is a node running there?"
        sys.exit(f"hello.py: {why if why.filename else text}")


if __name__ == "__main__":
    main()
