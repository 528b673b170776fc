"""COMMAND and its subcommands: what clients are told, in Redis 7.2's shapes."""

from time import process_time
from typing import Any

import pytest

from tests.front.doubles import Client, FakeService, resp
from trikv.client.replies import ErrorReply, new_reader
from trikv.front.commands import TABLE
from trikv.front.connections import Connections
from trikv.front.dispatch import Routes
from trikv.machine.declaration import By, Told
from trikv.machine.keyspec import Args, Found, Index, KeyNumber, KeySpec, Keyword, Range
from trikv.machine.replies import Reply
from trikv.machine.table import CommandTable

OWN = CommandTable()


@OWN.command(
    "EVAL",
    by=By.LOG,
    group="scripting",
    specs=[KeySpec(Index(2), KeyNumber())],
    told=Told(flags="noscript stale skip_monitor no_mandatory_keys"),
)
@OWN.command(
    "XREAD",
    by=By.READ,
    group="stream",
    open_least=2,
    specs=[KeySpec(Keyword("STREAMS", 1), Range(-1, 1, 2), "RO access")],
)
@OWN.command("GROUP|MAKE", by=By.LOG, group="stream")
def handler(_db: object, *_words: bytes) -> Reply:
    """Do nothing."""
    return None


def _last(args: Args) -> list[Found]:
    return [(len(args) - 1, "OW update")]


OWN.command("SORT", by=By.LOG, group="keys", specs=[KeySpec(None, None, "OW update")], finder=_last)(handler)


@pytest.fixture
def client() -> Client:
    """A connection to a node that has some commands of its own."""
    service = FakeService()
    return Client(service, Connections(service.settings), routes=Routes(TABLE.merged_with(OWN)))


def ask(client: Client, *args: str) -> Any:
    """The reply, parsed."""
    reader = new_reader()
    reader.feed(client.ask(*args))
    return _text(reader.gets())


def _text(told: Any) -> Any:
    if isinstance(told, bytes):
        return told.decode()
    return [_text(one) for one in told] if isinstance(told, list) else told


def test_command_describes_every_command(client: Client) -> None:
    """COUNT, INFO and DOCS agree: every command and container, no subcommand."""
    count = ask(client, "COMMAND", "COUNT")
    assert count > 70
    assert len(ask(client, "COMMAND")) == len(ask(client, "COMMAND", "INFO")) == count
    assert len(ask(client, "COMMAND", "DOCS")) == 2 * count
    names = [one[0] for one in ask(client, "COMMAND")]
    assert names == sorted(names, key=str.upper)
    assert {"client", "config", "group"} <= set(names)


def test_info_has_redis_ten_fields(client: Client) -> None:
    """To the byte what redis-server 7.2.4 says of GET; an unknown name is null."""
    assert client.ask("COMMAND", "INFO", "GeT", "nope") == (
        b"*2\r\n*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n"
        b"*3\r\n+@read\r\n+@string\r\n+@fast\r\n*0\r\n*1\r\n*6\r\n$5\r\nflags\r\n*2\r\n+RO\r\n+access\r\n"
        b"$12\r\nbegin_search\r\n*4\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n*2\r\n$5\r\nindex\r\n:1\r\n"
        b"$9\r\nfind_keys\r\n*4\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n*6\r\n$7\r\nlastkey\r\n:0\r\n"
        b"$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n*0\r\n$-1\r\n"
    )


def test_info_in_resp3_has_sets_and_maps(client: Client) -> None:
    """As Redis: flags, categories and specs are sets, a spec is a map."""
    client.ask("HELLO", "3")
    told = client.ask("COMMAND", "INFO", "rename")
    assert told.startswith(b"*1\r\n*10\r\n$6\r\nrename\r\n:3\r\n~1\r\n+write\r\n:1\r\n:2\r\n:1\r\n~3\r\n")
    assert b"~0\r\n~2\r\n%3\r\n$5\r\nflags\r\n~3\r\n+RW\r\n+access\r\n+delete\r\n" in told


def test_a_container_lists_its_subcommands(client: Client) -> None:
    """It is told of though it is no command; COMMAND itself is both."""
    (config, single), (command,) = (
        ask(client, "COMMAND", "INFO", "config", "config|get"),
        ask(client, "COMMAND", "INFO", "command"),
    )
    assert config[:9] == ["config", -2, [], 0, 0, 0, ["@slow"], [], []]
    assert [part[0] for part in config[9]] == ["config|get", "config|help", "config|resetstat", "config|set"]
    assert single == config[9][0]
    assert command[:2] == ["command", -1]
    assert "command|getkeys" in [part[0] for part in command[9]]


