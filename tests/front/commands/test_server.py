"""INFO, MEMSTATS, CONFIG, COMMAND, ROLE and their kin."""

from time import process_time
from typing import Never

import attrs
import pytest

from tests.front.doubles import CLUSTERDOWN, Client, resp
from tests.front.records import host_record, node_figures, raft_record
from trikv.front.commands import TABLE
from trikv.front.info.sections import banner
from trikv.raft.roles import Role

BIG = b"\xff" * (8 << 20)


@pytest.fixture
def client() -> Client:
    """A fresh connection to a fresh node."""
    return Client()


@pytest.mark.parametrize(
    ("sections", "present", "absent"),
    [
        ((), ["# Server", "# Raft"], []),
        (("RAFT",), ["# Raft"], ["# Server"]),
        (("raft", "server"), ["# Raft", "# Server"], []),
        (("everything",), ["# Server", "# Raft"], []),
        (("nonsense",), [], ["#"]),
    ],
)
def test_info_sections(
    client: Client, sections: tuple[str, ...], present: list[str], absent: list[str]
) -> None:
    """Named sections only, in any case; an unknown one is empty."""
    text = client.ask("INFO", *sections).decode()
    assert all(heading in text for heading in present)
    assert not any(heading in text for heading in absent)


def test_local_commands_see_what_preceded_them(client: Client) -> None:
    """They are evaluated when the commands before them have been answered."""
    client.receive(resp("CONFIG", "SET", "maxmemory", "1mb") + resp("CONFIG", "GET", "timeout"))
    client.service.settings.timeout_s = 77
    client.service.pump()
    assert client.wire.take() == b"+OK\r\n*2\r\n$7\r\ntimeout\r\n$2\r\n77\r\n"


def test_memstats_is_readable(client: Client) -> None:
    """Sizes in turns a person reads, beside the exact figure."""
    text = client.ask("MEMSTATS").decode()
    assert "cap:     3.0 KiB (50.0 % used)\r\n" in text
    assert "process: 20.0 MiB" in text


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (5 << 20, "5.0 MiB"),
        (3 << 29, "1.5 GiB"),
        (2048 << 30, "2048.0 GiB"),
    ],
)
def test_sizes_are_shown_in_the_largest_unit_that_they_fill(client: Client, size: int, shown: str) -> None:
    """Bytes are whole, all else has one digit behind the point; nothing is larger than a GiB."""
    client.service.figures = attrs.evolve(node_figures(2), host=lambda: host_record(resident_bytes=size))
    text = client.ask("MEMSTATS").decode()
    assert f"process: {shown}  resident\r\n" in text
    assert "cap:     none\r\n" in text


def test_role_speaks_redis_words(client: Client) -> None:
    """Master on the leader, slave elsewhere; connect where no leader is known."""
    assert client.ask("ROLE") == b"*5\r\n$5\r\nslave\r\n$5\r\nnode1\r\n:0\r\n$9\r\nconnected\r\n:7\r\n"
    client.service.raft_now = raft_record(leader=None)
    assert client.ask("ROLE") == b"*5\r\n$5\r\nslave\r\n$0\r\n\r\n:0\r\n$7\r\nconnect\r\n:7\r\n"
    client.service.raft_now = raft_record(role=Role.LEADER, leader=2)
    assert client.ask("ROLE") == b"*3\r\n$6\r\nmaster\r\n:7\r\n*0\r\n"
    assert b"role\r\n$6\r\nmaster" in client.ask("HELLO")


def test_a_node_that_waits_for_the_others_tells_of_itself(client: Client) -> None:
    """It holds nothing and follows nobody: no command that only asks about the node fails."""
    client.service.figures.member = None
    assert client.ask("ROLE") == b"*5\r\n$5\r\nslave\r\n$0\r\n\r\n:0\r\n$7\r\nconnect\r\n:0\r\n"
    assert client.ask("LASTSAVE") == b":999\r\n"
    text = client.ask("MEMSTATS").decode()
    assert "cap:     none\r\nkeys:    0\r\nprocess: 20.0 MiB" in text
    assert b"role\r\n$7\r\nreplica" in client.ask("HELLO")
    assert client.ask("CONFIG", "GET", "maxmemory") == b"*2\r\n$9\r\nmaxmemory\r\n$1\r\n0\r\n"
    assert b"raft_role:blank" in client.ask("INFO", "raft")


