"""AUTH: how a password is given, and the meaning of the answers."""

from typing import Any, Final

from trikv.client.commands import Command
from trikv.client.errors import Refused
from trikv.client.replies import ErrorReply

_NONE_SET: Final = "without any password configured"
"""Part of the error of a server that wants no password, in Redis since 6.0 and in trikv."""


def question(password: bytes) -> Command:
    """The command with `password` that is sent first."""
    return ("AUTH", password)


def check(reply: Any) -> None:
    """Raise Refused unless this answer to `question` lets the client in."""
    if is_refusal(reply):
        raise Refused(str(reply))


def is_refusal(reply: Any) -> bool:
    """Whether this answer to `question` is an error, other than that the server wants no password."""
    return isinstance(reply, ErrorReply) and not needs_none(str(reply))


def needs_none(text: str) -> bool:
    """Whether this error says that the server wants no password, and so serves without one."""
    return _NONE_SET in text
