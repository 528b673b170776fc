"""Sorted sets: members with scores, added, looked for, popped and removed."""

from tests.machine.dialogue import check
from tests.machine.driving import Driver


def test_options_of_zadd() -> None:
    """Only new ones, only old ones, only greater or less; what is counted; a sum instead of a count."""
    check("""
        ZADD z 1 a 2 b 3 a -> 2
        ZSCORE z a -> 3.0
        ZADD z CH 4 a 5 c -> 2
        ZADD z NX 9 a 9 d -> 1
        ZADD z XX 6 a 6 e -> 0
        ZADD z XX CH 7 a 7 e -> 1
        ZADD z GT CH 5 a 8 b -> 1
        ZADD z LT CH 9 a 1 b -> 1
        ZADD z GT XX CH 10 a 10 x -> 1
        ZADD z INCR 2.5 a -> 12.5
        ZADD z NX INCR 1 a -> nil
        ZADD z XX INCR 1 x -> nil
        ZADD z GT INCR -1 a -> nil
        ZADD z LT INCR -1 a -> 11.5
        ZADD z NX INCR 1 f -> 1.0
        ZRANGE z 0 -1 WITHSCORES -> [b=1.0 f=1.0 c=5.0 d=9.0 a=11.5]
        ZADD z NX XX 1 a -> ERR XX and NX options at the same time are not compatible
        ZADD z NX GT 1 a -> ERR GT, LT, and/or NX options at the same time are not compatible
        ZADD z GT LT 1 a -> ERR GT, LT, and/or NX options at the same time are not compatible
        ZADD z INCR 1 a 2 b -> ERR INCR option supports a single increment-element pair
        ZADD z XX CH -> ERR syntax error
        ZADD z 1 a 2 -> ERR syntax error
        ZADD z x a -> ERR value is not a valid float
        ZADD z 1 new x a -> ERR value is not a valid float
        ZSCORE z new -> nil
        ZADD absent XX 1 a -> 0
        EXISTS absent -> 0
    """)


def test_scores() -> None:
    """Doubles, infinities among them; what is no number is refused, and changes nothing."""
    check("""
        ZADD z inf a -inf b 0x10 c 1e2 d .5 e -0 f -> 6
        ZRANGE z 0 -1 WITHSCORES -> [b=-inf f=0.0 e=0.5 c=16.0 d=100.0 a=inf]
        ZADD z nan x -> ERR value is not a valid float
        ZADD z 1e309 x -> ERR value is not a valid float
        ZADD z 1e-400 x -> ERR value is not a valid float
        ZADD z . x -> ERR value is not a valid float
        ZINCRBY z 1 a -> inf
        ZINCRBY z -inf a -> ERR resulting score is not a number (NaN)
        ZADD z INCR -inf a -> ERR resulting score is not a number (NaN)
        ZINCRBY z 1.5 new -> 1.5
        ZINCRBY z x new -> ERR value is not a valid float
        ZINCRBY z -1.5 new -> 0.0
        ZCARD z -> 7
    """)


def test_members_are_looked_for() -> None:
    """Their scores and ranks, from either end; nothing of what is absent."""
    check("""
        ZADD z 1 a 2 b 2 c -> 3
        ZSCORE z b -> 2.0
        ZSCORE z x -> nil
        ZSCORE absent b -> nil
        ZMSCORE z a x c -> [1.0 nil 2.0]
        ZMSCORE absent a x -> [nil nil]
        ZRANK z c -> 2
        ZREVRANK z c -> 0
        ZRANK z c withscore -> [2 2.0]
        ZREVRANK z a WITHSCORE -> [2 1.0]
        ZRANK z x -> nil
        ZRANK z x WITHSCORE -> nil
        ZRANK absent x -> nil
        ZRANK z a foo -> ERR syntax error
        ZRANK z a WITHSCORE foo -> ERR wrong number of arguments for 'zrank' command
        ZREVRANK z a WITHSCORE foo -> ERR wrong number of arguments for 'zrevrank' command
        ZCARD z -> 3
        ZCARD absent -> 0
        ZSCAN z 0 MATCH c -> [0 [c 2]]
        ZSCAN absent 0 -> [0 []]
        ZSCAN z x -> ERR invalid cursor
    """)


def test_members_go() -> None:
    """By name, or from either end; a sorted set goes with its last member."""
    check("""
        ZADD z 1 a 2 b 3 c 4 d 5 e 6 f -> 6
        ZREM z a a x -> 1
        ZREM z x -> 0
        ZREM absent x -> 0
        ZPOPMIN z -> [b 2.0]
        ZPOPMAX z 2 -> [f=6.0 e=5.0]
        ZPOPMIN z 0 -> []
        ZPOPMIN z -1 -> ERR value is out of range, must be positive
        ZPOPMIN z x -> ERR value is out of range, must be positive
        ZPOPMIN z 1 2 -> ERR syntax error
        ZPOPMIN absent -> []
        ZMPOP 2 absent z MAX -> [z [[d 4.0]]]
        ZMPOP 1 z MIN COUNT 9 -> [z [[c 3.0]]]
        EXISTS z -> 0
        ZMPOP 1 z MIN -> nil
        ZMPOP 0 z MIN -> ERR numkeys should be greater than 0
        ZMPOP 2 z MIN -> ERR syntax error
        ZMPOP 1 z foo -> ERR syntax error
        ZMPOP 1 z MIN foo 1 -> ERR syntax error
        ZMPOP 1 z MIN COUNT -> ERR syntax error
        ZMPOP 1 z MIN COUNT 0 -> ERR count should be greater than 0
        ZMPOP 1 z MIN COUNT 1 COUNT 1 -> ERR syntax error
    """)


