"""Stop signals as something to await, for the command line."""

import signal
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import trio

from trikv import interrupts

SignalHandler: TypeAlias = Callable[[signal.Signals], Awaitable[None]]


async def watch_stop_signals(
    handler: SignalHandler, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Await `handler` for each SIGTERM, SIGINT or SIGHUP, in order, until cancelled.

    While this runs the signals do nothing else: no KeyboardInterrupt. Start it by ``nursery.start`` so that
    none is missed. A SIGHUP behind another request is dropped: a terminal that closes sends two (the shell's
    and the kernel's), and the second request would mean haste.
    """
    numbers = heeded(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    if not numbers:
        task_status.started()
        await trio.sleep_forever()
    asked = False
    with trio.open_signal_receiver(*numbers) as received:
        interrupts.taken_over()
        task_status.started()
        async for number in received:
            if not (asked and number == signal.SIGHUP):
                asked = True
                await handler(signal.Signals(number))


def heeded(*numbers: signal.Signals) -> list[signal.Signals]:
    """Those of `numbers` that whoever started this process did not have ignored.

    ``nohup`` ignores SIGHUP, a shell without job control SIGINT for what it starts by ``&``: what is ignored
    at the start stays ignored.
    """
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
