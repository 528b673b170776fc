"""Stop signals."""

import os
import signal

import pytest
import trio
import trio.testing

from trikv.host.signals import ECHO_S, heeded, watch_stop_signals


@pytest.mark.parametrize(
    "sent",
    [
        [signal.SIGTERM, signal.SIGINT],
        [signal.SIGHUP, signal.SIGTERM],
        [signal.SIGINT, signal.SIGINT],
    ],
)
async def test_signals_arrive_in_order(
    sent: list[signal.Signals], mock_clock: trio.testing.MockClock
) -> None:
    """SIGTERM, SIGINT and SIGHUP reach the handler and do nothing else."""
    seen: list[signal.Signals] = []
    arrived = trio.Semaphore(0)

    async def handler(number: signal.Signals) -> None:
        seen.append(number)
        arrived.release()

    async with trio.open_nursery() as nursery:
        await nursery.start(lambda task_status: watch_stop_signals(handler, task_status=task_status))
        for number in sent:
            os.kill(os.getpid(), number)
            await arrived.acquire()
            mock_clock.jump(ECHO_S)
        nursery.cancel_scope.cancel()
    assert seen == sent


@pytest.mark.parametrize("again", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_an_echo_is_no_second_request(
    again: signal.Signals, mock_clock: trio.testing.MockClock
) -> None:
    """Tools that signal a process and its group send two at once: only a later one counts as the second."""
    seen: list[tuple[signal.Signals, float]] = []
    arrived = trio.Semaphore(0)

    async def handler(number: signal.Signals) -> None:
        seen.append((number, trio.current_time() - began_s))
        arrived.release()

    async with trio.open_nursery() as nursery:
        await nursery.start(lambda task_status: watch_stop_signals(handler, task_status=task_status))
        mock_clock.jump(100)
        began_s = trio.current_time()
        os.kill(os.getpid(), signal.SIGTERM)
        await arrived.acquire()
        for pause_s in (0.0, 0.9 * ECHO_S, 0.1 * ECHO_S):
            mock_clock.jump(pause_s)
            os.kill(os.getpid(), again)
            await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    expected = [(signal.SIGTERM, 0.0), (again, pytest.approx(ECHO_S))]
    assert seen == (expected[:1] if again == signal.SIGHUP else expected)


async def test_a_terminal_that_closes_asks_once(mock_clock: trio.testing.MockClock) -> None:
    """The shell and the kernel each send a SIGHUP: the second is no request for haste."""
    seen: list[signal.Signals] = []
    arrived = trio.Semaphore(0)

    async def handler(number: signal.Signals) -> None:
        seen.append(number)
        arrived.release()

    async with trio.open_nursery() as nursery:
        await nursery.start(lambda task_status: watch_stop_signals(handler, task_status=task_status))
        os.kill(os.getpid(), signal.SIGHUP)
        await arrived.acquire()
        mock_clock.jump(ECHO_S)
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGTERM)
        await arrived.acquire()
        nursery.cancel_scope.cancel()
    assert seen == [signal.SIGHUP, signal.SIGTERM]


async def test_what_was_ignored_at_the_start_stays_ignored() -> None:
    """``nohup`` and a script's & ignore signals. With all of them ignored there is nothing to await."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}

    async def handler(number: signal.Signals) -> None:
        raise AssertionError(number)

    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        assert heeded(*numbers) == [signal.SIGTERM, signal.SIGINT]
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        async with trio.open_nursery() as nursery:
            await nursery.start(lambda task_status: watch_stop_signals(handler, task_status=task_status))
            for number in numbers:
                assert signal.getsignal(number) is signal.SIG_IGN
                os.kill(os.getpid(), number)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
    finally:
        for number, handling in before.items():
            signal.signal(number, handling)