@pytest.mark.parametrize(
    ("name", "begin", "find"),
    [
        ("eval", ["index", ["index", 2]], ["keynum", ["keynumidx", 0, "firstkey", 1, "keystep", 1]]),
        (
            "xread",
            ["keyword", ["keyword", "STREAMS", "startfrom", 1]],
            ["range", ["lastkey", -1, "keystep", 1, "limit", 2]],
        ),
        ("sort", ["unknown", []], ["unknown", []]),
    ],
)
def test_where_keys_are_is_told(client: Client, name: str, begin: list[Any], find: list[Any]) -> None:
    """By number, behind a word, or that nobody can tell before the call."""
    ((*_, flags, _, _, _, _, _, specs, _),) = ([*one] for one in ask(client, "COMMAND", "INFO", name))
    assert "movablekeys" in flags
    ((_, _, _, (_, kind, _, spec), _, (_, how, _, places)),) = specs
    assert ([kind, spec], [how, places]) == (begin, find)


def test_docs(client: Client) -> None:
    """Summary, since, group and complexity; what Redis advises against, and what it advises instead."""
    (_, told) = ask(client, "COMMAND", "DOCS", "setnx")
    told = dict(zip(told[::2], told[1::2], strict=True))
    assert told.pop("summary").endswith(".")
    assert told == {
        "since": "1.0.0",
        "group": "string",
        "complexity": "O(1)",
        "doc_flags": ["deprecated"],
        "deprecated_since": "2.6.12",
        "replaced_by": "`SET` with the `NX` argument",
        "arguments": [
            ["name", "key", "type", "key", "display_text", "key", "key_spec_index", 0],
            ["name", "value", "type", "string", "display_text", "value"],
        ],
    }


def test_docs_of_a_container_hold_those_of_its_parts(client: Client) -> None:
    """And of several names those that there are, each once."""
    names = ["memory", "nope", "get", "GET", "debug", "memory|usage"]
    reply = ask(client, "COMMAND", "DOCS", *names)
    told = dict(zip(reply[::2], reply[1::2], strict=True))
    assert list(told) == ["memory", "get", "debug", "memory|usage"]
    assert told["memory"][:2] == ["summary", "Tells of memory: subcommands."]
    assert told["memory"][-2] == "subcommands"
    assert told["memory"][-1][-2:] == ["memory|usage", told["memory|usage"]]
    assert ["syscmd"] in told["debug"]


def test_docs_of_options(client: Client) -> None:
    """Groups of arguments, as the usage has them: redis-cli makes its hints of it."""
    _, told = ask(client, "COMMAND", "DOCS", "expire")
    *_, condition = told[-1]
    assert condition[:6] == ["name", "nx", "type", "oneof", "flags", ["optional"]]
    assert condition[7][0] == ["name", "nx", "type", "pure-token", "display_text", "nx", "token", "NX"]


def test_list(client: Client) -> None:
    """Every command, container and subcommand; of a category; by a pattern. There are no modules."""
    names = ask(client, "COMMAND", "LIST")
    assert {"get", "config", "config|get", "memory|usage"} <= set(names)
    assert names == sorted(names, key=str.upper)
    of_connection = ask(client, "COMMAND", "LIST", "FILTERBY", "ACLCAT", "CONNECTION")
    assert {"ping", "client|id", "command|list"} <= set(of_connection)
    assert "get" not in of_connection
    by_pattern = ask(client, "command", "list", "filterby", "pattern", "CON*|*S*T")
    assert by_pattern == ["config|resetstat", "config|set"]
    assert ask(client, "COMMAND", "LIST", "FILTERBY", "ACLCAT", "nope") == []
    assert ask(client, "COMMAND", "LIST", "FILTERBY", "MODULE", "json") == []


@pytest.mark.parametrize(
    "words",
    [("FILTERBY",), ("FILTERBY", "PATTERN"), ("FILTERBY", "AUTHOR", "x"), ("NOPE", "PATTERN", "x")],
)
def test_list_takes_one_filter(client: Client, words: tuple[str, ...]) -> None:
    """Anything else is a syntax error."""
    assert client.ask("COMMAND", "LIST", *words) == b"-ERR syntax error\r\n"


