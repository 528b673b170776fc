"""The workload sends every command that a node knows, and has a judge for each answer."""

import random
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from trikv.client.replies import ErrorReply
from trikv.front.commands import TABLE as ALL
from trikv.machine.commands import TABLE
from trikv.sim.checkers.meanings import meaning_of
from trikv.sim.knobs import PROFILES, Knobs
from trikv.sim.marks import name_of
from trikv.sim.run import Plan, execute
from trikv.sim.workload import client, of_disk, of_node
from trikv.sim.workload.client import Client
from trikv.sim.workload.draw import DATABASES, Draw
from trikv.sim.workload.profiles import BEHIND, LEFT_OUT, SESSIONS, WEIGHTS, sent_by
from trikv.sim.workload.requests import REQUESTS, Belief, Form, Request, Step, Told

COMMANDS = {command.name for command in ALL}
DRAWS = 300
NAMED_BY_NO_GRAMMAR = {b"DEBUG"}
"""Redis tells of no keys of theirs, and neither do we: their key is behind the second word."""


@pytest.fixture(autouse=True)
def _stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests about time ask for it, and there is no run here."""
    monkeypatch.setattr("trikv.sim.workload.of_time.trio.current_time", lambda: 12.5)


def drawn(one: Request, seed: int = 1) -> Iterator[Step]:
    """Many steps of a request."""
    draw = Draw(random.Random(seed), 7)
    for _ in range(DRAWS):
        yield from one.make(draw)


def sent(requests: Iterable[Request]) -> set[str]:
    """The names of the commands in them."""
    found = set()
    for one in requests:
        mine = {name_of(args) for step in drawn(one) for args in step.wire()}
        assert set(one.names) <= mine, f"{one.make.__name__} says that it sends {set(one.names) - mine}"
        found |= {*one.names, *(mine & {"MULTI", "EXEC", "DISCARD"})}
    return found


def unsent(commands: set[str], requests: Iterable[Request]) -> set[str]:
    """The `commands` that no request sends and that are not in `LEFT_OUT`."""
    return commands - sent(requests) - set(LEFT_OUT)


def test_every_command_of_the_table_is_sent() -> None:
    """A new command needs a request, of a kind that some profile chooses."""
    chosen = {id(one): one for profile in PROFILES for one in sent_by(profile)}
    assert unsent(COMMANDS, chosen.values()) == set()


def test_a_command_that_nobody_sends_is_named() -> None:
    """Also one whose requests are of a kind that no profile chooses."""
    assert unsent({*COMMANDS, "XADD"}, REQUESTS) == {"XADD"}
    assert "FLUSHALL" in unsent(COMMANDS, [one for one in REQUESTS if one.kind != "flush"])


def test_what_is_left_out_exists_and_is_really_not_sent() -> None:
    """With a reason each."""
    assert set(LEFT_OUT) <= COMMANDS
    assert not set(LEFT_OUT) & {name for one in REQUESTS for name in one.names}
    assert all(LEFT_OUT.values())


def test_every_kind_of_request_is_chosen_by_some_profile() -> None:
    """And every kind that a profile chooses has requests, or takes several round trips."""
    chosen = {kind for weights in WEIGHTS.values() for kind in weights}
    kinds = {one.kind for one in REQUESTS}
    assert kinds <= chosen
    assert {kind for kind in chosen if SESSIONS.get(kind) != 1} <= kinds
    assert set(BEHIND) <= kinds


@pytest.mark.parametrize("profile", PROFILES)
def test_the_same_is_sent_in_several_databases(profile: str) -> None:
    """In each profile some connections select others, alone, in pipelines and in transactions."""
    assert {"select", "multi"} <= set(WEIGHTS[profile])
    selects = [
        args
        for one in sent_by(profile)
        if one.kind in {"select", "multi"}
        for step in drawn(one)
        for args in step.commands
        if args[0] == b"SELECT"
    ]
    assert {int(args[1]) for args in selects} == set(DATABASES)
    assert max(DATABASES) == 15


@pytest.mark.parametrize("one", REQUESTS, ids=lambda one: one.make.__name__)
def test_every_answer_has_a_judge(one: Request) -> None:
    """Commands for the machine have a meaning to the checkers, others a judge of their own."""
    for step in drawn(one):
        names = {name_of(args) for args in step.commands}
        assert names <= COMMANDS
        if step.form is Form.LOCAL:
            assert step.judge is not None
        else:
            for args in step.commands:
                meaning = meaning_of(args)
                assert meaning.is_local == (TABLE.get(name_of(args)) is None)
        assert step.form is not Form.COMMAND or len(step.commands) == 1


def test_a_meaning_knows_what_its_command_writes_and_which_keys_it_names() -> None:
    """Otherwise the search would separate operations that belong together."""
    for one in REQUESTS:
        for step in drawn(one):
            for args in step.commands if step.form is not Form.LOCAL else ():
                table = TABLE.get(name_of(args))
                if table is not None:
                    meaning = meaning_of(args)
                    named = args[3:] if args[0] in NAMED_BY_NO_GRAMMAR else tuple(table.keys.among(args))
                    assert tuple(meaning.keys(args)) == named, args
                    assert meaning.writes == table.writes, args


LOCALS = [
    (one, step)
    for module in (of_node, of_disk)
    for one in REQUESTS
    if one.make.__module__ == module.__name__
    for step in [next((s for s in one.make(Draw(random.Random(1), 7)) if s.form is Form.LOCAL), None)]
    if step is not None
]


@pytest.mark.parametrize(("one", "step"), LOCALS, ids=lambda value: getattr(value, "kind", ""))
def test_a_judge_does_not_take_anything(one: Request, step: Step) -> None:
    """A judge refuses an error that this command cannot give, an answer without sense, and none."""
    assert step.judge is not None
    for reply in (ErrorReply("ERR what is this"), object(), None, [b"x"]):
        told = Told(step.commands, [reply] * len(step.wire()), Belief(1), Belief(1), 0.0, 3)
        assert not client._is_right(step.judge, told), (one.names, reply)


def judged(make: Any, commands: tuple[bytes, ...], reply: Any, belief: Belief, waited_s: float = 0.0) -> bool:
    """Whether the judge of `make`'s step with these commands accepts that reply."""
    draw = Draw(random.Random(1), 7)
    for _ in range(DRAWS):
        for step in make(draw):
            if step.judge is not None and step.commands[0][: len(commands)] == commands:
                told = Told(step.commands, [reply], belief, belief, waited_s, 3)
                return client._is_right(step.judge, told)
    raise AssertionError(f"{commands} is never sent")


