"""What replies are made of: values, errors, push messages, and the reader that makes them from bytes.

A reply is what hiredis makes of it: bytes for a text of either kind, int, float, bool, None, a list, a dict.
An error is an `ErrorReply`, on its own or inside a list. It is returned, never raised: for most who ask it is
an answer like others.
"""

from typing import Any, Final, TypeAlias

import hiredis  # noqa: TID251 - this package is who may

from trikv.client.errors import GarbledError

NEED_DATA: Final = object()
"""What a reader gives while no whole reply has come."""

Push: TypeAlias = list[Any]
"""What a server says unasked (RESP3): its kind (``message``, ``invalidate``), then what there is to say."""


class ErrorReply(Exception):  # noqa: N818 - it is a reply
    """An error that the server answered with; `str` gives its text."""

    @property
    def code(self) -> str:
        """The first word if it is in capitals, else ``ERR``."""
        word = str(self).partition(" ")[0]
        return word if word.isupper() else "ERR"


def new_reader() -> hiredis.Reader:
    """Make a reader: ``feed`` it, then call ``gets`` until that gives `NEED_DATA`. It raises GarbledError.

    For a load generator, to which a call in Python for each reply would cost a tenth of its rate. All others
    want a `trikv.client.dialogue.Dialogue`, which bounds what a server can make them hold.
    """
    return hiredis.Reader(protocolError=GarbledError, replyError=ErrorReply, notEnoughData=NEED_DATA)


def is_push(reply: Any) -> bool:
    """Whether the server said this unasked."""
    return type(reply) is hiredis.PushNotification
