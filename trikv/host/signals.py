"""Stop signals as something to await, for the command line."""

import math
import signal
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import trio

from trikv import interrupts

SignalHandler: TypeAlias = Callable[[signal.Signals], Awaitable[None]]

ECHO_S: Final = 0.5
"""A signal this soon after the first is an echo of it. It is not the second request, which costs the dump.

`timeout` and other tools signal a process and then its whole group. The two come milliseconds apart, or a few
hundred milliseconds on a busy machine. A person who wants haste has first seen that the stop takes long.
"""


async def watch_stop_signals(
    handler: SignalHandler, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Await `handler` for each SIGTERM, SIGINT or SIGHUP that is a request, in order, until cancelled.

    While this runs the signals do nothing else: no KeyboardInterrupt. Start it by ``nursery.start`` so that
    none is missed. Two kinds of signals are dropped, because a second request means haste: those that come
    within `ECHO_S` of the first, and any SIGHUP behind another signal.
    """
    numbers = heeded(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    if not numbers:
        task_status.started()
        await trio.sleep_forever()
    first_s = -math.inf
    with trio.open_signal_receiver(*numbers) as received:
        interrupts.taken_over()
        task_status.started()
        async for number in received:
            now_s = trio.current_time()
            if first_s == -math.inf:
                first_s = now_s
            elif number == signal.SIGHUP or now_s - first_s < ECHO_S:
                continue  # a terminal that closes sends two SIGHUPs, the shell's and the kernel's
            await handler(signal.Signals(number))


def heeded(*numbers: signal.Signals) -> list[signal.Signals]:
    """Those of `numbers` that this process did not ignore from its start.

    ``nohup`` ignores SIGHUP. A shell without job control ignores SIGINT for the processes that it starts by
    ``&``. A signal that is ignored at the start stays ignored.
    """
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
