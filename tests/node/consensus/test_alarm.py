"""One re-armed deadline: on time, nearer and farther, and silent otherwise."""

from collections.abc import Awaitable, Callable

import trio
from trio.testing import MockClock

from trikv.node.consensus.alarm import LENGTHEN_MS, Alarm


class Armed:
    """A alarm whose owner arms it anew an hour away at each wake-up."""

    def __init__(self) -> None:
        self.woken_ms: list[int] = []
        self.alarm = Alarm(self.clock, self._wake)

    @staticmethod
    def clock() -> int:
        return int(trio.current_time() * 1000)

    def _wake(self) -> None:
        self.woken_ms.append(self.clock())
        self.alarm.arm(self.clock() + 3_600_000)


def run(scenario: Callable[[Armed], Awaitable[None]]) -> list[int]:
    """Run a alarm beside `scenario` in virtual time; the moments at which it woke, but for the first."""
    armed = Armed()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(armed.alarm.run)
            await trio.sleep(0.1)
            await scenario(armed)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=MockClock(autojump_threshold=0))
    return [moment - armed.woken_ms[0] for moment in armed.woken_ms[1:]]


def test_wakes_when_due_and_not_again_until_armed() -> None:
    """Within a millisecond or two of the deadline; then silence."""

    async def scenario(armed: Armed) -> None:
        armed.alarm.arm(armed.clock() + 400)
        await trio.sleep(60)

    (woken,) = run(scenario)
    assert 499 <= woken <= 503


def test_deadline_that_comes_nearer_shortens_the_sleep() -> None:
    """The driver may learn of an earlier expiry while the alarm sleeps for a heartbeat."""

    async def scenario(armed: Armed) -> None:
        armed.alarm.arm(armed.clock() + 10_000)
        await trio.sleep(1)
        armed.alarm.arm(armed.clock() + 50)
        await trio.sleep(60)

    (woken,) = run(scenario)
    assert 1_149 <= woken <= 1_153


def test_deadline_that_moves_away_wakes_nobody_at_the_old_one() -> None:
    """An election timer re-armed by each heartbeat costs no wake-up of the driver."""

    async def scenario(armed: Armed) -> None:
        for _ in range(50):
            armed.alarm.arm(armed.clock() + 400)
            await trio.sleep(0.1)
        await trio.sleep(60)

    (woken,) = run(scenario)
    assert 5_399 <= woken <= 5_403


def test_a_short_deadline_that_is_taken_back_again_and_again_is_left_to_pass() -> None:
    """A busy follower has one for each batch; to set and to lengthen it costs more than a wake-up in vain."""

    async def scenario(armed: Armed) -> None:
        changes = 0
        armed.alarm.arm(armed.clock() + 400)
        await trio.sleep(0.001)
        for _ in range(100):
            for away_ms in (LENGTHEN_MS - 1, 400):
                before = armed.alarm._armed_for_ms
                armed.alarm.arm(armed.clock() + away_ms)
                changes += armed.alarm._armed_for_ms != before
            await trio.sleep(0.002)
        assert changes <= 2 + 200 // 20, "and not two for each"
        await trio.sleep(60)

    (woken,) = run(scenario)
    assert 690 <= woken <= 710


def test_deadline_already_past_wakes_at_once() -> None:
    """A turn that leaves work behind arms for now."""

    async def scenario(armed: Armed) -> None:
        await trio.sleep(0.5)
        armed.alarm.arm(armed.clock() - 10)
        await trio.sleep(60)

    (woken,) = run(scenario)
    assert 599 <= woken <= 602
