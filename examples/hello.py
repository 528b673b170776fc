# ruff: noqa: INP001, T201 - an example is no package, and it prints
"""Write and read a trikv cluster with nothing but the standard library; any Redis client does the same.

usage: python examples/hello.py [PORT]     (8080 if not given; after ./run_cluster.sh)
"""

import io
import os
import socket
import sys


def command(stream: io.BufferedRWPair, *words: str) -> str:
    """Send one command, return its reply as text."""
    encoded = [os.fsencode(word) for word in words]
    stream.write(b"*%d\r\n" % len(encoded))
    stream.writelines(b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded)
    stream.flush()
    head = stream.readline().rstrip().decode()
    kind, rest = head[:1], head[1:]
    if kind == "-" or not head:
        raise SystemExit(f"hello.py: the node refused: {rest or 'it closed the connection'}")
    if kind != "$":
        return rest
    return "(nil)" if rest == "-1" else stream.read(int(rest) + 2)[:-2].decode()


def main() -> None:
    """Greet, count, read back."""
    port, *more = sys.argv[1:] or ["8080"]
    if port in ("-h", "--help"):
        raise SystemExit(print(__doc__))
    if more or not port.isdecimal() or not 1 <= int(port) <= 65535:
        print(f"hello.py: {' '.join(sys.argv[1:])!r} is no port; see --help", file=sys.stderr)
        sys.exit(2)
    try:
        with socket.create_connection(("127.0.0.1", int(port)), timeout=15) as connection:
            stream = connection.makefile("rwb")
            if "TRIKV_REQUIREPASS" in os.environ:
                command(stream, "AUTH", os.environ["TRIKV_REQUIREPASS"])
            print("SET greeting:", command(stream, "SET", "greeting", "hello, world"))
            print("INCR visits: ", command(stream, "INCR", "visits"))
            print("GET greeting:", command(stream, "GET", "greeting"))
    except OSError as error:
        sys.exit(f"hello.py: 127.0.0.1:{port}: {error.strerror or error}; is a node running there?")


if __name__ == "__main__":
    main()
