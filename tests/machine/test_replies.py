"""What is said about replies before they are encoded."""

import pytest

from trikv.machine.replies import OK, CommandError, Reply, Verbatim, weight


@pytest.mark.parametrize(
    ("reply", "size"),
    [
        (b"four", 4),
        ([b"four", [b"to"], 1], 6),
        ((b"four", b"to"), 6),
        ({b"key": [b"four"], b"to": None}, 9),
        (Verbatim(b"text"), 4),
        (OK, 0),
        (CommandError("ERR no"), 0),
        (None, 0),
        (True, 0),
        (0.5, 0),
    ],
)
def test_a_reply_weighs_what_its_strings_do(reply: Reply, size: int) -> None:
    """However deep they lie in it."""
    assert weight([reply]) == size
    assert weight([b"1", reply, [reply]]) == 1 + 2 * size
