"""However a pipeline's bytes are cut, and whenever the node answers, the replies are the same."""

from collections.abc import Collection

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.front.doubles import Client, FakeService, resp
from trikv.front.commands import TABLE
from trikv.front.connections import Connections
from trikv.front.intake import ConversationLimits
from trikv.machine.replies import CommandError
from trikv.protocol import requests
from trikv.protocol.events import Args, memory_of

_KEYS = st.sampled_from(["a", "b", "c"])
_COMMANDS = st.one_of(
    st.tuples(st.sampled_from(["GET", "INCR", "DEL", "get", "Ttl", "TYPE"]), _KEYS),
    st.tuples(st.just("SET"), _KEYS, st.sampled_from(["1", "x y", "", "привет"])),
    st.tuples(st.just("APPEND"), _KEYS, st.just("z" * 40)),
    st.tuples(st.just("SELECT"), st.sampled_from(["0", "1", "99"])),
    st.tuples(st.just("HELLO"), st.sampled_from(["2", "3", "4"])),
    st.tuples(st.just("WATCH"), _KEYS),
    st.tuples(st.sampled_from(["MULTI", "EXEC", "DISCARD", "UNWATCH", "RESET", "PING", "BACKUP", "DBSIZE"])),
    st.tuples(st.sampled_from(["GET", "NOPE", "CLIENT"])),
    st.tuples(st.just("ECHO"), st.just("hello")),
    st.tuples(st.just("CONFIG"), st.just("SET"), st.just("maxmemory"), st.sampled_from(["0", "1mb", "x"])),
    st.tuples(st.just("CLIENT"), st.sampled_from(["GETNAME", "ID"])),
)


def typed(command: tuple[str, ...]) -> bytes:
    """The command as a person types it."""
    return " ".join(f'"{word}"' if " " in word or not word else word for word in command).encode() + b"\r\n"


_REQUESTS = st.lists(st.tuples(_COMMANDS, st.booleans()), min_size=1, max_size=25)


@settings(max_examples=120, deadline=None)
@given(_REQUESTS, st.data())
def test_replies_do_not_depend_on_how_bytes_arrive(
    commands: list[tuple[tuple[str, ...], bool]], data: st.DataObject
) -> None:
    """One command at a time, all at once, byte by byte, or cut anywhere with answers coming at any time."""
    pieces = [typed(command) if is_typed else resp(*command) for command, is_typed in commands]
    stream = b"".join(pieces)
    alone = Client()
    expected = b"".join(alone.say(piece) for piece in pieces)

    whole = Client()
    assert whole.say(stream) == expected

    bytewise = Client()
    answered = b"".join(bytewise.say(bytes([byte])) for byte in stream)
    assert answered == expected

    cut = Client(limits=ConversationLimits(turn_commands_max=3, turn_bytes_max=60, backlog_bytes_max=50))
    answered = b""
    position = 0
    while position < len(stream):
        if cut.wire.paused:
            cut.service.pump()
        step = data.draw(st.integers(1, 60))
        cut.receive(stream[position : position + step])
        position += step
        if data.draw(st.booleans()):
            cut.service.pump()
        answered += cut.wire.take()
    cut.service.pump()
    answered += cut.wire.take()
    assert answered == expected
    assert cut.connections.in_flight() == 0


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=12), st.booleans())
def test_any_bytes_leave_the_conversation_sound(
    chunks: list[bytes],
    is_locked: bool,  # noqa: FBT001 - drawn
) -> None:
    """No bytes raise, nothing stays in flight, nothing is sent after closing (the wire checks)."""
    client = Client(FakeService(requirepass="x" if is_locked else ""))
    for chunk in chunks:
        if chunk:
            client.say(chunk)
    assert client.connections.in_flight() == 0
    if not client.wire.is_closed:
        client.conversation.ended()
    assert client.wire.is_closed
    client.conversation.closed()
    assert len(client.connections) == 0


@settings(max_examples=60, deadline=None)
@given(_REQUESTS, st.lists(st.integers(0, 3), max_size=30))
def test_ends_at_any_moment_are_told(commands: list[tuple[tuple[str, ...], bool]], fates: list[int]) -> None:
    """Works answered, failed, connections killed or closed in between: counts stay right, nothing raises."""
    service = FakeService()
    connections = Connections(service.settings)
    client = Client(service, connections)
    stream = b"".join(typed(command) if is_typed else resp(*command) for command, is_typed in commands)
    client.receive(stream)
    for fate in fates:
        if fate == 0 and service.works:
            work = service.works.pop(0)
            work.answered(service.evaluate(work))
        elif fate == 1 and service.works:
            service.works.pop(0).failed(CommandError("CLUSTERDOWN no leader"))
        elif fate == 2:
            connections.close_all("test")
            assert client.wire.is_closed
        elif fate == 3:
            client.receive(stream)
    service.pump()
    assert connections.in_flight() == 0


_WORDS = st.one_of(
    st.binary(max_size=12),
    st.sampled_from(
        [b"ID", b"TYPE", b"normal", b"1", b"0", b"-1", b"maxmemory", b"timeout", b"SETNAME", b"\xff"]
    ),
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([command.name for command in TABLE]), st.lists(_WORDS, max_size=5), st.booleans())
def test_no_arguments_of_any_command_raise(
    name: str,
    words: list[bytes],
    is_locked: bool,  # noqa: FBT001 - drawn
) -> None:
    """Whatever follows the name of a command: one reply, inside and outside of MULTI."""
    client = Client(FakeService(requirepass="x" if is_locked else ""))
    request = resp(*name.split("|"), *words)
    assert client.say(request) or client.wire.is_closed
    client.say(resp("AUTH", "x") + resp("MULTI") + request + resp("EXEC"))
    assert client.connections.in_flight() == 0


@pytest.mark.parametrize(
    ("commands", "joins"),
    [
        pytest.param([("SET", "a", "1")], True, id="write"),
        pytest.param([("SET", "a", "1", "EX", "9")], True, id="long write"),
        pytest.param([("SET", "a", "1"), ("INCR", "b"), ("DEL", "c", "d")], True, id="writes"),
        pytest.param([("SET", "a", "1"), ("GET", "b")], False, id="reads"),
        pytest.param([("MULTI",), ("SET", "a", "1"), ("EXEC",)], False, id="transaction"),
        pytest.param([("SET", "a", "1"), ("SELECT", "1")], False, id="select"),
        pytest.param([("SET", "a", "1"), ("PING",)], False, id="local"),
        pytest.param([("CONFIG", "SET", "maxmemory", "1mb")], False, id="setting"),
    ],
)
def test_which_works_may_share_a_proposal(commands: list[tuple[str, ...]], joins: bool) -> None:  # noqa: FBT001
    """Those of nothing but writes, a step each, that keep to the database; no fewer bytes than there are."""
    client = Client()
    client.receive(b"".join(resp(*command) for command in commands))
    (work,) = client.service.works
    size = sum(len(word) for command in work.commands for word in command)
    assert work.join_bytes >= size if joins else work.join_bytes == 0


def test_a_long_pipeline_is_not_counted_again_with_each_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits behind a turn is told to the register each time, and counted once."""
    counted = 0

    def counting_memory_of(waiting: Collection[Args]) -> int:
        nonlocal counted
        counted += len(waiting)
        return memory_of(waiting)

    monkeypatch.setattr(requests, "memory_of", counting_memory_of)
    client = Client()
    assert client.say(resp("INCR", "a") * 2_000).endswith(b":2000\r\n")
    assert client.connections.input.total == 0
    assert counted <= 2 * 2_000
