"""A stand-in for ``trikv serve`` that the supervisor's tests start: it answers INFO, and dies as told.

``python fake_node.py PORT BEHAVIOUR``. BEHAVIOUR: ``leader`` and ``follower`` serve until SIGTERM, which is
noted on standard error; ``deaf`` ignores SIGTERM; ``broken`` ends at once with exit code 1 and last words.
``slow`` takes `STEPS` steps to stop, together longer than a supervisor's patience in these tests, and says at
each how far it is, as a node does that writes its dump; ``stuck`` says so once and stands still.
``early`` has not come so far as to take signals.
"""

import contextlib
import os
import signal
import socket
import sys
import threading
import time

STEPS = 12
STEP_S = 0.4


def main() -> None:
    """Behave."""
    port, behaviour = int(sys.argv[1]), sys.argv[2]
    if behaviour == "broken":
        sys.exit("trikv: cannot start: nothing works")
    received = 0

    def stop(number: int, _: object) -> None:
        nonlocal received
        received += 1
        os.write(2, f"signal {number}, {received}\n".encode())
        if received == 1 and behaviour in {"slow", "stuck"}:
            threading.Thread(target=write, args=(behaviour,), daemon=True).start()
        elif behaviour != "deaf":
            sys.exit(0)

    if behaviour != "early":
        signal.signal(signal.SIGTERM, stop)
    role = "leader" if behaviour == "leader" else "follower"
    fields = (f"process_id:{os.getpid()}", f"raft_role:{role}", "raft_current_term:3", "raft_leader_id:1")
    info = "\r\n".join(fields).encode()
    with socket.create_server(("127.0.0.1", port)) as listener:
        while True:
            connection, _ = listener.accept()
            reply = b"$%d\r\n%b\r\n" % (len(info), info)
            threading.Thread(target=answer, args=(connection, reply), daemon=True).start()


def write(behaviour: str) -> None:
    """Write a dump of a few keys, slowly."""
    for keys in range(1, STEPS + 1):
        figures = f"keys={keys} of={STEPS} bytes={keys}000000"
        os.write(2, f"2026-01-02T03:04:05.00000{keys}Z info    writing file=dump.json {figures}\n".encode())
        while behaviour == "stuck":
            time.sleep(1)
        time.sleep(STEP_S)
    os._exit(0)


def answer(connection: socket.socket, reply: bytes) -> None:
    """Answer every piece that comes until the peer closes."""
    with connection, contextlib.suppress(OSError):
        while connection.recv(4096):
            connection.sendall(reply)


if __name__ == "__main__":
    main()
