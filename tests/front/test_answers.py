"""The same bytes, whether at once or in parts."""

from collections.abc import Iterator, Sequence
from sys import getrefcount

import pytest

from tests.front.doubles import Client, resp
from trikv.front.answers import parts, shown
from trikv.front.outflow import PART_BYTES, CutShort
from trikv.front.slots import Exec, Step
from trikv.front.turn import Turn
from trikv.machine.replies import OK, PONG, CommandError, Form, Reply, Streamed
from trikv.protocol.resp import encode


class Kept:
    """What a stream is made from."""

    closed = 0

    def kept(self) -> dict[int, int]:
        return {}

    def close(self) -> None:
        self.closed += 1


def _in_parts(client: Client, replies: list[Reply], *, typed: bool = False) -> list[tuple[bytes, bool]]:
    turn = Turn(0)
    for _ in replies:
        turn.add_command((b"GET", b"k"), Step(typed, (b"PING",)), writes=False)
    return list(parts(client.conversation.caller, turn, replies))


REPLIES: list[Reply] = [
    OK,
    b"x" * (2 * PART_BYTES),
    [b"y" * PART_BYTES, None, [b"z" * PART_BYTES, 1], b""],
    7,
    [b"few"],
]


def test_parts_make_the_same_bytes() -> None:
    """No part is longer than it may be, and each says whether a reply ends with it."""
    made = _in_parts(Client(), REPLIES)
    assert b"".join(data for data, _ in made) == b"".join(encode(reply, 2) for reply in REPLIES)
    assert max(len(data) for data, _ in made) <= PART_BYTES
    assert sum(ends for _, ends in made) == len(REPLIES)
    assert made[-1][1]
    plain = Turn(0, [(b"GET", b"k")] * len(REPLIES))
    assert list(parts(Client().conversation.caller, plain, REPLIES)) == made


@pytest.mark.parametrize("kind", ["pipeline", "list", "mixed", "mixed list", "transaction"])
def test_what_was_made_is_let_go(kind: str) -> None:
    """A client that takes minutes to read a long answer holds only what it has not read."""
    values = [b"%d" % number + bytes(PART_BYTES - 20) for number in range(5)]
    alone = [getrefcount(values[at]) for at in range(5)]
    replies: list[Reply] = [*values] if kind in ("pipeline", "mixed") else [[*values]]
    step, turn = Step(False, (b"GET", b"k")), Turn(0)
    for _ in range(len(replies)):
        if kind == "transaction":
            turn.add(Exec("EXEC", (step,) * len(values), True, False))
            turn.commands.append((b"GET", b"k"))
        elif kind.startswith("mixed"):
            turn.add_command((b"GET", b"k"), step, writes=False)
        else:
            turn.commands.append((b"GET", b"k"))
    coming = parts(Client().conversation.caller, turn, replies)
    made = next(coming)[0]
    del replies
    while values[3] not in made:
        made = next(coming)[0]
    held = [getrefcount(values[at]) - alone[at] for at in range(5)]
    assert held[:3] == [0, 0, 0]
    assert held[4] == 1, "it is still to be sent"


def test_a_long_list_for_a_person_is_shown_whole() -> None:
    """It is laid out by its width, so it is made at once, and then divided."""
    made = _in_parts(Client(), [[b"y" * PART_BYTES, b"z"]], typed=True)
    assert b"".join(data for data, _ in made) == b'1) "' + b"y" * PART_BYTES + b'"\r\n2) "z"\r\n'
    assert [ends for _, ends in made] == [False, True]


def test_what_a_person_is_shown() -> None:
    """Layout, an explained error, and Redis' very bytes for what health checkers type."""
    caller = Client().conversation.caller
    assert shown(caller, b"a", (b"GET", b"k"), typed=True) == b'"a"\r\n'
    assert shown(caller, PONG, (b"ping",), typed=True) == b"+PONG\r\n"
    assert shown(caller, OK, (b"set", b"a", b"1"), typed=True) == b"OK\r\n"
    assert shown(caller, OK, (b"nope",), typed=True) == b"OK\r\n"
    assert shown(caller, CommandError("ERR no"), (b"GET",), typed=True).startswith(b"(error) ERR no")
    assert shown(caller, CommandError("ERR no"), (b"GET",), typed=False) == b"-ERR no\r\n"


def _fails(at: int) -> Streamed:
    def steps() -> Iterator[int | Sequence[Reply]]:
        if at == 0:
            raise ValueError
        yield 2
        yield [b"a"]
        raise ValueError

    return Streamed(steps(), Kept(), lambda problem: CommandError(f"ERR {type(problem).__name__}"))


def test_a_bug_before_the_head_is_an_error() -> None:
    """Nothing of the array was sent yet."""
    assert _in_parts(Client(), [_fails(0)]) == [(b"", True), (b"-ERR ValueError\r\n", True)]


def test_a_bug_after_the_head_cuts_the_answer_short() -> None:
    """The connection is closed: what else is sent would be taken for an element."""
    client = Client()
    coming = parts(client.conversation.caller, Turn(0, [(b"KEYS", b"*")]), [_fails(1)])
    assert next(coming) == (b"", True)
    assert next(coming) == (b"*2\r\n", False)
    assert next(coming) == (b"$1\r\na\r\n", False)
    assert next(coming) == (b"", False)
    with pytest.raises(CutShort):
        next(coming)


def _first(*steps: int | Sequence[Reply], fails: bool = False) -> Streamed:
    def taken() -> Iterator[int | Sequence[Reply]]:
        yield from steps
        if fails:
            raise ValueError

    return Streamed(
        taken(), Kept(), lambda problem: CommandError(f"ERR {type(problem).__name__}"), Form.FIRST
    )


@pytest.mark.parametrize(
    ("streamed", "reply"),
    [
        (_first(0), b"$-1\r\n"),
        (_first([], [], 1, [], [b"a"], [b"never asked for"]), b"$1\r\na\r\n"),
        (_first(1, fails=True), b"-ERR ValueError\r\n"),
    ],
)
def test_of_some_long_reads_only_the_first_row_is_the_reply(streamed: Streamed, reply: bytes) -> None:
    """LPOS and LCS: a value or null, and an error in its place if a bug stops the search."""
    kept = streamed.kept
    assert isinstance(kept, Kept)
    made = _in_parts(Client(), [streamed])
    assert b"".join(data for data, _ in made) == reply
    assert made[-1][1]
    assert kept.closed == 1


def test_the_first_row_is_shown_to_a_person() -> None:
    """As any other value."""
    made = _in_parts(Client(), [_first(1, [b"a"])], typed=True)
    assert b"".join(data for data, _ in made) == b'"a"\r\n'


def test_a_cut_short_answer_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing follows it."""
    client = Client()

    def fails(*_: object) -> Iterator[tuple[bytes, bool]]:
        yield b"x" * (2 << 20), False
        raise CutShort

    client.ask("SET", "k", "x" * (1 << 20))
    monkeypatch.setattr("trikv.front.conversation.parts", fails)
    client.receive(resp("MGET", "k", "k"))
    client.service.pump_one()
    client.service.pump()
    assert client.wire.take() == b"x" * (2 << 20)
    assert client.wire.is_closed
