"""Keys, databases and deadlines: against a dict with times, and the answers at their edges."""

from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.machine.driving import NOW, Driver
from trikv.machine.errors import DB_INDEX, INVALID_CURSOR, NO_SUCH_KEY, NOT_INTEGER, SYNTAX, invalid_expire
from trikv.machine.replies import OK, CommandError, Reply, SimpleString

KEYS = st.sampled_from(["a", "b", "c"])
CONDITIONS = st.sampled_from(["", "NX", "XX", "GT", "LT", "XX GT"])
STEPS = st.one_of(
    st.tuples(st.just("SET"), KEYS),
    st.tuples(st.just("PEXPIRE"), KEYS, st.integers(-5, 40), CONDITIONS),
    st.tuples(st.just("RENAME"), KEYS, KEYS),
    st.tuples(st.just("RENAMENX"), KEYS, KEYS),
    st.tuples(st.sampled_from(["PERSIST", "DEL", "PTTL", "EXISTS", "TYPE", "GET"]), KEYS),
    st.tuples(st.just("PASS"), st.integers(0, 30)),
)


class Model:
    """Keys with values and deadlines in a dict, and a clock."""

    ABSENT: ClassVar[dict[str, Reply]] = {
        "RENAME": NO_SUCH_KEY,
        "RENAMENX": NO_SUCH_KEY,
        "PTTL": -2,
        "TYPE": SimpleString("none"),
        "GET": None,
    }
    """What is answered where the key is absent; 0 for all others."""

    def __init__(self) -> None:
        self.now = NOW
        self.data: dict[str, tuple[int, float]] = {}
        self.writes = 0

    def step(self, name: str, key: str, *rest: object) -> Reply:
        """The reply of one command."""
        found = self.data.get(key)
        if name == "SET":
            self.writes += 1
            self.data[key] = (self.writes, float("inf"))
            return OK
        if found is None:
            return self.ABSENT.get(name, 0)
        value, deadline = found
        match name:
            case "PEXPIRE":
                return self.expire(key, *rest)
            case "RENAME" | "RENAMENX":
                target = str(rest[0])
                if name == "RENAMENX" and target in self.data:
                    return 0
                self.data[target] = self.data.pop(key)
                return OK if name == "RENAME" else 1
            case "PERSIST":
                self.data[key] = (value, float("inf"))
                return int(deadline != float("inf"))
            case "DEL":
                del self.data[key]
                return 1
            case "PTTL":
                return -1 if deadline == float("inf") else int(deadline) - self.now
            case "GET":
                return b"%d" % value
            case _:
                return 1 if name == "EXISTS" else SimpleString("string")

    def expire(self, key: str, amount: object, condition: object) -> Reply:
        """PEXPIRE; no deadline is infinitely far."""
        value, deadline = self.data[key]
        assert isinstance(amount, int)
        when = self.now + amount
        infinite = deadline == float("inf")
        allowed = {
            "": True,
            "NX": infinite,
            "XX": not infinite,
            "GT": when > deadline,
            "LT": when < deadline,
            "XX GT": when > deadline,
        }[str(condition)]
        if allowed:
            self.data[key] = (value, when)
            self.reap()
        return int(allowed)

    def reap(self) -> None:
        """Forget what is due."""
        self.data = {key: pair for key, pair in self.data.items() if pair[1] > self.now}


@given(st.lists(STEPS, max_size=30))
@settings(max_examples=100, deadline=None)
def test_against_a_dict_with_times(steps: list[tuple[str | int, ...]]) -> None:
    """Deadlines, renames and the passing of time do what they do in the model."""
    model, driver = Model(), Driver()
    for name, first, *rest in steps:
        if name == "PASS":
            assert isinstance(first, int)
            model.now += first
            model.reap()
            driver.pass_ms(first)
            continue
        expected = model.step(str(name), str(first), *rest)
        line = " ".join(str(part) for part in (name, first, *rest))
        assert driver.one(f"{line} {model.writes}" if name == "SET" else line) == expected
        assert driver.machine.keys() == len(model.data)


