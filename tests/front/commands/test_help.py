"""HELP: every command can be found by its group, its container or its name."""

import pytest

from tests.front.doubles import Client


@pytest.fixture
def client() -> Client:
    """A fresh connection to a fresh node."""
    return Client()


def test_a_container_shows_its_subcommands(client: Client) -> None:
    """``help config`` is what a person types who does not know the words behind it."""
    shown = client.type("help config")
    assert shown.startswith("CONFIG ")
    assert "CONFIG GET pattern" in shown
    assert "CONFIG SET setting" in shown


def test_a_subcommand_is_found_by_both_words(client: Client) -> None:
    """In any case, with whatever spaces stand around it."""
    assert client.type('help " config get "') == client.type("help CONFIG GET")
    assert client.type("help config get").startswith("CONFIG GET pattern")


def test_every_group_that_is_named_can_be_shown(client: Client) -> None:
    """``help groups`` names what ``help GROUP`` then shows, with all its commands.

    A command of the same name comes before them.
    """
    lines = [line for line in client.type("help groups").splitlines() if ": " in line]
    assert len(lines) > 3
    for line in lines:
        group, _, members = line.partition(": ")
        shown = client.type(f"help {group}").splitlines()
        before = 3 if group in {"keys", "set"} else 0
        assert len(shown) == before + len(members.split(", "))
        for name, told in zip(members.split(", "), shown[before:], strict=True):
            assert told.lower().startswith(name)
    assert client.type("help keys").startswith("KEYS pattern\r\n    ")
    assert client.type("help set").startswith("SET key value ")


def test_help_alone_names_the_groups_and_the_ways_on(client: Client) -> None:
    """Each line that it names can be typed."""
    shown = client.type("help")
    groups = shown.splitlines()[-1].removeprefix("groups: ").split(", ")
    assert {"string", "hash", "list", "set", "sorted-set", "bitmap", "keys", "expiry"} <= set(groups)
    for line in ["help set", "help hash", "help groups", *(f"help {group}" for group in groups)]:
        assert not client.type(line).startswith("(error)"), line
    assert "\r\nhelp hash " in shown


@pytest.mark.parametrize(
    ("line", "same"),
    [
        ("help hashes", "help hash"),
        ("help lists", "help list"),
        ("help strings", "help string"),
        ("help zset", "help sorted-set"),
        ("help sorted set", "help sorted-set"),
        ("help Sorted Sets", "help sorted-set"),
        ("help bits", "help bitmap"),
    ],
)
def test_a_group_has_the_names_that_people_use(client: Client, line: str, same: str) -> None:
    """In the plural, with a blank, or in Redis' short word for it."""
    assert client.type(line) == client.type(same)


def test_a_group_shows_a_line_for_each_command(client: Client) -> None:
    """How it is called, and what it does."""
    lines = client.type("help hash").splitlines()
    assert [line.split()[0] for line in lines] == sorted(line.split()[0] for line in lines)
    assert all(line.startswith("H") and line.endswith(".") for line in lines)
    assert any(line.startswith("HSET key field value ") for line in lines)
    usage, summary = client.type("help hset").splitlines()
    assert usage.startswith("HSET key field value")
    assert summary.startswith("    ")


def test_a_command_with_subcommands_shows_them_too(client: Client) -> None:
    """COMMAND is both, and a person who types its name may want either."""
    usage, summary, nothing, *subcommands = client.type("help command").splitlines()
    assert (usage, summary[:4], nothing) == ("COMMAND", "    ", "")
    assert subcommands[0].startswith("COMMAND COUNT")
    assert all(line.startswith("COMMAND ") for line in subcommands)


def test_a_word_that_is_no_subcommand_is_found_behind_its_command(client: Client) -> None:
    """DEBUG is one command to the log; a person sees two words, and is told what allows them."""
    shown = client.type("help debug work")
    assert shown == client.type("help DEBUG")
    usage, summary = shown.splitlines()
    assert usage.startswith("DEBUG <WORK steps key|OBJECT key|")
    assert client.type("help debug sleep") == shown
    assert "enable_debug_command" in summary


@pytest.mark.parametrize("topic", ["nonsense", "x" * 200, "debug segfault", "set name"])
def test_what_there_is_no_help_on_is_said(client: Client, topic: str) -> None:
    """With the way to what there is, and no more of a long word than fits a line."""
    assert client.type(f"help {topic}") == f"(error) ERR no help on '{topic[:128]}'; type help groups\r\n"
