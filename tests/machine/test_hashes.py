"""Hashes: fields with values under one key."""

from tests.machine.dialogue import check


def test_fields_are_set_and_read() -> None:
    """Several at once, only new ones, or none if one is given twice: the last counts."""
    check("""
        HSET h a 1 b 2 a 3 -> 2
        HSET h b 5 c 6 -> 1
        HMSET h d 7 d 8 -> OK
        HSETNX h a 9 -> 0
        HSETNX h e 9 -> 1
        HGET h a -> 3
        HGET h absent -> nil
        HGET absent a -> nil
        HMGET h a absent d -> [3 nil 8]
        HMGET absent a b -> [nil nil]
        HGETALL h -> {a=3 b=5 c=6 d=8 e=9}
        HKEYS h -> [a b c d e]
        HVALS h -> [3 5 6 8 9]
        HGETALL absent -> {}
        HKEYS absent -> []
        HVALS absent -> []
        HLEN h -> 5
        HLEN absent -> 0
        HEXISTS h a -> 1
        HEXISTS h absent -> 0
        HEXISTS absent a -> 0
        HSTRLEN h a -> 1
        HSTRLEN h absent -> 0
        HSTRLEN absent a -> 0
        HSET h a 1 b -> ERR wrong number of arguments for 'hset' command
        HMSET h a 1 b -> ERR wrong number of arguments for 'hmset' command
        HSET h . . -> 1
        HGET h . -> .
    """)


def test_fields_are_deleted() -> None:
    """A hash goes with its last field, its deadline with it."""
    check("""
        HSET h a 1 b 2 -> 2
        EXPIRE h 100 -> 1
        HDEL h a a absent -> 1
        HDEL h absent -> 0
        HDEL absent a -> 0
        HDEL h b -> 1
        EXISTS h -> 0
        HSET h a 1 -> 1
        TTL h -> -1
    """)


def test_fields_count() -> None:
    """In integers of 64 bits, or exactly in decimals."""
    check("""
        HINCRBY h n 5 -> 5
        HINCRBY h n -7 -> -2
        HSET h max 9223372036854775807 text abc real 1.5 wide inf -> 4
        HINCRBY h max 1 -> ERR increment or decrement would overflow
        HINCRBY h text 1 -> ERR hash value is not an integer
        HINCRBY h real 1 -> ERR hash value is not an integer
        HINCRBY h n x -> ERR value is not an integer or out of range
        HINCRBYFLOAT h real 0.1 -> 1.6
        HINCRBYFLOAT h new 0.5 -> 0.5
        HINCRBYFLOAT h text 1 -> ERR hash value is not a float
        HINCRBYFLOAT h real x -> ERR value is not a valid float
        HINCRBYFLOAT h real inf -> ERR value is NaN or Infinity
        HINCRBYFLOAT h wide 1 -> ERR increment would produce NaN or Infinity
        HGET h real -> 1.6
        HSET h most 9e4931 -> 1
        HINCRBYFLOAT h most 9e4931 -> ERR increment would produce NaN or Infinity
    """)


def test_fields_are_drawn_and_scanned() -> None:
    """One of one is certain; of more, as many as are asked for, at most all unless they may come twice."""
    check("""
        HSET h f 1 -> 1
        HRANDFIELD h -> f
        HRANDFIELD h 3 -> [f]
        HRANDFIELD h -3 -> [f f f]
        HRANDFIELD h 3 WITHVALUES -> [f=1]
        HRANDFIELD h 0 -> []
        HRANDFIELD absent -> nil
        HRANDFIELD absent 3 -> []
        HRANDFIELD h x foo -> ERR value is not an integer or out of range
        HRANDFIELD h 3 foo -> ERR syntax error
        HRANDFIELD h 3 WITHVALUES foo -> ERR syntax error
        HRANDFIELD h -9223372036854775808 -> ERR value is out of range, value must between...
        HRANDFIELD h 9223372036854775807 WITHVALUES -> ERR value is out of range
        HSCAN h 0 -> [0 [f 1]]
        HSCAN h 0 MATCH g* COUNT 5 -> [0 []]
        HSCAN h 0 match f* -> [0 [f 1]]
        HSCAN absent 0 foo -> [0 []]
        HSCAN h x -> ERR invalid cursor
        HSCAN h 0 foo -> ERR syntax error
        HSCAN h 0 COUNT -> ERR syntax error
        HSCAN h 0 COUNT x -> ERR value is not an integer or out of range
        HSCAN h 0 COUNT 0 -> ERR syntax error
    """)


def test_another_type() -> None:
    """Each command on a hash is refused for a key that holds something else."""
    wrong = "WRONGTYPE Operation against a key holding the wrong kind of value"
    commands = """HSET k f v|HMSET k f v|HSETNX k f v|HGET k f|HMGET k f|HDEL k f|HLEN k|HEXISTS k f
        HSTRLEN k f|HINCRBY k f 1
        HINCRBYFLOAT k f 1|HGETALL k|HKEYS k|HVALS k|HRANDFIELD k|HRANDFIELD k 2|HSCAN k 0"""
    lines = [f"{line.strip()} -> {wrong}" for line in commands.replace("\n", "|").split("|")]
    check("\n".join(["RPUSH k a -> 1", *lines]))
