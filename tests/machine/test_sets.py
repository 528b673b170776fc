"""Sets: members, and what several sets have in common."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.machine.dialogue import check, text, words
from tests.machine.driving import Driver, kept_bytes
from trikv.machine.commands.elements import STEP_ELEMENTS
from trikv.machine.commands.several import KEYS_MAX, TOO_MANY_KEYS
from trikv.machine.replies import Streamed
from trikv.machine.values.members import Members
from trikv.machine.values.set import Set


def test_members() -> None:
    """Each is there once; a set goes with the last."""
    check("""
        SADD s a b a -> 2
        SADD s a -> 0
        SISMEMBER s a -> 1
        SISMEMBER s x -> 0
        SISMEMBER absent a -> 0
        SMISMEMBER s a x b -> [1 0 1]
        SMISMEMBER absent a x -> [0 0]
        SMEMBERS s -> {a b}
        SMEMBERS absent -> {}
        SCARD s -> 2
        SCARD absent -> 0
        SREM s a a x -> 1
        SREM s x -> 0
        SREM absent x -> 0
        SREM s b -> 1
        EXISTS s -> 0
    """)


def test_members_are_drawn_popped_and_scanned() -> None:
    """Of one there is no choice; of more, as many as are asked for."""
    check("""
        SADD s a -> 1
        SRANDMEMBER s -> a
        SRANDMEMBER s 5 -> [a]
        SRANDMEMBER s -3 -> [a a a]
        SRANDMEMBER s 0 -> []
        SRANDMEMBER absent -> nil
        SRANDMEMBER absent 2 -> []
        SRANDMEMBER s x -> ERR value is not an integer or out of range
        SRANDMEMBER s 1 2 -> ERR syntax error
        SRANDMEMBER s -9223372036854775808 -> ERR value is out of range, value must between...
        SPOP s 0 -> {}
        SPOP s -> a
        SPOP s -> nil
        SPOP s 3 -> {}
        SADD s a b -> 2
        SPOP s 9 -> {a b}
        EXISTS s -> 0
        SPOP s -1 -> ERR value is out of range, must be positive
        SPOP s x -> ERR value is out of range, must be positive
        SPOP s 1 2 -> ERR syntax error
        SADD s m -> 1
        SSCAN s 0 -> [0 [m]]
        SSCAN s 0 MATCH x* -> [0 []]
        SSCAN absent 0 -> [0 []]
        SSCAN s x -> ERR invalid cursor
    """)


def test_many_members_are_popped() -> None:
    """As many as are asked for, each once, in slices; the rest stays."""
    for wanted in (300, 2_999, 3_000, 9_999):
        driver = Driver(seed=5)
        everything = {b"m%d" % number for number in range(3_000)}
        driver.one([b"SADD", b"s", *sorted(everything)])
        popped = driver.one(f"SPOP s {wanted}")
        assert isinstance(popped, tuple)
        assert len(set(popped)) == len(popped) == min(wanted, 3_000)
        left = everything - set(popped)
        assert driver.one("SCARD s") == len(left)
        assert all(driver.run(*[[b"SISMEMBER", b"s", member] for member in sorted(left)]))


def test_draws_of_many() -> None:
    """Few and many of a large set are different members of it; negative counts may repeat one."""
    driver = Driver(seed=5)
    driver.one([b"SADD", b"s", *[b"m%d" % number for number in range(900)]])
    for wanted in (3, 100, 800):
        drawn = driver.one(f"SRANDMEMBER s {wanted}")
        assert isinstance(drawn, list)
        assert len({str(member) for member in drawn}) == wanted
    drawn = driver.one("SRANDMEMBER s -700")
    assert isinstance(drawn, list)
    assert len(drawn) == 700 > len({str(member) for member in drawn})


def test_several_sets() -> None:
    """What all, any, or only the first of them has."""
    check("""
        SADD a 1 2 3 4 -> 4
        SADD b 2 4 6 -> 3
        SADD c 4 -> 1
        SINTER a b c -> {4}
        SINTER a absent -> {}
        SUNION a absent b -> {1 2 3 4 6}
        SDIFF a absent c -> {1 2 3}
        SDIFF absent a -> {}
        SINTERSTORE r a b -> 2
        SMEMBERS r -> {2 4}
        SUNIONSTORE r r c -> 2
        SDIFFSTORE r a r -> 2
        SMEMBERS r -> {1 3}
        SINTERSTORE r absent a -> 0
        EXISTS r -> 0
        SINTERCARD 2 a b -> 2
        SINTERCARD 2 a b LIMIT 1 -> 1
        SINTERCARD 2 a b limit 9 LIMIT 0 -> 2
        SINTERCARD 1 absent -> 0
        SINTERCARD 0 a -> ERR numkeys should be greater than 0
        SINTERCARD x a -> ERR numkeys should be greater than 0
        SINTERCARD 3 a b -> ERR Number of keys can't be greater than number of args
        SINTERCARD 1 a LIMIT -1 -> ERR LIMIT can't be negative
        SINTERCARD 1 a LIMIT x -> ERR LIMIT can't be negative
        SINTERCARD 1 a LIMIT -> ERR syntax error
        SINTERCARD 1 a foo 1 -> ERR syntax error
    """)


def test_several_large_sets() -> None:
    """They are stored in slices, and answered in streams, outside of transactions."""
    driver = Driver()
    driver.run(
        [b"SADD", b"a", *[b"%d" % n for n in range(2_000)]],
        [b"SADD", b"b", *[b"%d" % n for n in range(1_000, 3_000)]],
    )
    assert driver.one("SUNIONSTORE u a b") == 3_000
    assert driver.one("SINTERSTORE i a b") == 1_000
    assert driver.one("SDIFFSTORE d a b") == 1_000
    assert driver.execute("SINTERCARD 2 d i", "SINTERCARD 2 u i LIMIT 300") == [0, 300]
    for line, count in (("SUNION a b", 3_000), ("SINTER a b", 1_000), ("SDIFF a b", 1_000)):
        reply = driver.read(line)
        assert isinstance(reply, Streamed)
        assert text(reply) == f"{count} rows"
        inside = driver.execute(line)
        assert isinstance(inside, list)
        assert isinstance(inside[0], tuple)
        assert len(inside[0]) == count


@contextmanager
def _looks() -> Iterator[list[bytes]]:
    """The members that are looked for in sets, as often as they are."""
    looks: list[bytes] = []
    has_each = Members.has_each

    def noted(one: Members, members: list[bytes]) -> list[bool]:
        looks.extend(members)
        return has_each(one, members)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Members, "has_each", noted)
        yield looks


@pytest.mark.parametrize("line", ["SUNION", "SINTER", "SDIFF other", "SUNIONSTORE r", "SINTERSTORE r"])
def test_a_key_is_opened_once(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often a call names it; each time counts as a hit."""
    driver = Driver()
    driver.run("SADD k a b", "SADD other c")
    bodies, opens = [], Set.opened

    def noted(body: bytes, epoch: int, secret: bytes) -> Set:
        bodies.append(body)
        return opens(body, epoch, secret)

    monkeypatch.setattr(Set, "opened", noted)
    hits = driver.machine.space.account.lookups.hits
    reply = driver.one(words(line) + [b"k"] * 500)
    assert len(bodies) == len(set(bodies)) <= 2
    if "STORE" in line:
        assert reply == 2
    else:
        assert text(reply) == ("{c}" if "other" in line else "{a b}")
        assert driver.machine.space.account.lookups.hits == hits + 500 + ("other" in line)


