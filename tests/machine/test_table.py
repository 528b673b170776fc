"""The command table: grammar from signatures, lookup, errors."""

import pytest

from trikv.machine.commands import TABLE
from trikv.machine.database import Database
from trikv.machine.declaration import By, Command, Container
from trikv.machine.grammar import Key
from trikv.machine.replies import CommandError, Reply
from trikv.machine.table import CommandTable
from trikv.machine.telling import flags_of


def found(*args: bytes) -> Command:
    """The command that must be found."""
    command = TABLE.find(args)
    assert isinstance(command, Command), command
    return command


def refused(*args: bytes) -> str:
    """The error that must be answered."""
    error = TABLE.find(args)
    assert isinstance(error, CommandError), error
    return error.text


@pytest.mark.parametrize(
    ("name", "arity", "keys", "flags"),
    [
        ("GET", 2, (1, 1, 1), ("readonly", "fast")),
        ("SET", -3, (1, 1, 1), ("write", "denyoom")),
        ("MSET", -3, (1, -1, 2), ("write", "denyoom")),
        ("DEL", -2, (1, -1, 1), ("write",)),
        ("RENAME", 3, (1, 2, 1), ("write",)),
        ("DBSIZE", 1, (0, 0, 0), ("readonly", "fast")),
        ("FLUSHALL", -1, (0, 0, 0), ("write",)),
        ("MEMORY|USAGE", -3, (2, 2, 1), ("readonly",)),
    ],
)
def test_grammar_is_read_from_the_signature(
    name: str, arity: int, keys: tuple[int, int, int], flags: tuple[str, ...]
) -> None:
    """Arity, key positions and flags are what Redis' COMMAND INFO tells."""
    command = TABLE.get(name.lower())
    assert command is not None
    assert command.arity == arity
    assert (command.keys.first, command.keys.last, command.keys.step) == keys
    assert flags_of(command) == flags


def test_usage_and_summary_come_from_signature_and_docstring() -> None:
    """Help is never typed twice."""
    assert found(b"GET", b"k").usage == "GET key"
    assert found(b"DEL", b"k").usage == "DEL key [key ...]"
    assert found(b"SETNX", b"k", b"v").summary == "Set a key only if it is absent; 1 if it was."
    assert found(b"config", b"set", b"a", b"b").usage == "CONFIG SET setting value [setting value ...]"
    assert all(command.summary and command.group and command.usage for command in TABLE)


def test_names_in_any_case() -> None:
    """Upper, lower, mixed: one command."""
    assert found(b"GET", b"k") is found(b"get", b"k") is found(b"gEt", b"k")
    assert found(b"MEMORY", b"usage", b"k") is found(b"memory", b"USAGE", b"k")


def test_aliases() -> None:
    """The typed words do what their Redis commands do."""
    for word, name in ((b"delete", b"DEL"), (b"count", b"DBSIZE"), (b"clean", b"FLUSHALL")):
        args = (b"k",) if word == b"delete" else ()
        assert found(word, *args).handler is found(name, *args).handler
    assert refused(b"delete") == "ERR wrong number of arguments for 'delete' command"


def test_errors_of_lookup() -> None:
    """Redis' words for unknown commands, unknown subcommands and wrong arity."""
    assert refused(b"foo", b"a", b"b") == "ERR unknown command 'foo', with args beginning with: 'a' 'b' "
    assert refused(b"foo") == "ERR unknown command 'foo', with args beginning with: "
    assert (
        refused(b"f\r\no\xff", b"a\0b") == "ERR unknown command 'f  o\ufffd', with args beginning with: 'a' "
    )
    long = refused(b"n" * 200, b"x" * 100, b"y" * 100, b"z")
    assert long == f"ERR unknown command '{'n' * 128}', with args beginning with: '{'x' * 100}' '{'y' * 25}' "
    assert refused(b"get") == "ERR wrong number of arguments for 'get' command"
    assert refused(b"GET", b"a", b"b") == "ERR wrong number of arguments for 'get' command"
    assert refused(b"memory") == "ERR wrong number of arguments for 'memory' command"
    assert refused(b"memory", b"Foo") == "ERR unknown subcommand 'Foo'. Try MEMORY HELP."
    assert refused(b"memory", b"usage") == "ERR wrong number of arguments for 'memory|usage' command"
    assert refused() == "ERR unknown command '', with args beginning with: "


