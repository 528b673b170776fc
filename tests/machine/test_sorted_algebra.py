"""What comes of several sorted sets, sets among them."""

from types import GeneratorType

import pytest

from tests.machine.dialogue import check, text, words
from tests.machine.driving import Driver, kept_bytes
from trikv.machine.commands.elements import STEP_ELEMENTS
from trikv.machine.commands.several import KEYS_MAX, TOO_MANY_KEYS
from trikv.machine.commands.sorted_algebra import zinterstore
from trikv.machine.replies import Streamed
from trikv.machine.values.members import Members
from trikv.machine.values.sorted_set import SortedSet


def test_unions_and_intersections() -> None:
    """Scores are added, or the least or the greatest is taken; a member of a set has the score 1."""
    check("""
        ZADD a 1 x 2 y 3 z -> 3
        ZADD b 10 y 20 z 30 w -> 3
        SADD s y w -> 2
        ZUNION 2 a b WITHSCORES -> [x=1.0 y=12.0 z=23.0 w=30.0]
        ZUNION 2 a s WITHSCORES -> [w=1.0 x=1.0 y=3.0 z=3.0]
        ZINTER 2 a b WITHSCORES -> [y=12.0 z=23.0]
        ZINTER 3 a b s WITHSCORES -> [y=13.0]
        ZINTER 2 a absent -> []
        ZUNION 2 a absent -> [x y z]
        ZUNION 2 a b WEIGHTS 10 1 AGGREGATE max WITHSCORES -> [x=10.0 y=20.0 w=30.0 z=30.0]
        ZINTER 2 a b AGGREGATE MIN WEIGHTS 2 -1 WITHSCORES -> [z=-20.0 y=-10.0]
        ZUNIONSTORE r 2 a b WEIGHTS 1 0.5 -> 4
        ZRANGE r 0 -1 WITHSCORES -> [x=1.0 y=7.0 z=13.0 w=15.0]
        ZINTERSTORE r 2 r s -> 2
        ZINTERSTORE r 2 a absent -> 0
        EXISTS r -> 0
        ZINTERCARD 2 a b -> 2
        ZINTERCARD 2 a b LIMIT 1 -> 1
        ZINTERCARD 2 a b LIMIT 0 -> 2
        ZINTERCARD 2 a absent -> 0
    """)


def test_differences() -> None:
    """The members of the first that no other has keep their scores."""
    check("""
        ZADD a 1 x 2 y 3 z -> 3
        SADD s y w -> 2
        ZDIFF 2 a s WITHSCORES -> [x=1.0 z=3.0]
        ZDIFF 3 a absent s -> [x z]
        ZDIFF 2 absent a -> []
        ZDIFF 2 s a WITHSCORES -> [w=1.0]
        ZDIFFSTORE a 2 a s -> 2
        ZDIFFSTORE a 2 a a -> 0
        EXISTS a -> 0
    """)


def test_infinities() -> None:
    """What would be no number is 0."""
    check("""
        ZADD a inf x 1 y -> 2
        ZADD b -inf x 1 y -> 2
        ZUNION 2 a b WITHSCORES -> [x=0.0 y=2.0]
        ZUNION 1 a WEIGHTS 0 WITHSCORES -> [x=0.0 y=0.0]
        ZINTER 2 b a WEIGHTS 1 0 WITHSCORES -> [x=0.0 y=1.0]
        ZINTER 2 a b WEIGHTS 2 0 AGGREGATE MIN WITHSCORES -> [y=0.0 x=inf]
        ZINTER 2 a b WEIGHTS inf -inf WITHSCORES -> [y=0.0 x=inf]
    """)


def test_sums_do_not_depend_on_the_order_of_the_keys() -> None:
    """They begin with the smallest set: 1e16 + 1 + 1 is not 1 + 1 + 1e16."""
    check("""
        ZADD large 1e16 m 0 a 0 b -> 3
        ZADD middle 1 m 0 a -> 2
        ZADD small 1 m -> 1
        ZUNIONSTORE r 3 large middle small -> 3
        ZSCORE r m -> 1.0000000000000002e+16
        ZUNIONSTORE r 3 small middle large -> 3
        ZSCORE r m -> 1.0000000000000002e+16
    """)


def test_what_is_refused() -> None:
    """Numbers of keys that are not theirs, weights that are no numbers, options of other commands."""
    check("""
        ZADD a 1 x -> 1
        ZUNION 0 a -> ERR at least 1 input key is needed for 'zunion' command
        ZUNION x a -> ERR value is not an integer or out of range
        ZUNION 2 a -> ERR syntax error
        ZUNIONSTORE r 1 a WITHSCORES -> ERR syntax error
        ZUNION 1 a WEIGHTS x -> ERR weight value is not a float
        ZUNION 1 a WEIGHTS -> ERR syntax error
        ZUNION 1 a AGGREGATE foo -> ERR syntax error
        ZUNION 1 a AGGREGATE -> ERR syntax error
        ZUNION 1 a foo -> ERR syntax error
        ZDIFF 1 a WEIGHTS 1 -> ERR syntax error
        ZDIFFSTORE r 0 a -> ERR at least 1 input key is needed for 'zdiffstore' command
        ZINTERCARD 1 a LIMIT -1 -> ERR LIMIT can't be negative
        ZINTERCARD 1 a LIMIT x -> ERR LIMIT can't be negative
        ZINTERCARD 1 a LIMIT -> ERR syntax error
        ZINTERCARD 0 a -> ERR at least 1 input key is needed for 'zintercard' command
    """)