def test_a_set_without_itself() -> None:
    """Nothing is left, however often and in whichever order it is named."""
    check("""
        SADD a 1 2 -> 2
        SADD b 2 -> 1
        SDIFF a a -> {}
        SDIFF a b a b -> {}
        SDIFF a b b -> {1}
        SINTER a b a a -> {2}
        SUNION b a b a -> {1 2}
        SINTERCARD 4 a a a b -> 1
    """)


def test_a_call_over_too_many_keys() -> None:
    """It is refused before any is opened; named more often, fewer are allowed."""
    driver = Driver()
    driver.one("SADD k1 a")
    keys = [b"k%d" % number for number in range(KEYS_MAX + 1)]
    for line in ("SUNION", "SDIFFSTORE r", f"SINTERCARD {len(keys)}"):
        assert driver.one(words(line) + keys) == TOO_MANY_KEYS
    assert text(driver.one([b"SUNION", *keys[1:], *keys[1:]])) == "{a}"


def test_a_union_of_many_sets_looks_for_no_member_in_all() -> None:
    """The work grows with the members, not with the number of sets."""
    driver = Driver()
    for number in range(100):
        driver.one([b"SADD", b"s%d" % number, b"all", *[b"%d-%d" % (number, n) for n in range(20)]])
    keys = [b"s%d" % number for number in range(100)]
    with _looks() as looks:
        assert driver.call(b"SUNIONSTORE", b"r", *keys) == 2_001
        reply = driver.read([b"SUNION", *keys])
        assert isinstance(reply, Streamed)
        shown: set[bytes] = set()
        while not reply.is_over:
            looks_before = len(looks)
            rows = reply.step()
            assert len(looks) - looks_before <= STEP_ELEMENTS
            assert not shown.intersection(rows)
            shown.update(rows)
            if rows:
                assert kept_bytes(reply) >= sum(map(len, shown)), "the union is kept, and told"
    assert len(shown) == reply.count == 2_001
    assert len(looks) <= 2 * 2_100
    assert text(driver.read([b"SUNION", *keys[:8]])) == "161 rows"


