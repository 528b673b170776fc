"""What a person is told on top of an error, and what is left as it is."""

import pytest

from tests.front.doubles import Client


@pytest.fixture
def client() -> Client:
    """A fresh connection to a fresh node."""
    return Client()


def test_a_long_value_without_quotes_is_not_said_again(client: Client) -> None:
    """The hint alone: a line of a person's own text would hide it."""
    line = "set name " + " ".join(["word"] * 20)
    assert client.type(line) == "(error) ERR syntax error; a value with spaces goes in quotes\r\n"


def test_quotes_and_backslashes_in_a_value_are_shown_as_they_must_be_typed(client: Client) -> None:
    """What the hint shows can be typed as it stands."""
    shown = client.type("set name c:\\dir '\"my\"' file")
    line = shown.strip().rpartition("in quotes: ")[2]
    assert client.type(line) == "OK\r\n"
    assert client.ask("GET", "name") == b'$16\r\nc:\\dir "my" file\r\n'


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("client setname", "usage: CLIENT SETNAME name"),
        ("set a 1 EX", "usage: SET key value"),
        ("expire a", "usage: EXPIRE key seconds"),
    ],
)
def test_a_wrong_number_of_words_shows_the_usage(client: Client, line: str, hint: str) -> None:
    """Of the subcommand where it is one's; options behind a value are no part of it."""
    assert hint in client.type(line)


@pytest.mark.parametrize("line", ["backup", "WAIT 1 0"])
def test_what_no_transaction_may_hold_is_named(client: Client, line: str) -> None:
    """With the way out: the transaction is spoiled, and a second try inside it would be refused as well."""
    client.type("multi")
    name = line.partition(" ")[0].upper()
    assert client.type(line) == (
        "(error) ERR Command not allowed inside a transaction; "
        f"type discard, then {name} outside of multi\r\n"
    )


@pytest.mark.parametrize("word", ["x" * 25, "zzzzzz"])
def test_what_resembles_no_command_is_told_where_to_look(client: Client, word: str) -> None:
    """Nothing that long is a command, and a far-fetched guess helps nobody."""
    assert client.type(word) == f"(error) ERR unknown command '{word}'; type help\r\n"


@pytest.mark.parametrize("line", ["incr name", "wait x 0"])
def test_other_errors_are_left_as_they_are(client: Client, line: str) -> None:
    """They say what is wrong by themselves."""
    client.type("set name text")
    assert client.type(line) == "(error) ERR value is not an integer or out of range\r\n"


@pytest.mark.parametrize("line", ["config", "CLIENT", "memory"])
def test_a_container_alone_has_no_usage_of_its_own(client: Client, line: str) -> None:
    """Its subcommands have, and the way to them is named; a program gets Redis' error as it stands."""
    name = line.lower()
    error = f"ERR wrong number of arguments for '{name}' command"
    assert client.type(line) == f"(error) {error}; help {name} shows what may follow\r\n"
    assert client.type(f"help {name}").startswith(f"{name.upper()} ")
    assert Client().ask(line) == f"-{error}\r\n".encode()
