"""Counters that others own, their reset, and the rates that follow from them."""

from trikv.front.counters import SAMPLES_MAX, Counters


def test_a_reset_remembers_where_the_counters_stood() -> None:
    """Their owners only ever add; who follows none yet counts 0."""
    counters = Counters()
    bytes_sent = [100]
    assert counters.count("sent_bytes") == 0
    counters.follow("sent_bytes", lambda: bytes_sent[0])
    assert counters.count("sent_bytes") == 100
    counters.tally.answered("PING", b"PONG")
    assert counters.count("commands") == 1
    counters.reset()
    assert (counters.count("sent_bytes"), counters.count("commands")) == (0, 0)
    bytes_sent[0] += 7
    assert counters.count("sent_bytes") == 7


def test_rates_are_of_the_last_moments() -> None:
    """Between one and two windows of samples; 0 before the first, and after a reset."""
    counters = Counters()
    total = [0]
    counters.follow("received_bytes", lambda: total[0])
    assert counters.rate("received_bytes", 1000) == 0
    for second in range(1, 11):
        counters.sample(second * 1000)
        assert counters.rate("received_bytes", second * 1000) == (500 if second > 1 else 0)
        total[0] += 500
    assert 500 <= counters.rate("received_bytes", 10_500) <= 700
    assert counters.rate("received_bytes", 60_000) == 0
    counters.reset()
    assert counters.rate("received_bytes", 10_500) == 0


def test_samples_are_bounded() -> None:
    """However often somebody samples."""
    counters = Counters()
    for now_ms in range(10_000):
        counters.sample(now_ms)
    assert len(counters._samples) <= SAMPLES_MAX
    assert counters.rate("commands", 10_000) == 0