def _never_asked() -> Never:
    raise AssertionError("it goes over a whole part of the node")


def test_quick_commands_go_over_no_part_of_the_node(client: Client) -> None:
    """A disk that stalls leaves many entries to go over: HELLO and the like then cost what they always do."""
    member = client.service.figures.member
    assert member is not None
    asked = (client.ask("ROLE"), client.ask("HELLO"), client.ask("CONFIG", "GET", "maxmemory"))
    client.service.figures.member = attrs.evolve(member, raft=_never_asked, applier=_never_asked)
    assert asked == (client.ask("ROLE"), client.ask("HELLO"), client.ask("CONFIG", "GET", "maxmemory"))
    assert banner(client.service.figures) == "node2, follower of node1"
    with pytest.raises(AssertionError):
        client.ask("MEMSTATS")


def test_lastsave_and_time(client: Client) -> None:
    """LASTSAVE is the node's, TIME the machine's."""
    assert client.ask("LASTSAVE") == b":1234\r\n"
    assert client.ask("TIME") == b"*2\r\n$4\r\n1000\r\n$1\r\n0\r\n"


def test_config_get_globs(client: Client) -> None:
    """Several patterns, in any case; a map in RESP3; no match is empty."""
    assert client.ask("CONFIG", "GET", "MAXMEMORY*").startswith(b"*4\r\n$9\r\nmaxmemory\r\n$4\r\n3072\r\n")
    assert client.ask("CONFIG", "GET", "save", "appendonly") == (
        b"*4\r\n$10\r\nappendonly\r\n$3\r\nyes\r\n$4\r\nsave\r\n$0\r\n\r\n"
    )
    assert client.ask("CONFIG", "GET", "nonsense") == b"*0\r\n"
    assert client.ask("CONFIG", "GET") == b"-ERR wrong number of arguments for 'config|get' command\r\n"


def test_config_set_of_this_node(client: Client) -> None:
    """timeout, typed-timeout and maxclients change at once, without a work."""
    client.receive(
        resp("CONFIG", "SET", "timeout", "5", "TYPED-TIMEOUT", "6") + resp("CONFIG", "SET", "maxclients", "7")
    )
    assert client.service.works == []
    assert client.wire.take() == b"+OK\r\n+OK\r\n"
    settings = client.service.settings
    assert (settings.timeout_s, settings.typed_timeout_s, settings.maxclients) == (5, 6, 7)


def test_maxclients_never_passes_what_the_system_leaves(client: Client) -> None:
    """Beyond it Redis' own words are the answer, and nothing changes; also in a transaction."""
    client.service.settings.clients_max = 50
    refused = (
        b"-ERR CONFIG SET failed (possibly related to argument 'maxclients') - The operating system is not "
        b"able to handle the specified number of clients, try with 50\r\n"
    )
    assert client.ask("CONFIG", "SET", "timeout", "5", "maxclients", "51") == refused
    client.receive(resp("MULTI") + resp("CONFIG", "SET", "maxclients", "51") + resp("EXEC"))
    client.service.pump()
    assert client.wire.take() == b"+OK\r\n+QUEUED\r\n*1\r\n" + refused
    assert (client.service.settings.timeout_s, client.service.settings.maxclients) == (0, 100)
    assert client.ask("CONFIG", "SET", "maxclients", "50") == b"+OK\r\n"