def test_what_no_condition_allows_changes_no_deadline() -> None:
    """A key without a deadline has one infinitely far away."""
    driver, at = Driver(), 9_000_000_000_000
    driver.one("SET a v")
    for condition, when, is_done in (
        ("XX", at, 0),
        ("GT", at, 0),
        ("LT", at, 1),
        ("NX", at, 0),
        ("GT", at, 0),
        ("GT", at + 1, 1),
        ("LT", at + 1, 0),
        ("LT", at, 1),
        ("XX", at + 2, 1),
    ):
        before = driver.read("PEXPIRETIME a")
        assert driver.one(f"PEXPIREAT a {when} {condition}") == is_done
        assert driver.read("PEXPIRETIME a") == (when if is_done else before)


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("EXPIRE a 5 FOO", CommandError("ERR Unsupported option FOO")),
        ((b"EXPIRE", b"a", b"5", b"F\r\nO\r\n"), CommandError("ERR Unsupported option F  O")),
        ((b"EXPIRE", b"a", b"5", b"FOO\r\n\0O"), CommandError("ERR Unsupported option FOO")),
        (
            "EXPIRE a 5 NX XX",
            CommandError("ERR NX and XX, GT or LT options at the same time are not compatible"),
        ),
        ("EXPIRE a 5 GT LT", CommandError("ERR GT and LT options at the same time are not compatible")),
        ("EXPIRE a x", NOT_INTEGER),
        ("EXPIRE a 9223372036854775807", invalid_expire("expire")),
        ("PEXPIRE a 9223372036854775807", invalid_expire("pexpire")),
        ("EXPIREAT a -9223372036854775807", invalid_expire("expireat")),
        ("PERSIST a", 0),
        ("PERSIST absent", 0),
        ("SCAN x", INVALID_CURSOR),
        ("SCAN 18446744073709551616", INVALID_CURSOR),
        ("SCAN 0 COUNT", SYNTAX),
        ("SCAN 0 MATCH", SYNTAX),
        ("SCAN 0 TYPE", SYNTAX),
        ("SCAN 0 FOO 1", SYNTAX),
        ("SCAN 0 COUNT 0", SYNTAX),
        ("SCAN 0 COUNT x", NOT_INTEGER),
        ("SELECT x", NOT_INTEGER),
        ("SELECT 16", DB_INDEX),
        ("SELECT -1", DB_INDEX),
        ("FLUSHALL NOW", SYNTAX),
        ("FLUSHDB ASYNC SYNC", SYNTAX),
        ("MEMORY USAGE a FOO 1", SYNTAX),
        ("MEMORY USAGE a SAMPLES", SYNTAX),
        ("MEMORY USAGE a SAMPLES x", NOT_INTEGER),
        ("MEMORY USAGE a SAMPLES -1", SYNTAX),
        ("MEMORY USAGE absent", None),
    ],
)
def test_refusals_change_nothing(line: str, reply: Reply) -> None:
    """Each error has Redis' text, and what was there is still there."""
    driver = Driver()
    driver.one("SET a 1")
    assert driver.one(line) == reply
    assert driver.machine.changes == 1


def test_select_of_a_number_beyond_32_bits() -> None:
    """It has an error of its own in Redis."""
    reply = Driver().one("SELECT 2147483648")
    assert isinstance(reply, CommandError)
    assert reply.text == "ERR value is out of range, value must between -2147483648 and 2147483647"


