"""DEBUG: who may use it, and what a node sends to the log."""

import re

import attrs
import pytest

from tests.front.doubles import CLUSTERDOWN, Client, FakeService, resp
from trikv.front.commands.debugging import NOT_ALLOWED, PATTERN_BYTES_MAX, TEXT_BYTES_MAX
from trikv.front.seam import Sleep
from trikv.machine.commands.debugging import ONLY_WORK
from trikv.machine.features import LONG_WORK

WORK = ("DEBUG", "WORK", "2", "k")
REFUSED = b"-%s\r\n" % NOT_ALLOWED.text.encode()
ONLY = b"-%s\r\n" % ONLY_WORK.text.encode()


def client(enabled: str = "yes", *, level: int | None = LONG_WORK, remote: str = "10.0.0.1:5000") -> Client:
    """A client at `remote`; the node's setting is `enabled`, its cluster has that level, or there is none."""
    service = FakeService(enable_debug_command=enabled)
    member = service.figures.member
    assert member is not None
    service.figures.member = None if level is None else attrs.evolve(member, feature_level=lambda: level)
    one = Client(service)
    one.conversation.connection.remote = remote
    return one


def test_it_goes_to_the_log() -> None:
    """The answer comes from the machine, at its place between the others."""
    one = client()
    answer = one.say(resp("SET", "a", "1") + resp(*WORK) + resp("GET", "k"))
    assert re.fullmatch(rb"\+OK\r\n\+OK\r\n\$36\r\n2/2 [0-9a-f]{32}\r\n", answer)


def test_it_ends_its_turn() -> None:
    """What stands behind it is read when it has been answered: its key counts in no turn's length."""
    one = client()
    one.receive(resp("SET", "a", "1") + resp(*WORK) + resp("SET", "b", "1"))
    (work,) = one.service.works
    assert [args[0] for args in work.commands] == [b"SET", b"DEBUG"]
    assert work.writes


@pytest.mark.parametrize(
    ("enabled", "remote", "allowed"),
    [
        ("no", "127.0.0.1:5000", False),
        ("local", "10.0.0.1:5000", False),
        ("local", "[fe80::1]:5000", False),
        ("local", "127.0.0.1:5000", True),
        ("local", "127.8.9.1:5000", True),
        ("local", "[::1]:5000", True),
        ("local", "/run/trikv.sock:0", True),
        ("yes", "10.0.0.1:5000", True),
    ],
)
def test_the_setting_says_who_may_use_it(enabled: str, remote: str, *, allowed: bool) -> None:
    """Nobody, clients of this machine, or all: as in Redis, and refused with its text."""
    one = client(enabled, remote=remote)
    assert one.ask(*WORK) == (b"+OK\r\n" if allowed else REFUSED)
    assert one.ask("DEBUG", "SEGFAULT") == (ONLY if allowed else REFUSED)
    assert one.ask("DEBUG", "SLEEP", "1") == (b"+done DEBUG\r\n" if allowed else REFUSED)


def test_nobody_may_use_it_unless_it_is_asked_for() -> None:
    """The setting is no from the start, CONFIG GET shows it, and CONFIG SET cannot change it, as in Redis."""
    one = Client()
    assert one.ask(*WORK) == REFUSED
    assert one.ask("CONFIG", "GET", "enable-debug*") == resp("enable-debug-command", "no")
    answer = one.ask("CONFIG", "SET", "enable-debug-command", "yes")
    assert answer.endswith(b"'enable-debug-command') - can't set immutable config\r\n")


@pytest.mark.parametrize(
    ("level", "error"),
    [
        (None, b"-CLUSTERDOWN this node is in no cluster yet; nothing was done\r\n"),
        (0, b"-CLUSTERDOWN this node is in no cluster yet; nothing was done\r\n"),
        (2, b"-ERR DEBUG WORK needs feature level 3; this cluster was founded at level 2\r\n"),
    ],
)
def test_replicas_that_may_not_know_it_are_not_sent_it(level: int | None, error: bytes) -> None:
    """An older release would take it for an unknown command, and be another replica from then on."""
    one = client(level=level)
    assert one.ask(*WORK) == error
    assert not one.service.works


def test_a_wrong_call_is_refused_before_it_is_sent() -> None:
    """What is there needs its own number of words."""
    one = client()
    assert one.ask("DEBUG", "WORK", "2") == one.ask("DEBUG", "OBJECT") == one.ask("DEBUG", "JMAP") == ONLY
    for seconds in ("x", "nan", "inf", "1e10", ""):
        assert one.ask("DEBUG", "SLEEP", seconds) == b"-ERR seconds must be a number\r\n"
    assert one.service.operations == []
    assert one.ask("DEBUG", "WORK", "x", "k") == b"-ERR value is not an integer or out of range\r\n"
    assert one.ask("DEBUG") == b"-ERR wrong number of arguments for 'debug' command\r\n"
    assert not one.service.works