def test_config_set_of_the_cap_goes_through_the_log(client: Client) -> None:
    """The cap is replicated state; what is set with it takes effect when the log has taken it."""
    client.receive(resp("CONFIG", "SET", "timeout", "5", "maxmemory", "10mb"))
    (work,) = client.service.works
    assert work.commands == ((b"CONFIG", b"SET", b"maxmemory", b"10mb"),)
    assert work.writes
    assert client.service.settings.timeout_s == 0
    client.service.pump()
    assert client.wire.take() == b"+OK\r\n"
    assert client.service.machine.maxmemory == 10 << 20
    assert client.service.settings.timeout_s == 5
    client.receive(resp("CONFIG", "SET", "timeout", "9", "maxmemory", "10mb"))
    client.service.works.pop().failed(CLUSTERDOWN)
    assert client.service.settings.timeout_s == 5


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (
            ("maxmemory", "abc"),
            "(possibly related to argument 'maxmemory') - argument must be a memory value",
        ),
        (("foo", "bar"), "ERR Unknown option or number of arguments for CONFIG SET - 'foo'"),
        (
            ("timeout", "x"),
            "(possibly related to argument 'timeout') - argument couldn't be parsed into an integer",
        ),
        (("timeout",), "ERR wrong number of arguments for 'config|set' command"),
        (("timeout", "1", "maxclients"), "ERR syntax error"),
        ((), "ERR wrong number of arguments for 'config|set' command"),
        (("maxclients", "0"), "'maxclients') - argument must be between 1 and 4294967295 inclusive"),
        (("timeout", "-1"), "'timeout') - argument must be between 0 and 2147483647 inclusive"),
        (("timeout", "1", "TIMEOUT", "2"), "'timeout') - duplicate parameter"),
        (("appendonly", "no"), "'appendonly') - can't set immutable config"),
    ],
)
def test_config_set_errors_are_redis_own(client: Client, words: tuple[str, ...], error: str) -> None:
    """Nothing is set where anything is wrong."""
    answer = client.ask("CONFIG", "SET", *words).decode()
    assert answer.startswith("-ERR ")
    assert answer.endswith(error + "\r\n")
    assert client.service.settings.timeout_s == 0


@pytest.mark.parametrize(
    ("args", "answer"),
    [
        (("CONFIG", "RESETSTAT"), b"+OK\r\n"),
        (("CONFIG", "foo"), b"-ERR unknown subcommand 'foo'. Try CONFIG HELP.\r\n"),
        (("COMMAND", "foo"), b"-ERR unknown subcommand 'foo'. Try COMMAND HELP.\r\n"),
        (("READONLY",), b"-ERR This instance has cluster support disabled\r\n"),
        (("READWRITE",), b"-ERR This instance has cluster support disabled\r\n"),
        (("SUBSCRIBE", "x"), b"-ERR unknown command 'SUBSCRIBE', with args beginning with: 'x' \r\n"),
    ],
)
def test_small_answers(client: Client, args: tuple[str, ...], answer: bytes) -> None:
    """What is refused or merely accepted."""
    assert client.ask(*args) == answer


ALL = tuple(TABLE)
CONTAINERS = sorted({one.name.partition("|")[0] for one in ALL if "|" in one.name})


@pytest.mark.parametrize("container", CONTAINERS)
def test_the_help_that_an_error_names_is_there(client: Client, container: str) -> None:
    """Whatever has subcommands says "Try … HELP" to others, and HELP tells of each of them."""
    assert client.ask(container, "FOO").endswith(b"Try %b HELP.\r\n" % container.encode())
    shown = client.ask(container, "HELP").decode()
    assert shown.startswith(f"*{len(shown.splitlines()) - 1}\r\n+{container} <subcommand>")
    for one in ALL:
        if one.name.startswith(f"{container}|"):
            assert f"+{one.usage.removeprefix(container).strip()}\r\n+    {one.summary}\r\n" in shown


@pytest.mark.parametrize(
    "command",
    [
        ("nosuch", BIG),
        (BIG,),
        ("CONFIG", BIG),
        ("CONFIG", "GET", BIG),
        ("CONFIG", "GET", *[b"*%d*" % number for number in range(10_000)]),
        ("CONFIG", "SET", BIG, "1"),
        ("COMMAND", "INFO", *["set"] * 10_000),
        ("COMMAND", "DOCS", BIG),
        ("COMMAND", "DOCS", *map(str, range(16_000))),
        ("COMMAND", "GETKEYS", "GET", BIG),
        ("COMMAND", "GETKEYSANDFLAGS", "DEL", *["k"] * 16_000),
        ("INFO", BIG),
        ("HELP", BIG),
        ("CLIENT", BIG),
        ("CLIENT", "SETNAME", BIG),
        ("HELLO", BIG),
        ("AUTH", BIG),
        ("KEYS", BIG),
        ("SCAN", "0", "MATCH", BIG),
        ("EXPIRE", "k", "1", BIG),
        ("INCRBY", "k", BIG),
    ],
    ids=lambda command: " ".join(word if isinstance(word, str) else "big" for word in command[:3]),
)
def test_a_long_argument_costs_no_more_than_its_bytes(
    client: Client, command: tuple[str | bytes, ...]
) -> None:
    """Eight megabytes of no text, or ten thousand words: no election comes of it, whatever is answered."""
    client.ask("PING")
    began = process_time()
    client.ask(*command)
    assert process_time() - began < 0.5
