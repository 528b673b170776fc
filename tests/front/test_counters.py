"""Counters that others own, their reset, and the rates that follow from them."""

from trikv.front.statistics import SAMPLES_MAX, Statistics


def test_a_reset_remembers_where_the_counters_stood() -> None:
    """Their owners only ever add; who follows none yet counts 0."""
    statistics = Statistics()
    bytes_sent = [100]
    assert statistics.count("sent_bytes") == 0
    statistics.follow("sent_bytes", lambda: bytes_sent[0])
    assert statistics.count("sent_bytes") == 100
    statistics.tally.answered("PING", b"PONG")
    assert statistics.count("commands") == 1
    statistics.reset()
    assert (statistics.count("sent_bytes"), statistics.count("commands")) == (0, 0)
    bytes_sent[0] += 7
    assert statistics.count("sent_bytes") == 7


def test_rates_are_of_the_last_moments() -> None:
    """Between one and two windows of samples; 0 before the first, and after a reset."""
    statistics = Statistics()
    total = [0]
    statistics.follow("received_bytes", lambda: total[0])
    assert statistics.rate("received_bytes", 1000) == 0
    for second in range(1, 11):
        statistics.sample(second * 1000)
        assert statistics.rate("received_bytes", second * 1000) == (500 if second > 1 else 0)
        total[0] += 500
    assert 500 <= statistics.rate("received_bytes", 10_500) <= 700
    assert statistics.rate("received_bytes", 60_000) == 0
    statistics.reset()
    assert statistics.rate("received_bytes", 10_500) == 0


def test_samples_are_bounded() -> None:
    """However often somebody samples."""
    statistics = Statistics()
    for now_ms in range(10_000):
        statistics.sample(now_ms)
    assert len(statistics._samples) <= SAMPLES_MAX
    assert statistics.rate("commands", 10_000) == 0
