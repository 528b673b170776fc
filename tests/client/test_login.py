"""AUTH, and what the answers to it mean."""

from typing import Any

import pytest

from trikv.client import login
from trikv.client.commands import encode_command
from trikv.client.errors import Refused
from trikv.client.replies import ErrorReply

NONE_SET = (
    "ERR AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?"
)


def test_any_bytes_may_be_a_password() -> None:
    """They go as they are."""
    assert encode_command(login.question(b"\xff\r\n")) == b"*2\r\n$4\r\nAUTH\r\n$3\r\n\xff\r\n\r\n"


@pytest.mark.parametrize("reply", [b"OK", ErrorReply(NONE_SET)])
def test_a_server_that_asks_for_none_is_served_with_any(reply: Any) -> None:
    """A tool that was given a password also talks to servers without one."""
    login.check(reply)
    assert not login.is_refusal(reply)


@pytest.mark.parametrize(
    "text", ["WRONGPASS invalid username-password pair or user is disabled.", "ERR invalid password", "ERR x"]
)
def test_every_other_error_is_a_refusal(text: str) -> None:
    """Its text is kept."""
    assert login.is_refusal(ErrorReply(text))
    with pytest.raises(Refused, match=text):
        login.check(ErrorReply(text))
