"""What replies are made of."""

import pytest

from trikv.client.errors import GarbledError
from trikv.client.replies import NEED_DATA, ErrorReply, is_push, new_reader


@pytest.mark.parametrize(("text", "code"), [("OOM no room", "OOM"), ("all lower", "ERR"), ("", "ERR")])
def test_an_errors_code_is_its_first_word(text: str, code: str) -> None:
    """Codes are capitals; what has none counts as ERR."""
    assert ErrorReply(text).code == code


def test_replies_of_both_versions() -> None:
    """Each kind has its value; an error is one, on its own and in a list."""
    reader = new_reader()
    reader.feed(
        b"+OK\r\n$2\r\nab\r\n$-1\r\n_\r\n:7\r\n,1.5\r\n#t\r\n%1\r\n+a\r\n:1\r\n*2\r\n:1\r\n-OOM x\r\n-E y\r\n"
    )
    replies = []
    while (reply := reader.gets()) is not NEED_DATA:
        replies.append(reply)
    *values, (one, inner), outer = replies
    assert values == [b"OK", b"ab", None, None, 7, 1.5, True, {b"a": 1}]
    assert one == 1
    assert [type(error) for error in (inner, outer)] == [ErrorReply, ErrorReply]
    assert [str(inner), str(outer)] == ["OOM x", "E y"]
    assert not any(map(is_push, replies))


def test_a_push_message_is_told_from_a_list() -> None:
    """By its mark alone: a list may hold the same."""
    reader = new_reader()
    reader.feed(b">2\r\n+message\r\n+x\r\n*2\r\n+message\r\n+x\r\n")
    push, reply = reader.gets(), reader.gets()
    assert push == reply == [b"message", b"x"]
    assert [is_push(push), is_push(reply)] == [True, False]


def test_false_is_a_reply() -> None:
    """RESP3 has it; it is not taken for the want of more bytes."""
    reader = new_reader()
    reader.feed(b"#f\r\n")
    assert reader.gets() is False
    assert reader.gets() is NEED_DATA


def test_what_is_no_reply_is_an_error_of_the_connection() -> None:
    """Not of the command: who retries on OSError retries."""
    reader = new_reader()
    reader.feed(b"HTTP/1.1 200 OK\r\n")
    with pytest.raises(GarbledError):
        reader.gets()
    assert issubclass(GarbledError, OSError)
