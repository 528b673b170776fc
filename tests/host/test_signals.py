"""Stop signals."""

import os
import signal

import trio

from trikv.host.signals import watch_stop_signals


async def test_signals_arrive_in_order() -> None:
    """SIGTERM and SIGINT reach the handler and do nothing else."""
    seen: list[signal.Signals] = []
    arrived = trio.Semaphore(0)

    async def handler(number: signal.Signals) -> None:
        seen.append(number)
        arrived.release()

    async with trio.open_nursery() as nursery:
        await nursery.start(lambda task_status: watch_stop_signals(handler, task_status=task_status))
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(os.getpid(), number)
            await arrived.acquire()
        nursery.cancel_scope.cancel()
    assert seen == [signal.SIGTERM, signal.SIGINT]
