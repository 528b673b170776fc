"""What trikv says of the commands of Redis 7.2: asked of a node's conversation, over its wire."""

from collections.abc import Collection, Sequence
from typing import Any

from tests.front.doubles import Client, resp
from tests.redis72.facts import Fact, containers, read
from trikv.client.replies import ErrorReply, new_reader


def answer(*args: str) -> Any:
    """The parsed reply to one command on a connection of its own; an error is an `ErrorReply`."""
    reader = new_reader()
    reader.feed(Client().say(resp(*args)))
    return reader.gets()


def call(name: str, *args: str) -> str:
    """The error that a command answers, given by its name with a bar; empty for any other reply."""
    reply = answer(*name.split("|"), *args)
    return str(reply) if isinstance(reply, ErrorReply) else ""


def told(names: Collection[str]) -> dict[str, Fact]:
    """What COMMAND INFO and COMMAND DOCS tell of those among `names` that trikv has."""
    return read(_list("COMMAND", "INFO", *names), _list("COMMAND", "DOCS", *names))


def listed() -> dict[str, Fact]:
    """All that COMMAND lists."""
    return read(_list("COMMAND"), ())


def listed_containers() -> set[str]:
    """The commands of which COMMAND lists subcommands."""
    return set(containers(_list("COMMAND")))


def _list(*args: str) -> Sequence[Any]:
    reply = answer(*args)
    assert isinstance(reply, list), reply
    return reply
