"""Ranges of sorted sets: by rank, by score and by name; what is answered, counted, kept and removed."""

from tests.machine.dialogue import check, text
from tests.machine.driving import Driver
from trikv.machine.replies import Streamed


def test_ranks() -> None:
    """From 0 on, or from the end on below 0; in either order."""
    check("""
        ZADD z 1 a 2 b 3 c 4 d -> 4
        ZRANGE z 0 -1 -> [a b c d]
        ZRANGE z 1 2 WITHSCORES -> [b=2.0 c=3.0]
        ZRANGE z -99 0 REV -> [d]
        ZRANGE z 0 1 rev withscores -> [d=4.0 c=3.0]
        ZREVRANGE z 0 1 -> [d c]
        ZREVRANGE z -1 -1 WITHSCORES -> [a=1.0]
        ZRANGE z 3 1 -> []
        ZRANGE z 9 12 -> []
        ZREVRANGE z 2 1 -> []
        ZRANGE absent 0 -1 -> []
        ZRANGE z x 1 -> ERR value is not an integer or out of range
        ZRANGE z 0 1 LIMIT 0 1 -> ERR syntax error, LIMIT is only supported in combination...
        ZRANGE z 0 1 LIMIT 0 -1 -> [a b]
        ZREVRANGE z 0 1 LIMIT 0 1 -> ERR syntax error, LIMIT is only supported in combination...
        ZRANGE z 0 1 REV REV -> ERR syntax error
        ZRANGE z 0 1 foo -> ERR syntax error
        ZRANGE z 0 1 LIMIT 1 -> ERR syntax error
        ZREVRANGE z 0 1 REV -> ERR syntax error
    """)


def test_scores() -> None:
    """Both ends included unless a parenthesis says otherwise; a part of what is found by LIMIT."""
    check("""
        ZADD z 1 a 2 b 3 c 4 d inf e -> 5
        ZRANGEBYSCORE z 2 3 -> [b c]
        ZRANGEBYSCORE z (2 (4 WITHSCORES -> [c=3.0]
        ZRANGEBYSCORE z -inf +inf LIMIT 1 2 -> [b c]
        ZRANGEBYSCORE z -inf +inf LIMIT 3 -1 -> [d e]
        ZRANGEBYSCORE z -inf +inf LIMIT -1 2 -> []
        ZRANGEBYSCORE z -inf +inf LIMIT 9 2 -> []
        ZRANGEBYSCORE z . 1e999 -> [a b c d e]
        ZREVRANGEBYSCORE z 3 (1 -> [c b]
        ZREVRANGEBYSCORE z +inf -inf LIMIT 1 2 WITHSCORES -> [d=4.0 c=3.0]
        ZRANGE z 2 3 BYSCORE -> [b c]
        ZRANGE z 3 2 BYSCORE REV LIMIT 0 1 -> [c]
        ZRANGE z 3 2 BYSCORE -> []
        ZRANGEBYSCORE z x 1 -> ERR min or max is not a float
        ZRANGEBYSCORE z 0 (nan -> ERR min or max is not a float
        ZRANGEBYSCORE z 0 1 LIMIT x 1 -> ERR value is not an integer or out of range
        ZRANGEBYSCORE z 0 1 LIMIT 1 -> ERR syntax error
        ZRANGEBYSCORE z 0 1 BYSCORE -> ERR syntax error
        ZCOUNT z 2 (4 -> 2
        ZCOUNT z 4 2 -> 0
        ZCOUNT z x 1 -> ERR min or max is not a float
        ZCOUNT absent 0 1 -> 0
    """)


