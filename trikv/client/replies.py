"""Replies: values, errors, push messages, and the reader that makes them from bytes.

A reply has the type that hiredis gives it: bytes for a string of either kind, int, float, bool, None, a list,
a dict. An error is an `ErrorReply`, by itself or inside a list. It is returned, never raised, because for
most callers it is an answer like any other.
"""

from typing import Any, Final, TypeAlias

import hiredis  # noqa: TID251 - only this package may

from trikv.client.errors import GarbledError

NEED_DATA: Final = object()
"""The value that a reader gives until a whole reply has come."""

Push: TypeAlias = list[Any]
"""A message that the server sends unasked (RESP3): its kind (``message``, ``invalidate``), then the rest."""


class ErrorReply(Exception):  # noqa: N818 - it is a reply
    """An error that the server answered; `str` gives its text."""

    @property
    def code(self) -> str:
        """The first word if it is in capitals, otherwise ``ERR``."""
        word = str(self).partition(" ")[0]
        return word if word.isupper() else "ERR"


def new_reader() -> hiredis.Reader:
    """Make a reader: ``feed`` it, then call ``gets`` until that gives `NEED_DATA`. It raises GarbledError.

    It is for a load generator, for which a call in Python for each reply would cost a tenth of its rate. All
    other code should use a `trikv.client.dialogue.Dialogue`, which bounds the memory that a server can fill.
    """
    return hiredis.Reader(protocolError=GarbledError, replyError=ErrorReply, notEnoughData=NEED_DATA)


def is_push(reply: Any) -> bool:
    """Whether the server sent this unasked."""
    return type(reply) is hiredis.PushNotification
