"""A server in the test's own loop that keeps what it promises, or does not: for checks of the checks."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import hiredis  # noqa: TID251 - a server's side: requests are read here
import trio

from trikv.sim.checkers.model import Model

Args = Sequence[bytes]
LIE_EACH: Final = 7
"""One answer in so many is a lie, where lies are told."""


class Liar:
    """Serves the commands of the load. `lie`, if any, takes the place of every so-many-th write."""

    def __init__(self, lie: "Callable[[Liar, Args], Any] | None" = None) -> None:
        self.model = Model()
        self._lie = lie
        self._count = 0

    async def serve(self, *, task_status: trio.TaskStatus[int]) -> None:
        """Serve until cancelled; the port is told."""
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")  # noqa: TID251
        task_status.started(listener.socket.getsockname()[1])
        await trio.serve_listeners(self._converse, [listener])

    async def _converse(self, stream: trio.SocketStream) -> None:
        reader = hiredis.Reader()
        queued: list[Args] | None = None
        try:
            async for data in stream:
                reader.feed(bytes(data))
                while (request := reader.gets()) is not False:
                    reply: Any
                    if request == [b"MULTI"]:
                        queued, reply = [], "+OK"
                    elif request == [b"EXEC"]:
                        reply, queued = [self._run(args) for args in queued or []], None
                    elif queued is not None:
                        queued.append(request)
                        reply = "+QUEUED"
                    else:
                        reply = self._run(request)
                    await stream.send_all(_encoded(reply))
        except trio.BrokenResourceError:
            pass

    def _run(self, args: Args) -> Any:
        if args[0] == b"DEL":
            return sum(self.model.run((b"DEL", key)) for key in args[1:])
        self._count += args[0] in (b"SET", b"INCR")
        if self._lie is not None and args[0] in (b"SET", b"INCR") and self._count % LIE_EACH == 0:
            return self._lie(self, args)
        return self.model.run(args)


def _encoded(reply: Any) -> bytes:
    if isinstance(reply, list):
        return b"*%d\r\n" % len(reply) + b"".join(map(_encoded, reply))
    if isinstance(reply, str):
        return f"{reply}\r\n".encode()
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    return b"$-1\r\n" if reply is None else b"$%d\r\n%b\r\n" % (len(reply), reply)


def forgets(liar: Liar, args: Args) -> Any:
    """Acknowledge, and do nothing."""
    return b"OK" if args[0] == b"SET" else int(liar.model.values.get(args[1], b"0")) + 1


def doubles(liar: Liar, args: Args) -> Any:
    """Do it twice."""
    liar.model.run(args)
    return liar.model.run(args)


def denies(liar: Liar, args: Args) -> Any:
    """Say that it was not done, and do it."""
    liar.model.run(args)
    return "-CLUSTERDOWN no leader was reached in time; the command was not executed, try again"


def stumbles(_liar: Liar, _args: Args) -> Any:
    """Answer with an error that nothing explains."""
    return "-ERR internal error"