def test_a_member_moves() -> None:
    """1 if the source had it, also if the destination has it, or is the source."""
    check("""
        SADD a 1 2 -> 2
        SADD b 2 -> 1
        SMOVE a b 1 -> 1
        SMOVE a b 2 -> 1
        EXISTS a -> 0
        SMEMBERS b -> {1 2}
        SMOVE a b 2 -> 0
        SMOVE b a 9 -> 0
        SMOVE b b 1 -> 1
        SMOVE b new 1 -> 1
        SET s text -> OK
        SMOVE b s 2 -> WRONGTYPE Operation against a key holding the wrong kind of value
        SMOVE s b 2 -> WRONGTYPE Operation against a key holding the wrong kind of value
        SMEMBERS b -> {2}
    """)


def test_no_room_for_a_result() -> None:
    """It is given up as soon as it is too large; what was under its key stays."""
    driver = Driver()
    driver.run([b"SADD", b"a", *[b"%d" % n for n in range(2_000)]], "SADD r old")
    driver.one(f"CONFIG SET maxmemory {driver.machine.used_memory + 20_000}")
    full = "OOM command not allowed when used memory > 'maxmemory'."
    check(f"SUNIONSTORE r a r -> {full}\nSMEMBERS r -> {{old}}\nSADD r x*20000 -> {full}", driver)


def test_no_room_to_move_into() -> None:
    """A member stays where it is; what a move adds may pass the cap only a little."""
    for count in (5, 300):
        driver = Driver()
        driver.one([b"SADD", b"b", *[b"%d" % number for number in range(count)]])
        driver.run(words("SADD a x*300"), [b"SET", b"pad", b"x" * 90_000], "CONFIG SET maxmemory 50000")
        full = "OOM command not allowed when used memory > 'maxmemory'."
        check(f"SMOVE a b x*300 -> {full}\nSCARD a -> 1\nSCARD b -> {count}", driver)


def test_another_type() -> None:
    """Each command on a set is refused for a key that holds something else."""
    wrong = "WRONGTYPE Operation against a key holding the wrong kind of value"
    commands = """SADD k a|SREM k a|SCARD k|SISMEMBER k a|SMISMEMBER k a|SMEMBERS k|SSCAN k 0|SRANDMEMBER k
        SRANDMEMBER k 2|SPOP k|SMOVE k a b|SINTER k|SUNION k|SDIFF k|SINTERSTORE a k|SUNIONSTORE a k
        SDIFFSTORE a k|SINTERCARD 1 k"""
    lines = [f"{line.strip()} -> {wrong}" for line in commands.replace("\n", "|").split("|")]
    check("\n".join(["HSET k f v -> 1", *lines]))
