"""Any commands get the replies of redis-server 7.0.15, to the type and the letter, over RESP2 and RESP3.

The trikv side is the whole front, a `Conversation` over a real machine: what is compared is what a client
would be sent. So the encoding of replies, MULTI and long answers are tested with the commands, for a tenth
of a millisecond a command; Hypothesis takes ten times that to draw one.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import ModuleType
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.differential import (
    bits,
    geo,
    hashes,
    hyperloglogs,
    keys,
    lists,
    sets,
    sorted_algebra,
    sorted_ranges,
    sorted_sets,
    sorting,
    strings,
)
from tests.differential.differences import DIFFERENCES, Difference
from tests.differential.engine import DifferentError, Pair
from tests.differential.shrinking import shrunk
from tests.differential.sides import Redis
from tests.differential.words import Command, Words, weighted
from tests.redis_server import RedisServer
from trikv.machine.values import list as list_module
from trikv.machine.values import members, score_index, value

STEPS: Final = int(os.environ.get("TRIKV_DIFFERENTIAL_STEPS", "500"))
"""Commands of each test."""
_A_SEQUENCE: Final = 50
"""Commands in a row, on an empty server."""
_COLLECTIONS: Final = (hashes, lists, sets, sorted_sets, sorted_ranges, sorted_algebra, geo, sorting)
FAMILIES: Final = (strings, keys, bits, hyperloglogs, *_COLLECTIONS)

Run = Callable[[Pair, list[Command]], None]

# Commands of a row may have kilobytes together; which of them matter, `shrunk` says.
pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    """A connection to a redis-server of our own."""
    with RedisServer() as server, server.connect():  # which waits until it serves
        connection = Redis(server.port)
        yield connection
        connection.close()


def sequences(commands: Words) -> st.SearchStrategy[list[Command]]:
    """About `_A_SEQUENCE` of these commands; a failing row is shrunk to those that it takes."""
    padded = st.lists(weighted((30, commands), (1, st.none())), min_size=_A_SEQUENCE, max_size=_A_SEQUENCE)
    return padded.map(lambda drawn: [command for command in drawn if command is not None])


def compare(pair: Callable[[], Pair], commands: Words, run: Run = Pair.run, steps: int = STEPS) -> None:
    """Run sequences of commands, each on a new pair, until there were as many steps."""
    done = 0
    failed: list[list[Command]] = []

    # Hypothesis may take minutes to shrink so long a row; `shrunk` takes some hundred runs. And after ten
    # examples it would draw only one in seven anew, and change one place in the others.
    @settings(
        max_examples=10,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(sequences(commands))
    def once(drawn: list[Command]) -> None:
        nonlocal done
        done += len(drawn)
        try:
            run(pair(), drawn)
        except DifferentError:
            failed.append(drawn)
            raise

    while done < steps:
        try:
            once()
        except DifferentError:
            fewest = shrunk(failed[-1], lambda some: differs(pair(), run, some))
            run(pair(), fewest)
            raise  # it did not differ again: it is told as it was found


def differs(pair: Pair, run: Run, commands: list[Command]) -> bool:
    """Whether these get another reply that is not listed."""
    try:
        run(pair, commands)
    except DifferentError:
        return True
    return False


@contextmanager
def small_parts() -> Iterator[None]:
    """Values of two elements are held in parts, of a few elements each."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (value, members, list_module):
            patch.setattr(module, "PACKED_COUNT_MAX", 1)
        patch.setattr(members, "MEAN", 4)
        patch.setattr(list_module, "PART_COUNT", 4)
        patch.setattr(score_index, "CHUNK_COUNT", 4)
        yield


def short_name(module: ModuleType) -> str:
    """The last part of its name."""
    return module.__name__.rpartition(".")[2]


in_both_protocols = pytest.mark.parametrize("version", [2, 3])
of_all = pytest.mark.parametrize("family", FAMILIES, ids=short_name)
of_collections = pytest.mark.parametrize("family", _COLLECTIONS, ids=short_name)


@in_both_protocols
@of_all
def test_same_replies(redis: Redis, family: ModuleType, version: int) -> None:
    """Whatever the arguments, errors included."""
    compare(lambda: Pair(redis, version), family.COMMANDS)


@in_both_protocols
@of_collections
def test_same_replies_of_values_in_parts(redis: Redis, family: ModuleType, version: int) -> None:
    """However values are divided."""
    with small_parts():
        compare(lambda: Pair(redis, version, in_parts=True), family.COMMANDS)


@in_both_protocols
@of_collections
def test_same_replies_about_the_limits_of_packed_values(
    redis: Redis, family: ModuleType, version: int
) -> None:
    """Of up to 600 elements of up to 65 bytes: values are packed before some command, in parts behind it."""
    compare(lambda: Pair(redis, version), weighted((1, family.MANY), (5, family.COMMANDS)))


@in_both_protocols
@of_all
def test_same_replies_in_transactions(redis: Redis, family: ModuleType, version: int) -> None:
    """Three commands in each: what is queued, what is refused, and what EXEC answers."""

    def run(pair: Pair, drawn: list[Command]) -> None:
        for at in range(0, len(drawn), 3):
            pair.transact(drawn[at : at + 3])

    compare(lambda: Pair(redis, version), family.COMMANDS, run)


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.reason.split(";")[0])
def test_no_listed_difference_is_gone(redis: Redis, difference: Difference) -> None:
    """The example of each is one, for this reason."""
    form: AbstractContextManager[None] = small_parts() if difference.in_parts else nullcontext()
    with form:
        pair = Pair(redis, 2, in_parts=difference.in_parts)
        pair.run([tuple(line.encode(errors="surrogateescape").split()) for line in difference.example])
    assert pair.reasons == {difference.reason: 1}


def test_a_difference_that_is_not_listed_is_found_and_shrunk(redis: Redis) -> None:
    """It is told by the few commands that it takes, as redis-cli takes them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(list_module.List, "span", lambda _list, first, last: [[b"wrong"] * (last - first)])
        with pytest.raises(DifferentError) as raised:
            compare(lambda: Pair(redis, 2), lists.COMMANDS, steps=5000)
    lines = str(raised.value).splitlines()
    assert lines[0] == "HELLO 2, then"
    assert len(lines) <= 8, "few pushes, a range, both replies, and which command it was"
    assert lines[-3].startswith("redis: *(")
    assert lines[-2].startswith("trikv: *($b'wrong'")
