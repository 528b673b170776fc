"""AUTH: how a password is given, and what the answers to that mean."""

from typing import Any, Final

from trikv.client.commands import Command
from trikv.client.errors import Refused
from trikv.client.replies import ErrorReply

_NONE_SET: Final = "without any password configured"
"""In the error of a server that asks for no password: Redis' words since 6.0, and trikv's."""


def question(password: bytes) -> Command:
    """Give the command that is sent first."""
    return ("AUTH", password)


def check(reply: Any) -> None:
    """Raise Refused unless this answer to `question` lets the client in."""
    if is_refusal(reply):
        raise Refused(str(reply))


def is_refusal(reply: Any) -> bool:
    """Whether this answer to `question` is an error, other than that the server wants no password."""
    return isinstance(reply, ErrorReply) and not needs_none(str(reply))


def needs_none(text: str) -> bool:
    """Whether this error says that the server wants no password: then it serves without one."""
    return _NONE_SET in text