def test_a_pattern_is_bounded(client: Client) -> None:
    """As every pattern here."""
    assert client.ask("COMMAND", "LIST", "FILTERBY", "PATTERN", "*" * 5000).startswith(b"-ERR ")


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        ("get a", ["a"]),
        ("MSET a 1 b 2", ["a", "b"]),
        ("memory usage a", ["a"]),
        ("EVAL s 2 a b c", ["a", "b"]),
        ("EVAL s 0", []),
        ("XREAD COUNT 1 STREAMS a b 0 0", ["a", "b"]),
        ("SORT x y", ["y"]),
        ("nope a", "Invalid command specified"),
        ("ping", "The command has no key arguments"),
        ("get", "Invalid number of arguments specified for command"),
        ("get a b", "Invalid number of arguments specified for command"),
        ("XREAD COUNT 1", "Invalid arguments specified for command"),
    ],
)
def test_the_keys_of_a_call(client: Client, line: str, keys: list[str] | str) -> None:
    """As Redis tells them, or with Redis' errors; the call is not carried out."""
    told = ask(client, "COMMAND", "GETKEYS", *line.split())
    assert (f"ERR {keys}" if isinstance(keys, str) else keys) == (
        str(told) if isinstance(told, ErrorReply) else told
    )


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        ("SET a 1", [["a", ["OW", "update"]]]),
        ("SET a 1 NX get", [["a", ["RW", "access", "update"]]]),
        ("RENAME a b", [["a", ["RW", "access", "delete"]], ["b", ["OW", "update"]]]),
        ("DEL a b", [["a", ["RM", "delete"]], ["b", ["RM", "delete"]]]),
    ],
)
def test_how_a_call_accesses_its_keys(client: Client, line: str, keys: list[Any]) -> None:
    """Redis' flags of each key."""
    assert ask(client, "COMMAND", "GETKEYSANDFLAGS", *line.split()) == keys


def test_what_one_info_describes_is_bounded(client: Client) -> None:
    """By names, and by what they make: a container counts with all its subcommands."""
    assert len(ask(client, "COMMAND", "INFO", *["get"] * 384)) == 384
    assert len(ask(client, "COMMAND", "INFO", *["nope"] * 1024)) == 1024
    for names in (["get"] * 385, ["config"] * 77, ["nope"] * 1025):
        assert client.ask("COMMAND", "INFO", *names).startswith(b"-ERR ")


def test_what_one_docs_explains_is_bounded(client: Client) -> None:
    """By the same count of names, whether there are such commands or not."""
    assert len(ask(client, "COMMAND", "DOCS", *["nope"] * 1023, "get")) == 2
    told = client.ask("COMMAND", "DOCS", *["nope"] * 1024, "get")
    assert told == b"-ERR 1025 names: at most 1024\r\n"


@pytest.mark.parametrize("word", ["GETKEYS", "GETKEYSANDFLAGS"])
def test_the_call_whose_keys_are_told_is_bounded(client: Client, word: str) -> None:
    """Its arguments are counted before anything is looked up, so that the refusal does not depend on them."""
    assert len(ask(client, "COMMAND", word, "DEL", *["k"] * 1023)) == 1023
    for name in ("DEL", "nope"):
        told = client.ask("COMMAND", word, name, *["k"] * 1024)
        assert told == b"-ERR 1025 arguments: at most 1024\r\n"


def test_keys_of_one_access_share_their_flags(client: Client) -> None:
    """In both protocols each key has its own access, and they do not mix."""
    pairs = [["a", ["RW", "access", "delete"]], ["b", ["OW", "update"]]]
    assert ask(client, "COMMAND", "GETKEYSANDFLAGS", "RENAME", "a", "b") == pairs
    client.ask("HELLO", "3")
    assert client.ask("COMMAND", "GETKEYSANDFLAGS", "DEL", "a", "b") == (
        b"*2\r\n*2\r\n$1\r\na\r\n~2\r\n+RM\r\n+delete\r\n*2\r\n$1\r\nb\r\n~2\r\n+RM\r\n+delete\r\n"
    )


@pytest.mark.parametrize(("word", "most"), [("GETKEYS", 4), ("GETKEYSANDFLAGS", 1)])
def test_the_keys_of_many_calls_are_told_in_several_turns(client: Client, word: str, most: int) -> None:
    """What the longest call takes is declared, and a turn ends when it has spent its ten milliseconds."""
    call = resp("COMMAND", word, "DEL", *["k"] * 1023)
    began = process_time()
    client.receive(call * 9)
    assert client.wire.take().count(b"*1023\r\n") == most
    assert process_time() - began < 0.25


def test_calls_behind_a_write_are_told_in_several_steps(client: Client) -> None:
    """When its reply comes, the turn that it held up is answered and one more gathered; then others come."""
    client.receive(resp("SET", "a", "1") + resp("COMMAND", "GETKEYSANDFLAGS", "DEL", *["k"] * 1023) * 5)
    told = []
    while client.service.works:
        client.service.pump_one()
        told.append(client.wire.take().count(b"*1023\r\n"))
    assert (sum(told), max(told)) == (5, 2)


def test_its_cost_bounds_a_turn(client: Client) -> None:
    """Two descriptions of everything are two turns: others come in between."""
    client.receive(resp("COMMAND") + resp("COMMAND") + resp("COMMAND"))
    assert 0 < client.wire.take().count(b"*10\r\n$3\r\nget\r\n") < 3


def test_help_names_them(client: Client) -> None:
    """Of every container."""
    assert b"+GETKEYS command [argument ...]\r\n" in client.ask("COMMAND", "HELP")
    assert b"+RESETSTAT\r\n" in client.ask("CONFIG", "HELP")
