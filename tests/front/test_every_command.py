"""Who answers a command, and when: seen from outside, for every command there is."""

import pytest

from tests.front.doubles import Client, resp
from trikv.front.commands import TABLE


@pytest.fixture
def client() -> Client:
    """A fresh connection to a fresh node."""
    return Client()


@pytest.mark.parametrize(
    ("words", "writes"),
    [(("SET", "a", "1"), True), (("GET", "a"), False), (("TIME",), False), (("FLUSHALL",), True)],
)
def test_the_machines_commands_are_submitted(client: Client, words: tuple[str, ...], *, writes: bool) -> None:
    """A write travels through the log, a read asks a quorum; neither is answered before."""
    client.receive(resp(*words))
    assert [work.writes for work in client.service.works] == [writes]
    assert client.wire.sent == []


@pytest.mark.parametrize(
    "words", [("PING",), ("CLIENT", "ID"), ("CONFIG", "GET", "timeout"), ("COMMAND", "COUNT")]
)
def test_a_nodes_own_commands_ask_nobody(client: Client, words: tuple[str, ...]) -> None:
    """They are answered while the cluster has no leader, too."""
    client.receive(resp(*words))
    assert client.service.works == []
    assert len(client.wire.sent) == 1


def test_a_name_is_found_however_it_is_spelled(client: Client) -> None:
    """All upper, all lower and mixed are one command, in a container's second word as well."""
    for spelled in ("CONFIG", "config", "CoNfIg"):
        for second in ("GET", "get", "gEt"):
            assert client.ask(spelled, second, "timeout") == b"*2\r\n$7\r\ntimeout\r\n$1\r\n0\r\n"


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ((b"GET", b"a"), "GET"),
        ((b"gEt",), "GET"),
        ((b"config", b"set", b"x"), "CONFIG|SET"),
        ((b"CONFIG", b"nope"), ""),
        ((b"nope",), ""),
        ((b"\xff\xfe",), ""),
        ((), ""),
    ],
)
def test_a_call_is_named_whatever_its_arity(words: tuple[bytes, ...], name: str) -> None:
    """What is counted of a refused call: its command's name, or nothing where there is no such command."""
    assert TABLE.name_of(words) == name


def test_only_greeting_and_leaving_are_possible_before_the_password(client: Client) -> None:
    """Of all commands there are, at their least number of arguments."""
    client.service.settings.requirepass = "x"
    open_ = set()
    for command in TABLE:
        stranger = Client(client.service)
        words = command.name.split("|")
        answer = stranger.ask(*words, *["1"] * (command.least - len(words)))
        if not answer.startswith(b"-NOAUTH Authentication required."):
            open_.add(command.name)
    assert open_ == {"AUTH", "HELLO", "QUIT", "EXIT", "RESET"}