def test_inside_a_transaction_it_is_queued() -> None:
    """Then the transaction writes."""
    one = client()
    assert [one.ask("MULTI"), one.ask(*WORK), one.ask("PING")] == [b"+OK\r\n", *[b"+QUEUED\r\n"] * 2]
    assert one.ask("EXEC") == b"*2\r\n+OK\r\n+PONG\r\n"
    assert one.service.machine.keys() == 1


@pytest.mark.parametrize("one", [client("no"), client(level=2)])
def test_what_is_refused_spoils_a_transaction(one: Client) -> None:
    """As in Redis: nothing of it takes place."""
    one.say(resp("MULTI") + resp("SET", "a", "1"))
    assert one.ask(*WORK).startswith(b"-ERR DEBUG ")
    assert one.ask("EXEC").startswith(b"-EXECABORT")
    assert one.service.machine.keys() == 0
    assert one.service.counters.tally.commands()["DEBUG"].rejected == 1


@pytest.mark.parametrize(
    ("seconds", "ms"), [("0.25", 250), ("3", 3000), ("0", 0), ("-1", 0), ("-inf", 0), ("1e9", 10**12)]
)
def test_a_sleep_is_the_nodes_operation(seconds: str, ms: int) -> None:
    """It waits for what is before it in the pipeline, and what is behind waits for it; nobody else does."""
    one = client()
    one.receive(resp("SET", "a", "1") + resp("DEBUG", "SLEEP", seconds) + resp("GET", "a"))
    assert one.service.operations == []
    one.service.pump_one()
    (operation,) = one.service.operations
    assert operation.asked == Sleep(ms)
    assert one.service.works == []
    assert one.say(b"") == b"+OK\r\n+done DEBUG\r\n$1\r\n1\r\n"


def test_object_tells_the_encoding() -> None:
    """A read like any other: nothing is sent to the log; of no key there is Redis' error."""
    one = client()
    one.say(resp("SET", "number", "1") + resp("HSET", "hash", "f", "v"))
    for key, encoding in (("number", "int"), ("hash", "listpack")):
        one.receive(resp("debug", "object", key))
        (work,) = one.service.works
        assert not work.writes
        assert one.say(b"") == (
            f"+Value at:0x0 refcount:1 encoding:{encoding} lru:0 lru_seconds_idle:0\r\n".encode()
        )
    assert one.ask("DEBUG", "OBJECT", "nope") == b"-ERR no such key\r\n"
    one.receive(resp("DEBUG", "OBJECT", "number"))
    one.service.works.pop().failed(CLUSTERDOWN)
    assert one.wire.take() == b"-CLUSTERDOWN no leader; nothing was done\r\n"


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("STRINGMATCH-LEN", "h*llo", "hello"), b":1\r\n"),
        (("STRINGMATCH-LEN", "h*llo", "world"), b":0\r\n"),
        (("stringmatch-len", "H*LLO", "hello"), b":0\r\n"),
        (("STRINGMATCH-LEN", "H*LLO", "hello", "nocase"), b":1\r\n"),
        (("STRINGMATCH-LEN", "H*LLO", "hello", "nonsense"), b"-ERR syntax error\r\n"),
        (("STRINGMATCH-LEN", "*" * PATTERN_BYTES_MAX, "a" * TEXT_BYTES_MAX), b":1\r\n"),
        (("SET-ACTIVE-EXPIRE", "0"), b"+OK\r\n"),
        (("SET-ACTIVE-EXPIRE", "1"), b"+OK\r\n"),
    ],
)
def test_what_this_node_answers_by_itself(words: tuple[str, ...], answer: bytes) -> None:
    """Alone, and inside a transaction."""
    one = client()
    assert one.ask("DEBUG", *words) == answer
    assert one.service.works == []
    one.say(resp("MULTI") + resp("DEBUG", *words))
    assert one.ask("EXEC") == b"*1\r\n" + answer


def test_a_match_is_bounded() -> None:
    """A longer pattern, or a longer string, would hold up others."""
    one = client()
    for pattern, text in (("a" * (PATTERN_BYTES_MAX + 1), "a"), ("a", "a" * (TEXT_BYTES_MAX + 1))):
        assert one.ask("DEBUG", "STRINGMATCH-LEN", pattern, text).startswith(
            b"-ERR a pattern of at most 128 "
        )


def test_help_names_what_there_is() -> None:
    """Each subcommand has its usage and a line."""
    shown = client().ask("DEBUG", "HELP").decode()
    for word in ("WORK", "OBJECT", "SLEEP", "STRINGMATCH-LEN", "SET-ACTIVE-EXPIRE", "HELP"):
        assert f"\r\n+{word}" in shown


def test_a_transaction_may_look_and_not_sleep() -> None:
    """A transaction is one step, and an operation takes its time."""
    one = client()
    one.say(resp("SET", "a", "1") + resp("MULTI") + resp("DEBUG", "OBJECT", "a"))
    assert one.ask("EXEC").startswith(b"*1\r\n+Value at:0x0 refcount:1 encoding:int ")
    one.ask("MULTI")
    assert one.ask("DEBUG", "SLEEP", "1") == b"-ERR Command not allowed inside a transaction\r\n"
    assert one.ask("EXEC").startswith(b"-EXECABORT")
