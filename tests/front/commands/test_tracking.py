"""CLIENT CACHING, GETREDIR, TRACKING, TRACKINGINFO: the answers to a client that does not track keys."""

import pytest

from tests.front.doubles import Client, resp

NOT_TRACKING = (
    b"-ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode"
    b" enabled\r\n"
)


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("GETREDIR", b":-1\r\n"),
        (
            "TRACKINGINFO",
            b"*6\r\n$5\r\nflags\r\n*1\r\n$3\r\noff\r\n$8\r\nredirect\r\n:-1\r\n$8\r\nprefixes\r\n*0\r\n",
        ),
        ("TRACKING OFF", b"+OK\r\n"),
        ("tracking off bcast noloop PREFIX a REDIRECT 5", b"+OK\r\n"),
        ("TRACKING ON", b"-ERR this server keeps no track of the keys that clients cache\r\n"),
        ("TRACKING ON BCAST", b"-ERR this server keeps no track of the keys that clients cache\r\n"),
        ("TRACKING maybe", b"-ERR syntax error\r\n"),
        ("TRACKING OFF sideways", b"-ERR syntax error\r\n"),
        ("TRACKING OFF PREFIX", b"-ERR syntax error\r\n"),
        ("CACHING YES", NOT_TRACKING),
    ],
)
def test_nobody_tracks_keys(words: str, answer: bytes) -> None:
    """As Redis 7.0.15 answers; only ON, which it would accept, is refused in words of our own."""
    assert Client().ask("CLIENT", *words.split()) == answer


def test_the_flags_are_a_set() -> None:
    """In RESP3."""
    client = Client()
    client.ask("HELLO", "3")
    assert client.say(resp("CLIENT", "TRACKINGINFO")).startswith(b"%3\r\n$5\r\nflags\r\n~1\r\n$3\r\noff\r\n")