def test_the_keys_of_a_call() -> None:
    """Those among its arguments that its declaration names."""

    def keys(line: str) -> list[bytes]:
        args = line.encode().split()
        return list(found(*args).keys.among(args))

    assert keys("MSET a 1 b 2") == [b"a", b"b"]
    assert keys("GET a") == keys("MEMORY USAGE a") == [b"a"]
    assert keys("DBSIZE") == []


def test_a_set_that_answers_the_old_value_reads_it() -> None:
    """Only then it accesses its key otherwise than by overwriting it."""
    finds = found(b"SET", b"a", b"1").keys.find
    assert finds((b"SET", b"get", b"get")) == finds((b"SET", b"get", b"1", b"NX")) == ((1, "OW update"),)
    assert finds((b"SET", b"a", b"1", b"NX", b"Get")) == ((1, "RW access update"),)


def test_name_of() -> None:
    """Whose call it is, whatever its arity; nothing if it is no command's."""
    assert TABLE.name_of((b"get",)) == TABLE.name_of((b"gEt", b"a", b"b")) == "GET"
    assert TABLE.name_of((b"Memory", b"usage")) == "MEMORY|USAGE"
    assert TABLE.name_of((b"MEMORY", b"nosuch")) == TABLE.name_of((b"nosuch",)) == TABLE.name_of(()) == ""


def test_merging() -> None:
    """A node's own table goes over the machine's; a plain command and its subcommands live together."""
    local = CommandTable()

    @local.command("GET", by=By.NODE, group="test")
    @local.command("COMMAND", by=By.NODE, group="test")
    @local.command("COMMAND|COUNT", by=By.NODE, group="test")
    def handler(_db: Database, *_keys: Key) -> Reply:
        return None

    merged = TABLE.merged_with(local)
    assert len(merged) == len(TABLE) + 2
    get, whole, count = (merged.find(args) for args in ((b"GET",), (b"command",), (b"Command", b"count")))
    assert isinstance(get, Command)
    assert get.by is By.NODE
    assert isinstance(whole, Command)
    assert whole.name == "COMMAND"
    assert isinstance(count, Command)
    assert count.name == "COMMAND|COUNT"
    assert found(b"GET", b"a").by is By.READ


def test_undocumented_handler_has_no_summary() -> None:
    """The table does not invent help."""
    table = CommandTable()

    @table.command("X", by=By.READ, group="test")
    def handler(_db: Database) -> Reply:
        return None

    (command,) = table
    assert command.summary == ""


def test_a_container_is_told_of_and_is_no_command() -> None:
    """What is declared of it stays, whichever of two tables has more of its subcommands."""
    table = CommandTable()

    @table.command("MEMORY|HELP", by=By.NODE, group="server")
    @table.command("OTHER|HELP", by=By.NODE, group="connection")
    def handler(_db: Database) -> Reply:
        return None

    merged = TABLE.merged_with(table)
    assert merged.container("memory") == TABLE.container("MEMORY")
    assert merged.container("other") == Container("OTHER", "", "connection", "")
    assert merged.container("GET") is None
    assert {one.name for one in merged.containers()} == {"MEMORY", "CONFIG", "OBJECT", "OTHER"}
    assert [one.name for one in merged.subcommands("MEMORY")] == ["MEMORY|HELP", "MEMORY|USAGE"]
    assert merged.get("MEMORY") is None


def test_what_a_level_knows() -> None:
    """Names of later commands are told of what they need, subcommands too; all else is as it was."""
    table = CommandTable(2)

    @table.command("OLD", by=By.READ, group="test", level=1)
    @table.command("NEW", by=By.READ, group="test")
    @table.command("MEMORY|NEW", by=By.READ, group="test", level=3)
    def handler(_db: Database) -> Reply:
        return None

    table.add_container(Container("MEMORY", "Tells.", "server", ""))
    assert table.at_level(3) is table
    known = table.at_level(1)
    assert [one.name for one in known] == ["OLD"]
    assert known.container("MEMORY") == table.container("MEMORY")
    for args, name, level in (((b"new", b"x"), "NEW", 2), ((b"memory", b"new"), "MEMORY NEW", 3)):
        error = known.find(args)
        assert isinstance(error, CommandError)
        assert error.text.startswith(
            f"ERR {name} needs feature level {level}; this cluster was founded at level 1"
        )
    assert known.find((b"other",)) == table.find((b"other",))
    assert isinstance(table.at_level(2).find((b"NEW",)), Command)
