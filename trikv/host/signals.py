"""Stop signals as something to await, for the command line."""

import signal
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import trio

SignalHandler: TypeAlias = Callable[[signal.Signals], Awaitable[None]]


async def watch_stop_signals(
    handler: SignalHandler, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Await `handler` for each SIGTERM or SIGINT, in order, until cancelled.

    While this runs the signals do nothing else: no KeyboardInterrupt. Start it by ``nursery.start`` so that
    none is missed.
    """
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as received:
        task_status.started()
        async for number in received:
            await handler(signal.Signals(number))
