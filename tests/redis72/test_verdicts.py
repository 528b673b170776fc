"""Each command and subcommand of Redis 7.2 is answered, not there yet, or refused with its reason."""

import attrs
import pytest

from tests.redis72 import differences
from tests.redis72.answers import answer, call, listed, listed_containers, told
from tests.redis72.facts import Fact, load
from tests.redis72.verdicts import LATER, NOT_YET, OWN, REFUSED, UNKNOWN, Verdict, not_yet, refused, verdicts
from trikv.client.replies import ErrorReply

REDIS = load()
_NO_MORE = "These are answered or told as Redis does: take them off the list"


@pytest.fixture(scope="module")
def ours() -> dict[str, Fact]:
    """What trikv tells of the commands of Redis that it has."""
    return told(REDIS)


@pytest.fixture(scope="module")
def judged(ours: dict[str, Fact]) -> dict[str, Verdict]:
    """The verdict on each name."""
    return verdicts(REDIS, ours)


def _is_unknown(error: str) -> bool:
    return error.startswith((UNKNOWN, "ERR unknown subcommand"))


def test_a_name_stands_once() -> None:
    """No name is in two families, in two refusals, or in a family and a refusal."""
    names = " ".join([*NOT_YET.values(), *(row.names for row in REFUSED)]).split()
    assert sorted(names) == sorted(set(names))


def test_every_name_is_one_of_redis() -> None:
    """A misspelt name, or one that Redis 7.2 does not have, would promise nothing."""
    assert not (not_yet().keys() | refused().keys()) - REDIS.keys()


def test_every_command_has_a_verdict(judged: dict[str, Verdict]) -> None:
    """Whatever trikv does not answer is not there yet or refused: nothing is overlooked or gets lost."""
    assert not REDIS.keys() - judged.keys()


def test_what_is_not_there_yet_is_unknown(judged: dict[str, Verdict]) -> None:
    """An answered name leaves the list; until then a client gets Redis' error for an unknown command."""
    names = [name for name, verdict in judged.items() if verdict is Verdict.NOT_YET]
    assert not [name for name in names if not _is_unknown(call(name))], _NO_MORE


def test_what_is_not_there_yet_is_not_told_of(ours: dict[str, Fact]) -> None:
    """COMMAND INFO tells nothing of it: a client that asks beforehand is not misled."""
    assert not not_yet().keys() & ours.keys(), _NO_MORE


def test_a_container_follows_its_subcommands() -> None:
    """One answered subcommand makes it answered; it is refused only if all of them are."""
    config, script = ["CONFIG", "CONFIG|GET", "CONFIG|REWRITE"], ["SCRIPT", "SCRIPT|DEBUG", "SCRIPT|LOAD"]
    judged = verdicts([*config, *script, "MODULE", "MODULE|LOAD"], {"CONFIG|GET"})
    assert judged["CONFIG"] is Verdict.ANSWERED
    assert judged["SCRIPT"] is Verdict.NOT_YET
    assert judged["MODULE"] is Verdict.REFUSED


def test_a_name_in_no_table_has_no_verdict() -> None:
    """Neither has a container of which nothing is known."""
    assert not {"NOSUCH", "NO", "NO|SUCH"} & verdicts(["NOSUCH", "NO", "NO|SUCH"], ()).keys()


@pytest.mark.parametrize("name", sorted(refused()))
def test_what_is_refused_says_so(name: str) -> None:
    """It is an error each time, the one that its row gives."""
    row = refused()[name]
    error = call(name, "argument")
    assert _is_unknown(error) if row.answer is UNKNOWN else error.startswith(row.answer), error
    assert row.reason.endswith(".")


def test_what_is_answered_is_known(judged: dict[str, Verdict], ours: dict[str, Fact]) -> None:
    """A command that COMMAND INFO tells of is there: it never answers that it is unknown."""
    answered = {name for name, verdict in judged.items() if verdict is Verdict.ANSWERED}
    assert ours.keys() - answered == {name for name in refused() if name in ours} == {"DEBUG"}
    assert not [name for name in answered if _is_unknown(call(name))]


def test_the_words_of_its_own_are_all() -> None:
    """What else COMMAND lists is in `OWN` or `LATER`, so that no name comes by without being looked at."""
    assert listed().keys() - REDIS.keys() == OWN.keys() | LATER


def test_another_name_is_told_as_its_command_is() -> None:
    """DELETE is declared as DEL: arity, flags and keys are the same."""
    for name, of in OWN.items():
        if of:
            assert told([name])[name] == told([of])[of], name


def test_what_command_tells_is_what_redis_tells(judged: dict[str, Verdict], ours: dict[str, Fact]) -> None:
    """Of all commands that both have: arity, flags, keys, categories, tips, group, version, subcommands."""
    containers = {name.partition("|")[0] for name in REDIS if "|" in name}
    answered = {name for name in containers if judged[name] is Verdict.ANSWERED}
    found = [
        *differences.between(ours, REDIS),
        *differences.of_containers(answered, ours, listed_containers()),
    ]
    assert not found


def test_a_difference_is_a_line() -> None:
    """Of commands in both, field by field; what is told of no command is one line for all."""
    get, nothing = (
        REDIS["GET"],
        attrs.evolve(REDIS["GET"], tips=frozenset(), specs=(), since="", marks=frozenset()),
    )
    ours = {"GET": attrs.evolve(nothing, arity=-2, flags=frozenset()), "OURS": nothing}
    assert list(differences.between(ours, {"GET": get, "SET": get})) == [
        "GET arity: -2 | 2",
        "GET flags: none | fast readonly",
        "* tips: nothing of any command |",
        "* specs: nothing of any command |",
        "* since: nothing of any command |",
        "* marks: nothing of any command |",
    ]


def test_a_nil_is_told_of_what_is_not_there() -> None:
    """COMMAND INFO keeps the place of a name that it does not know."""
    assert answer("COMMAND", "INFO", "xadd", "get")[0] is None
    assert not isinstance(answer("COMMAND", "INFO", "xadd"), ErrorReply)