def test_a_count_of_wait_is_enough_or_waited_for() -> None:
    """A smaller count than was asked for is right only after the given time, and never above the others."""
    wrote, fresh = Belief(1, has_written=True), Belief(1)
    ask = (b"WAIT", b"2", b"500")
    assert judged(of_disk._wait, ask, 2, wrote)
    assert not judged(of_disk._wait, ask, 3, wrote, 9.0)
    assert not judged(of_disk._wait, ask, 1, wrote, 0.4)
    assert judged(of_disk._wait, ask, 1, wrote, 0.5)
    assert judged(of_disk._wait, ask, 1, fresh)


def test_the_line_of_a_client_names_its_database() -> None:
    """CLIENT INFO shows the database that SELECT has chosen, and the name that was given."""
    ninth = Belief(1, database=9, name=b"x")
    assert judged(of_node._client_info, (b"CLIENT", b"INFO"), b"id=1 db=9 sub=0\n", ninth)
    assert not judged(of_node._client_info, (b"CLIENT", b"INFO"), b"id=1 db=0 sub=0\n", ninth)
    assert judged(of_node._client_name, (b"CLIENT", b"GETNAME"), b"x", ninth)
    assert not judged(of_node._client_name, (b"CLIENT", b"GETNAME"), None, ninth)


def test_all_commands_are_answered_in_one_run_and_judged_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request, one after another, without faults except those that clients cause themselves."""
    monkeypatch.undo()  # the clock goes again
    # Modules enter their requests in the order of imports, which the tests that were collected before decide.
    requests = sorted(REQUESTS, key=lambda one: one.make.__module__)
    lots = [(one, name) for one in requests if one.kind != "small cap" for name in one.names]
    # Some are lost when a node stops, a client is killed, or another BACKUP is under way.
    lots = 4 * lots + 3 * [each for each in lots if each[0].kind in {"disk", "end", "node"}]
    random.Random(1).shuffle(lots)
    waiting = iter(lots)

    def next_steps(self: Client, _: str) -> list[Step]:
        one, name = next(waiting, lots[0])
        return next(
            steps
            for steps in (one.make(self._draw) for _ in range(DRAWS))
            if name in {name_of(args) for step in steps for args in step.wire()}
        )

    monkeypatch.setattr(Client, "_steps_of", next_steps)
    knobs = Knobs(profile="whole", clients=8, think_ms=40)
    result = execute(Plan(seed=4, seconds=18, knobs=knobs))
    assert next(waiting, None) is None
    assert result.ok, f"{result.failure}: {result.problem}"
    assert COMMANDS - set(result.commands) - set(LEFT_OUT) == set()
    for looked in ("node stopped in order", "whole dump looked at", "backup looked at"):
        assert result.marks[looked] > 0
    assert result.marks["count of WAIT looked up on platters"] > 0