def test_draws() -> None:
    """Of one member there is no choice; of more, as many as are asked for."""
    check("""
        ZADD z 1.5 a -> 1
        ZRANDMEMBER z -> a
        ZRANDMEMBER z 3 -> [a]
        ZRANDMEMBER z -2 -> [a a]
        ZRANDMEMBER z 3 WITHSCORES -> [a=1.5]
        ZRANDMEMBER z 0 -> []
        ZRANDMEMBER absent -> nil
        ZRANDMEMBER absent 2 -> []
        ZRANDMEMBER z x foo -> ERR value is not an integer or out of range
        ZRANDMEMBER z 1 foo -> ERR syntax error
        ZRANDMEMBER z -9223372036854775808 foo -> ERR value is out of range, value must...
    """)


def test_many_members_go_in_slices() -> None:
    """Pops of thousands answer and remove what pops of few would."""
    driver = Driver()
    for at in range(0, 4_000, 500):
        driver.one("ZADD z " + " ".join(f"{number} m{number}" for number in range(at, at + 500)))
    popped = driver.one("ZMPOP 1 z MAX COUNT 700")
    assert popped == [b"z", [[b"m%d" % number, float(number)] for number in range(3_999, 3_299, -1)]]
    assert driver.one("ZREMRANGEBYRANK z 100 1099") == 1_000
    assert driver.run("ZCARD z", "ZRANK z m99", "ZRANK z m1100", "ZSCORE z m500") == [2_300, 99, 100, None]
    assert driver.one("ZREMRANGEBYSCORE z -inf +inf") == 2_300
    assert driver.one("EXISTS z") == 0


def test_equal_scores_over_many_chunks() -> None:
    """Members of one score keep the order of their bytes, whatever comes and goes."""
    driver = Driver()
    members = sorted(b"m%d" % number for number in range(3_000))
    driver.one([b"ZADD", b"z", *[word for member in members[::-1] for word in (b"0", member)]])
    assert driver.one([b"ZREM", b"z", *members[1000:1600]]) == 600
    left = members[:1000] + members[1600:]
    assert driver.one("ZRANGE z 990 1009") == left[990:1010]
    assert driver.one([b"ZRANK", b"z", left[1500]]) == 1500
    assert driver.one([b"ZRANGE", b"z", b"[" + left[700], b"(" + left[710], b"BYLEX"]) == left[700:710]
    assert driver.one([b"ZCOUNT", b"z", b"0", b"0"]) == 2_400
    assert driver.one([b"ZCOUNT", b"z", b"(0", b"inf"]) == 0


def test_no_room() -> None:
    """A member more does not fit: nothing is changed."""
    driver = Driver()
    driver.run("ZADD z 1 a", [b"SET", b"pad", b"x" * 5_000], "CONFIG SET maxmemory 5400")
    full = "OOM command not allowed when used memory > 'maxmemory'."
    check(f"ZADD z 2 x*400 -> {full}\nZINCRBY z 1 x*400 -> {full}\nZRANGE z 0 -1 -> [a]", driver)


def test_another_type() -> None:
    """Each command on a sorted set is refused for a key that holds something else."""
    wrong = "WRONGTYPE Operation against a key holding the wrong kind of value"
    commands = """ZADD k 1 a|ZINCRBY k 1 a|ZREM k a|ZPOPMIN k|ZPOPMAX k 2|ZMPOP 1 k MIN|ZCARD k|ZSCORE k a
        ZMSCORE k a|ZRANK k a|ZREVRANK k a|ZSCAN k 0|ZRANDMEMBER k|ZRANDMEMBER k 2|ZRANGE k 0 1
        ZREVRANGE k 0 1|ZRANGEBYSCORE k 0 1
        ZREVRANGEBYSCORE k 1 0|ZRANGEBYLEX k - +|ZREVRANGEBYLEX k + -|ZRANGESTORE a k 0 1
        ZCOUNT k 0 1|ZLEXCOUNT k - +|ZREMRANGEBYRANK k 0 1|ZREMRANGEBYSCORE k 0 1|ZREMRANGEBYLEX k - +
        ZUNIONSTORE a 1 k|ZINTERSTORE a 1 k|ZDIFFSTORE a 1 k|ZUNION 1 k|ZINTER 1 k|ZDIFF 1 k|ZINTERCARD 1 k"""
    lines = [f"{line.strip()} -> {wrong}" for line in commands.replace("\n", "|").split("|")]
    check("\n".join(["HSET k f v -> 1", *lines]))
