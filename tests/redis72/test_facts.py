"""The facts on Redis 7.2 are whole, and a redis-server that is at hand tells the same."""

from collections import Counter

import attrs
import pytest

from tests.redis72.facts import Fact, load, read
from tests.redis_server import RedisServer

REDIS = load()

NEW_IN_7_2 = frozenset({"CLIENT|NO-TOUCH", "CLIENT|SETINFO", "CLUSTER|MYSHARDID", "WAITAOF"})
CHANGED_IN_7_2 = {
    "arity": "COMMAND|GETKEYS COMMAND|GETKEYSANDFLAGS ZRANK ZREVRANK",
    "flags": "BLMOVE BLPOP BRPOP BRPOPLPUSH BZPOPMAX BZPOPMIN CLUSTER|SHARDS CLUSTER|SLOTS WAIT",
    "tips": """
        ACL|DELUSER ACL|SAVE ACL|SETUSER CLIENT|SETNAME CONFIG|RESETSTAT CONFIG|REWRITE LATENCY|RESET MSETNX
        RANDOMKEY SCAN
    """,
    "since": "CLIENT|PAUSE",
    "marks": "PSETEX QUIT SETEX SETNX",
}
"""What 7.2.4 tells otherwise than Debian's 7.0.15, by field."""


def test_every_command_is_there() -> None:
    """As many as COMMAND of 7.2.4 lists, 241 and 129 subcommands, and the 22 names of SENTINEL."""
    kinds = Counter("sentinel" if fact.group == "sentinel" else "|" in name for name, fact in REDIS.items())
    assert kinds == {False: 241, True: 129, "sentinel": 22}


def test_every_subcommand_has_its_container() -> None:
    """A name with a bar is a part of a name without."""
    assert {name.partition("|")[0] for name in REDIS} <= REDIS.keys()


@pytest.mark.parametrize(
    ("name", "fact"),
    [
        (
            "XREADGROUP",
            Fact(
                arity=-7,
                flags=frozenset({"blocking", "movablekeys", "write"}),
                keys=(0, 0, 0),
                acl=frozenset({"@blocking", "@slow", "@stream", "@write"}),
                tips=frozenset(),
                specs=("RO access; keyword STREAMS 4; range -1 1 2",),
                group="stream",
                since="5.0.0",
                marks=frozenset(),
            ),
        ),
        (
            "PUBLISH",
            Fact(
                arity=3,
                flags=frozenset({"fast", "loading", "pubsub", "stale"}),
                keys=(0, 0, 0),
                acl=frozenset({"@fast", "@pubsub"}),
                tips=frozenset(),
                specs=(),
                group="pubsub",
                since="2.0.0",
                marks=frozenset(),
            ),
        ),
    ],
)
def test_a_fact_is_read_as_it_was_told(name: str, fact: Fact) -> None:
    """Each field has its place, and the file's lists become what is compared."""
    assert REDIS[name] == fact


def test_debians_redis_tells_the_same_except_what_changed() -> None:
    """7.0.15 tells what the file says, apart from the known changes: nothing in it was damaged."""
    with RedisServer() as server:
        connection = server.connect()
        info, docs = connection.line("COMMAND"), connection.line("COMMAND DOCS")
        connection.close()
    assert isinstance(info, list)
    assert isinstance(docs, list)
    told = read(info, docs)
    standalone = {name for name, fact in REDIS.items() if fact.group != "sentinel"}
    assert standalone - told.keys() == NEW_IN_7_2
    assert not told.keys() - standalone
    for field in attrs.fields(Fact):
        changed = {
            n for n, fact in told.items() if getattr(fact, field.name) != getattr(REDIS[n], field.name)
        }
        assert changed == set(CHANGED_IN_7_2.get(field.name, "").split()), field.name
