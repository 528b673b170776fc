# ruff: noqa: INP001, T201 - an example is no package, and it prints
"""Write and read a trikv cluster with nothing but the standard library.

``python examples/hello.py [PORT]``, after ./run_cluster.sh; any Redis client does the same.
"""

import io
import socket
import sys


def command(stream: io.BufferedRWPair, *words: str) -> str:
    """Send one command, return its reply as text."""
    encoded = [word.encode() for word in words]
    stream.write(b"*%d\r\n" % len(encoded))
    stream.writelines(b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded)
    stream.flush()
    head = stream.readline().rstrip().decode()
    kind, rest = head[:1], head[1:]
    if kind == "-":
        raise SystemExit(f"the node refused: {rest}")
    if kind != "$":
        return rest
    return "(nil)" if rest == "-1" else stream.read(int(rest) + 2)[:-2].decode()


def main() -> None:
    """Greet, count, read back."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8080
    with socket.create_connection(("127.0.0.1", port), timeout=15) as connection:
        stream = connection.makefile("rwb")
        print("SET greeting:", command(stream, "SET", "greeting", "hello, world"))
        print("INCR visits: ", command(stream, "INCR", "visits"))
        print("GET greeting:", command(stream, "GET", "greeting"))


if __name__ == "__main__":
    main()