def test_expire_in_all_units() -> None:
    """Seconds or milliseconds, from now or since 1970, set and shown."""
    driver = Driver()
    driver.one("SET a v")
    for line, deadline in (
        ("EXPIRE a 5", NOW + 5000),
        ("PEXPIRE a 5", NOW + 5),
        (f"EXPIREAT a {NOW // 1000 + 3}", NOW + 3000),
        (f"PEXPIREAT a {NOW + 1600}", NOW + 1600),
    ):
        assert driver.run(line, "PEXPIRETIME a") == [1, deadline]
    assert driver.run("EXPIRETIME a", "TTL a", "PTTL a") == [(NOW + 1600 + 500) // 1000, 2, 1600]
    assert driver.run("EXPIREAT a 1", "EXISTS a", "EXPIRETIME a", "PEXPIRETIME a", "TTL a") == [
        1,
        0,
        -2,
        -2,
        -2,
    ]
    assert driver.run("SET a v", "EXPIRETIME a", "PTTL a", "EXPIRE absent 5") == [OK, -1, -1, 0]


def test_reads_show_the_leaders_time() -> None:
    """TTL, PTTL and TIME use the later of log time and the leader's; a live key shows at least 1 ms."""
    driver = Driver()
    driver.one("SET a v PX 3000")
    assert driver.read("PTTL a", at_ms=NOW + 1000) == 2000
    assert driver.read("PTTL a", at_ms=NOW - 1000) == 3000
    assert driver.read("PTTL a", at_ms=NOW + 9999) == 1
    assert driver.read("GET a", at_ms=NOW + 9999) == b"v"
    assert driver.read("TIME", at_ms=NOW + 1234) == [b"%d" % (NOW // 1000 + 1), b"234000"]
    assert driver.one("TIME") == [b"%d" % (NOW // 1000), b"0"]


def test_rename_takes_deadline_and_place() -> None:
    """The new name has value and deadline of the old, and what had that name is gone."""
    driver = Driver()
    driver.run("SET a 1 PX 70", "SET b 2 PX 90")
    assert driver.run("RENAME a b", "GET b", "PTTL b", "EXISTS a") == [OK, b"1", 70, 0]
    assert driver.run("RENAME b b", "RENAMENX b b", "RENAMENX b c", "RENAMENX x y") == [OK, 0, 1, NO_SUCH_KEY]


def test_rename_within_another_database() -> None:
    """The deadline goes along there too, the other's is forgotten, and none is left in the index."""
    driver = Driver()
    driver.db = 9
    driver.run("SET a 1 PX 70", "SET b 2 PX 90", "SET c 3")
    assert driver.run("RENAME a b", "RENAME b c", "PTTL c", "DBSIZE") == [OK, OK, 70, 1]
    assert list(driver.machine.space.databases[9].deadlines) == [(NOW + 70, b"c")]
    driver.pass_ms(70)
    assert driver.run("EXISTS c", "DBSIZE") == [0, 0]


def test_flushing_one_database_or_all() -> None:
    """FLUSHDB empties the selected one, FLUSHALL every one, from whichever database it is said."""
    for command, left in (("FLUSHDB", 2), ("FLUSHALL", 0), ("CLEAN", 0)):
        driver = Driver()
        for number in (0, 1, 15):
            driver.db = number
            driver.one("SET a 1")
        driver.db = 1
        assert driver.run(command, "DBSIZE") == [OK, 0]
        assert driver.machine.keys() == left


def test_keys_and_scan_filter() -> None:
    """Patterns and types choose what is shown."""
    driver = Driver()
    driver.run("SET user:1 a", "SET user:2 b", "SET other c")
    found = driver.one("KEYS user:*")
    assert isinstance(found, list)
    assert {b"user:1", b"user:2"} == {key for key in found if isinstance(key, bytes)}
    assert driver.one("SCAN 0 COUNT 100 MATCH o*") == [b"0", [b"other"]]
    assert driver.one("SCAN 0 COUNT 100 TYPE hash") == [b"0", []]
    assert driver.one("SCAN -1") == [b"0", []]
    assert driver.call(b"SCAN", b"", b"MATCH", b"other", b"TYPE", b"STRING", b"COUNT", b"9") == [
        b"0",
        [b"other"],
    ]


@pytest.mark.parametrize("options", ["", " TYPE string", " MATCH s*"])
def test_scan_shows_no_key_that_is_due(options: str) -> None:
    """Though it is still there: it is reaped by the next entry."""
    driver = Driver()
    driver.run("SET stays a", "SET soon b PX 50", "SET sometime c PX 90")
    driver.machine.space.account.now += 60
    page = driver.read(f"SCAN 0 COUNT 100{options}")
    assert isinstance(page, list)
    assert page[0] == b"0"
    assert page[1] in ([b"stays", b"sometime"], [b"sometime", b"stays"])


def test_a_pattern_that_is_too_long_is_refused() -> None:
    """To prepare one of megabytes stops a node for minutes."""
    driver = Driver()
    for args in ((b"KEYS", b"*a" * 600), (b"SCAN", b"0", b"MATCH", b"*a" * 600)):
        reply = driver.call(*args)
        assert isinstance(reply, CommandError)
        assert reply.text == "ERR the pattern is too long: 1200 of 1024 bytes"


def test_counting_words() -> None:
    """EXISTS and TOUCH count repetitions; COUNT, CLEAN and DELETE are the typed names."""
    driver = Driver()
    assert driver.run(
        "SET a 1", "EXISTS a a b", "TOUCH a a", "COUNT", "DELETE a a", "SET b 1", "CLEAN sync"
    ) == [
        OK,
        2,
        2,
        1,
        1,
        OK,
        OK,
    ]
    assert driver.run("DBSIZE", "SET a 1", "FLUSHDB async", "TYPE a") == [0, OK, OK, SimpleString("none")]