def test_large_ones() -> None:
    """They are stored in slices, and answered in streams, in order."""
    driver = Driver()
    for key, first in (("a", 0), ("b", 1_000)):
        members = " ".join(f"{number} m{number}" for number in range(first, first + 2_000))
        driver.one(f"ZADD {key} {members}")
    assert driver.one("ZUNIONSTORE u 2 a b") == 3_000
    assert driver.run("ZSCORE u m1500", "ZSCORE u m2500") == [3_000.0, 2_500.0]
    assert driver.execute("ZINTERCARD 2 a b", "ZINTERCARD 2 a b LIMIT 700") == [1_000, 700]
    for line, rows in (("ZUNION 2 a b WITHSCORES", 3_000), ("ZINTER 2 a b", 1_000), ("ZDIFF 2 a b", 1_000)):
        reply = driver.read(line)
        assert isinstance(reply, Streamed)
        assert text(reply) == f"{rows} rows"
    assert driver.execute("ZDIFF 2 a b") == [[b"m%d" % number for number in range(1_000)]]


def _count_looks(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The members that are looked for from now on, as often as they are."""
    looks: list[bytes] = []
    has_each, get_each = Members.has_each, Members.get_each

    def noted(one: Members, members: list[bytes]) -> list[bool]:
        looks.extend(members)
        return has_each(one, members)

    def noted_too(one: Members, members: list[bytes], default: object = None) -> list[object]:
        looks.extend(members)
        return get_each(one, members, default)

    monkeypatch.setattr(Members, "has_each", noted)
    monkeypatch.setattr(Members, "get_each", noted_too)
    return looks


def test_a_key_is_opened_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often a call names it; its scores count each time, with the weight of that place."""
    driver = Driver()
    driver.run("ZADD k 1 a 2 b")
    bodies, opens = [], SortedSet.opened

    def noted(body: bytes, epoch: int, secret: bytes) -> SortedSet:
        bodies.append(body)
        return opens(body, epoch, secret)

    monkeypatch.setattr(SortedSet, "opened", noted)
    named = " ".join(["k"] * 500)
    for line in ("ZUNIONSTORE r", "ZINTERSTORE r", "ZDIFFSTORE d"):
        weights = "" if "DIFF" in line else f"WEIGHTS 3 {'1 ' * 499}"
        count = driver.one(f"{line} 500 {named} {weights}")
        assert len(bodies) == 1
        if weights:
            assert count == 2
            assert text(driver.one("ZRANGE r 0 -1 WITHSCORES")) == "[a=502.0 b=1004.0]"
        else:
            assert count == 0
        bodies.clear()


def test_a_call_over_too_many_keys() -> None:
    """It is refused, whatever is under them."""
    driver = Driver()
    keys = [b"k%d" % number for number in range(KEYS_MAX + 1)]
    for line in ("ZUNION", "ZINTERSTORE r", "ZINTERCARD"):
        assert driver.one([*words(line), b"%d" % len(keys), *keys]) == TOO_MANY_KEYS
    assert driver.one([b"ZUNION", b"%d" % KEYS_MAX, *keys[1:]]) == []


def test_a_union_of_many_looks_for_no_member_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """The work grows with the members, not with the number of sets; what a read fills counts as kept."""
    driver = Driver()
    keys = [b"z%d" % number for number in range(100)]
    for key in keys:
        driver.one(
            [b"ZADD", key, b"1", b"all", *[each for n in range(20) for each in (b"2", b"%s-%d" % (key, n))]]
        )
    looks = _count_looks(monkeypatch)
    assert driver.call(b"ZUNIONSTORE", b"r", b"100", *keys) == 2_001
    assert len(looks) == 2_100
    assert driver.one("ZSCORE r all") == 100.0
    reply = driver.read([b"ZUNION", b"100", *keys])
    assert isinstance(reply, Streamed)
    before = kept_bytes(reply)
    while reply.count is None:
        reply.step()
    assert reply.count == 2_001
    assert kept_bytes(reply) >= before + 2_001 * SortedSet.fixed_bytes
    assert text(reply) == "2001 rows"
    assert len(looks) <= 2 * 2_100 + 1


@pytest.mark.parametrize("command", ["ZINTER", "ZINTERCARD"])
def test_a_step_looks_at_few_sets(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key named thousands of times makes many steps of one member."""
    driver = Driver()
    driver.one("ZADD k 1 a 2 b")
    looks = _count_looks(monkeypatch)
    reply = driver.read([command.encode(), b"3000", *[b"k"] * 3_000])
    assert isinstance(reply, Streamed)
    while not reply.is_over:
        before = len(looks)
        reply.step()
        assert len(looks) - before <= STEP_ELEMENTS
    assert reply.count == 2


def test_an_intersection_pauses_if_nothing_comes_of_it() -> None:
    """The store of one is carried out in slices, of which the last leaves nothing."""
    driver = Driver()
    for key in ("a", "b"):
        driver.one(f"ZADD {key} " + " ".join(f"1 {key}{number}" for number in range(2_000)))
    steps = zinterstore(driver.machine.space.databases[0], b"r", b"2", b"a", b"b")
    assert isinstance(steps, GeneratorType)
    assert sum(1 for _ in steps) >= 2_000 // STEP_ELEMENTS


def test_no_room_for_a_result() -> None:
    """It is given up as soon as it is too large; what was under its key stays."""
    driver = Driver()
    driver.one("ZADD a " + " ".join(f"{number} m{number}" for number in range(2_000)))
    driver.one("ZADD r 1 old")
    driver.one(f"CONFIG SET maxmemory {driver.machine.used_memory + 20_000}")
    full = "OOM command not allowed when used memory > 'maxmemory'."
    check(f"ZUNIONSTORE r 2 a r -> {full}\nZRANGE r 0 -1 -> [old]\nZRANGESTORE r a 0 -1 -> {full}", driver)