def test_names() -> None:
    """Of members that have one score: a bracket includes, a parenthesis does not."""
    check("""
        ZADD z 0 a 0 b 0 c 0 d -> 4
        ZRANGEBYLEX z - + -> [a b c d]
        ZRANGEBYLEX z [b (d -> [b c]
        ZRANGEBYLEX z (b + LIMIT 1 1 -> [d]
        ZRANGEBYLEX z + - -> []
        ZREVRANGEBYLEX z [c - -> [c b a]
        ZRANGE z [b [c BYLEX -> [b c]
        ZRANGE z [c [b BYLEX REV -> [c b]
        ZRANGEBYLEX z b [c -> ERR min or max not valid string range item
        ZRANGEBYLEX z - x -> ERR min or max not valid string range item
        ZRANGE z - + BYLEX WITHSCORES -> ERR syntax error, WITHSCORES not supported in combination with BYLEX
        ZRANGE z - + BYLEX BYSCORE -> ERR syntax error
        ZREVRANGEBYLEX z + - WITHSCORES -> ERR syntax error, WITHSCORES not supported in...
        ZLEXCOUNT z - + -> 4
        ZLEXCOUNT z (a [c -> 2
        ZLEXCOUNT z [c (a -> 0
        ZLEXCOUNT z a b -> ERR min or max not valid string range item
        ZLEXCOUNT absent - + -> 0
    """)


def test_ranges_are_kept() -> None:
    """Under another key or the same; nothing is kept of nothing."""
    check("""
        ZADD z 1 a 2 b 3 c 4 d -> 4
        ZRANGESTORE r z 1 2 -> 2
        ZRANGE r 0 -1 WITHSCORES -> [b=2.0 c=3.0]
        ZRANGESTORE r z (1 +inf BYSCORE LIMIT 1 5 -> 2
        ZRANGESTORE r z 0 0 REV -> 1
        ZRANGE r 0 -1 WITHSCORES -> [d=4.0]
        ZRANGESTORE r r 5 9 -> 0
        EXISTS r -> 0
        SET r text -> OK
        ZRANGESTORE r absent 0 -1 -> 0
        EXISTS r -> 0
        ZRANGESTORE r z 0 1 WITHSCORES -> ERR syntax error
        ZRANGESTORE r z x 1 -> ERR value is not an integer or out of range
        ZRANGESTORE z z 1 1 -> 1
        ZCARD z -> 1
    """)


def test_ranges_are_removed() -> None:
    """Some, none, or all, with which the sorted set goes."""
    check("""
        ZADD z 1 a 2 b 3 c 4 d 5 e 6 f -> 6
        ZREMRANGEBYRANK z 0 0 -> 1
        ZREMRANGEBYRANK z 9 12 -> 0
        ZREMRANGEBYSCORE z (2 4 -> 2
        ZREMRANGEBYSCORE z 9 8 -> 0
        ZRANGE z 0 -1 -> [b e f]
        ZREMRANGEBYRANK z x 1 -> ERR value is not an integer or out of range
        ZREMRANGEBYSCORE z x 1 -> ERR min or max is not a float
        ZREMRANGEBYLEX z x + -> ERR min or max not valid string range item
        ZREMRANGEBYRANK absent 0 1 -> 0
        ZREMRANGEBYRANK z 0 -1 -> 3
        EXISTS z -> 0
        ZADD z 0 a 0 b 0 c -> 3
        ZREMRANGEBYLEX z (a [b -> 1
        ZREMRANGEBYLEX z - + -> 2
        EXISTS z -> 0
    """)


def test_long_ranges() -> None:
    """They are streams outside of transactions, stored in slices, and the same from either end."""
    driver = Driver()
    for at in range(0, 3_000, 500):
        driver.one("ZADD z " + " ".join(f"{number} m{number}" for number in range(at, at + 500)))
    for line in ("ZRANGE z 0 -1 WITHSCORES", "ZREVRANGE z 0 -1", "ZRANGEBYSCORE z (499 inf"):
        reply = driver.read(line)
        assert isinstance(reply, Streamed)
        assert text(reply) == f"{2_500 if 'SCORE z' in line else 3_000} rows"
    inside = driver.execute("ZREVRANGE z 0 -1")
    assert inside == [[b"m%d" % number for number in range(2_999, -1, -1)]]
    assert driver.one("ZRANGESTORE r z 500 -1") == 2_500
    assert driver.run("ZRANK r m600", "ZSCORE r m499", "ZCOUNT r 1000 1999") == [100, None, 1_000]
