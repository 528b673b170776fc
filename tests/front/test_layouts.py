"""Replies laid out for people: what only the command tells of them is shown."""

import pytest

from tests.front.doubles import Client, resp


@pytest.fixture
def client() -> Client:
    """A person, with a value of each type."""
    client = Client()
    program = Client(client.service, client.connections)
    program.say(
        resp("HSET", "h", "name", "Ann", "age", "41")
        + resp("ZADD", "z", "1.5", "ann", "0.1", "bob", "inf", "cid")
        + resp("RPUSH", "l", "a", "b", "c")
        + resp("SADD", "s", "x")
    )
    return client


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        ("hgetall h", ['1) "name": "Ann"', '2) "age": "41"']),
        ("hgetall nope", ["(empty hash)"]),
        ("hkeys h", ['1) "name"', '2) "age"']),
        ("smembers s", ['1) "x"']),
        ("smembers nope", ["(empty set)"]),
        ("lrange l 0 -1", ['1) "a"', '2) "b"', '3) "c"']),
        ("lrange nope 0 -1", ["(empty array)"]),
        ("zrange z 0 -1 withscores", ['1) "bob": 0.1', '2) "ann": 1.5', '3) "cid": inf']),
        ("zscore z bob", ["0.1"]),
        ("zscore z nope", ["(nil)"]),
        ("zpopmin z", ['1) "bob": 0.1']),
        ("zpopmax z", ['1) "cid": inf']),
        ("zpopmax z 2", ['1) "cid": inf', '2) "ann": 1.5']),
        ("zpopmin nope", ["(empty array)"]),
        ("zmpop 2 nope z min count 2", ['"z":', '1) "bob": 0.1', '2) "ann": 1.5']),
        ("zmpop 1 nope min", ["(nil)"]),
        ("lmpop 1 l right count 2", ['"l":', '1) "c"', '2) "b"']),
        ("hscan h 0", ["next cursor: 0 (no more)", '1) "name": "Ann"', '2) "age": "41"']),
        ("hscan nope 0", ["next cursor: 0 (no more)", "(empty array)"]),
        ("sscan s 0", ["next cursor: 0 (no more)", '1) "x"']),
        ("scan x", ["(error) ERR invalid cursor"]),
        ("scan 0 match s", ["next cursor: 0 (no more)", '1) "s"']),
    ],
)
def test_a_person_sees_what_it_means(client: Client, line: str, lines: list[str]) -> None:
    """Fields with their values, members with their scores, pages with the way on."""
    assert client.type(line).splitlines() == lines


def test_scores_of_a_page_are_numbers(client: Client) -> None:
    """A program gets them as text."""
    lines = client.type("zscan z 0").splitlines()
    assert lines[0] == "next cursor: 0 (no more)"
    assert sorted(line.partition(" ")[2] for line in lines[1:]) == ['"ann": 1.5', '"bob": 0.1', '"cid": inf']


def test_a_page_that_is_not_the_last_tells_where_to_go_on(client: Client) -> None:
    """The cursor as it is to be typed."""
    first, *_ = client.type("scan 0 count 1").splitlines()
    cursor = first.removeprefix("next cursor: ")
    assert int(cursor) > 0
    assert client.type(f"scan {cursor}").startswith("next cursor: ")


def test_in_a_transaction_replies_are_rows_of_its_list(client: Client) -> None:
    """What stands in a list is laid out without its command."""
    client.type("multi")
    client.type("hscan h 0")
    client.type("zscore z ann")
    assert client.type("exec").splitlines() == [
        '1) 1) "0"', '   2) 1) "name"', '      2) "Ann"', '      3) "age"', '      4) "41"', "2) 1.5",
    ]  # fmt: skip


def test_a_key_is_quoted(client: Client) -> None:
    """No name can drive a terminal."""
    Client(client.service, client.connections).ask("RPUSH", "a\x1b[2J", "v")
    assert client.type('lmpop 1 "a\\x1b[2J" left').splitlines() == ['"a\\x1b[2J":', '1) "v"']
