"""HELLO, AUTH, RESET, CLIENT: what a connection says about itself."""

import re

import pytest

from tests.front.doubles import Client, FakeService, resp

NOAUTH = b"-NOAUTH Authentication required.\r\n"
WRONGPASS = b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"


@pytest.fixture
def client() -> Client:
    """A fresh connection to a fresh node."""
    return Client()


@pytest.fixture
def locked() -> Client:
    """A fresh connection to a node with a password."""
    return Client(FakeService(requirepass="sesame"))


def test_hello_answers_redis_fields(client: Client) -> None:
    """A flat array before, a map after choosing RESP3; the version holds for what follows in the pipeline."""
    assert client.ask("HELLO") == (
        b"*14\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.2.0\r\n$5\r\nproto\r\n:2\r\n$2\r\nid\r\n:1\r\n"
        b"$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$7\r\nreplica\r\n$7\r\nmodules\r\n*0\r\n"
    )
    answer = client.say(resp("GET", "a") + resp("HELLO", "3") + resp("GET", "a") + resp("HELLO", "2"))
    assert answer.startswith(b"$-1\r\n%7\r\n$6\r\nserver")
    assert b"*0\r\n_\r\n*14\r\n" in answer


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (("4",), b"-NOPROTO unsupported protocol version\r\n"),
        (("x",), b"-ERR Protocol version is not an integer or out of range\r\n"),
        (("3", "foo"), b"-ERR Syntax error in HELLO option 'foo'\r\n"),
        (("3", "SETNAME"), b"-ERR Syntax error in HELLO option 'SETNAME'\r\n"),
        (
            ("3", "SETNAME", "a b"),
            b"-ERR Client names cannot contain spaces, newlines or special characters.\r\n",
        ),
        (("3", "AUTH", "root", "x"), WRONGPASS),
    ],
)
def test_a_faulty_hello_changes_nothing(client: Client, args: tuple[str, ...], error: bytes) -> None:
    """Redis' errors; the protocol version stays."""
    assert client.ask("HELLO", *args) == error
    assert client.ask("GET", "a") == b"$-1\r\n"


def test_hello_may_name_and_authenticate(locked: Client) -> None:
    """One round trip opens a connection."""
    assert locked.ask("HELLO", "3").startswith(b"-NOAUTH HELLO must be called with the client already auth")
    assert locked.ask("HELLO", "3", "AUTH", "default", "wrong") == WRONGPASS
    assert locked.ask("HELLO", "3", "AUTH", "default", "sesame", "SETNAME", "me").startswith(b"%7\r\n")
    assert locked.ask("CLIENT", "GETNAME") == b"$2\r\nme\r\n"


def test_without_the_password_only_greeting_is_possible(locked: Client) -> None:
    """Unknown commands and wrong arities are told first, then NOAUTH, as in Redis."""
    answer = locked.say(
        resp("GET", "a")
        + resp("FOO")
        + resp("GET")
        + resp("PING")
        + resp("MULTI")
        + b"get a\r\n"
        + resp("SAVE")
    )
    assert answer == (
        NOAUTH + b"-ERR unknown command 'FOO', with args beginning with: \r\n"
        b"-ERR wrong number of arguments for 'get' command\r\n" + NOAUTH + NOAUTH + NOAUTH + NOAUTH
    )
    assert locked.service.works == []
    person = Client(locked.service, locked.connections)
    assert person.type("get a") == "(error) NOAUTH Authentication required.\r\n"


def test_auth_opens_the_rest_of_its_pipeline(locked: Client) -> None:
    """AUTH is a barrier: what stands behind it is read as authenticated, with the wide limits too."""
    many = ["a"] * 20
    assert locked.say(resp("AUTH", "sesame") + resp("MGET", *many)).startswith(b"+OK\r\n*20\r\n")
    assert locked.ask("AUTH", "wrong") == WRONGPASS
    assert locked.ask("GET", "a") == b"$-1\r\n"


def test_unauthenticated_requests_are_small(locked: Client) -> None:
    """A stranger cannot make the node hold much: Redis' tight limits."""
    assert locked.ask("MGET", *["a"] * 20) == b"-ERR Protocol error: unauthenticated multibulk length\r\n"
    assert locked.wire.is_closed


def test_auth_without_a_password_configured(client: Client) -> None:
    """Redis' answers: the one-word form is an error, the default user takes any password."""
    assert client.ask("AUTH", "x").startswith(b"-ERR AUTH <password> called without any password configured")
    assert client.ask("AUTH", "default", "x") == b"+OK\r\n"
    assert client.ask("AUTH", "foo", "x") == WRONGPASS
    assert client.ask("AUTH", "a", "b", "c") == b"-ERR syntax error\r\n"
    assert client.ask("AUTH") == b"-ERR wrong number of arguments for 'auth' command\r\n"


def test_auth_takes_any_bytes(locked: Client) -> None:
    """A password that is no text is wrong, not an accident."""
    assert locked.ask("AUTH", b"\xff\xfe") == WRONGPASS
    assert locked.ask("AUTH", "default", "sesame") == b"+OK\r\n"


def test_quit_and_reset_need_no_password(locked: Client) -> None:
    """RESET takes the authentication back; QUIT is always possible."""
    locked.say(resp("AUTH", "sesame") + resp("HELLO", "3", "SETNAME", "me") + resp("SELECT", "3"))
    assert locked.say(resp("RESET") + resp("GET", "a")) == b"+RESET\r\n" + NOAUTH
    connection = locked.conversation.connection
    assert (connection.name, connection.database, connection.resp_version) == (b"", 0, 2)
    assert locked.ask("QUIT") == b"+OK\r\n"


def test_client_names(client: Client) -> None:
    """SETNAME, GETNAME, SETINFO; names are printable ASCII without spaces."""
    assert client.ask("CLIENT", "GETNAME") == b"$-1\r\n"
    assert client.ask("client", "setname", "worker-1") == b"+OK\r\n"
    assert client.ask("CLIENT", "GETNAME") == b"$8\r\nworker-1\r\n"
    for bad in ("a b", "a\n", "é"):
        assert client.ask("CLIENT", "SETNAME", bad).startswith(b"-ERR Client names cannot contain")
    assert client.ask("CLIENT", "SETNAME", "") == b"+OK\r\n"
    assert client.ask("CLIENT", "SETINFO", "lib-name", "redis-py") == b"+OK\r\n"
    assert client.ask("CLIENT", "SETINFO", "LIB-VER", "8.0") == b"+OK\r\n"
    assert client.ask("CLIENT", "SETINFO", "foo", "x") == b"-ERR Unrecognized option 'foo'\r\n"
    assert client.ask("CLIENT", "SETINFO", "lib-ver", "a b").startswith(b"-ERR lib-ver cannot contain spaces")
    assert b" lib-name=redis-py lib-ver=8.0\n" in client.ask("CLIENT", "INFO")


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ((), b"-ERR wrong number of arguments for 'client' command\r\n"),
        (("foo",), b"-ERR unknown subcommand 'foo'. Try CLIENT HELP.\r\n"),
        (
            ("MAINT_NOTIFICATIONS", "ON"),
            b"-ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP.\r\n",
        ),
        (("UNBLOCK", "1"), b"-ERR unknown subcommand 'UNBLOCK'. Try CLIENT HELP.\r\n"),
        (("ID", "3"), b"-ERR wrong number of arguments for 'client|id' command\r\n"),
        (("KILL",), b"-ERR wrong number of arguments for 'client|kill' command\r\n"),
        (("KILL", "1.2.3.4:5"), b"-ERR No such client\r\n"),
        (("KILL", "ID"), b"-ERR No such client\r\n"),
        (("KILL", "ID", "x"), b"-ERR client-id should be greater than 0\r\n"),
        (("KILL", "TYPE", "foo"), b"-ERR Unknown client type 'foo'\r\n"),
        (("KILL", "USER", "foo"), b"-ERR No such user 'foo'\r\n"),
        (("KILL", "SKIPME", "maybe"), b"-ERR syntax error\r\n"),
        (("KILL", "foo", "bar"), b"-ERR syntax error\r\n"),
        (("KILL", "ID", "1", "TYPE"), b"-ERR syntax error\r\n"),
        (("LIST", "TYPE", "foo"), b"-ERR Unknown client type 'foo'\r\n"),
        (("LIST", "ID", "x"), b"-ERR Invalid client ID\r\n"),
        (("LIST", "ID"), b"-ERR syntax error\r\n"),
    ],
)
def test_client_errors_are_redis_own(client: Client, args: tuple[str, ...], error: bytes) -> None:
    """Texts as Redis 7.0.15 gives them; the connection lives."""
    assert client.ask("CLIENT", *args) == error
    assert client.ask("PING") == b"+PONG\r\n"


def test_client_list_has_redis_fields(client: Client) -> None:
    """One line a connection, in Redis' order of fields."""
    other = Client(client.service, client.connections)
    other.ask("MULTI")
    client.service.now_ms += 5_000
    other.ask("CLIENT", "SETNAME", "other")
    lines = client.ask("CLIENT", "LIST").decode().split("\r\n")[1].splitlines()
    assert len(lines) == 2
    fields = re.findall(r"([a-z-]+)=(\S*)", lines[1])
    assert [name for name, _ in fields][:11] == [
        "id", "addr", "laddr", "fd", "name", "age", "idle", "flags", "db", "sub", "psub",
    ]  # fmt: skip
    values = dict(fields)
    assert values["id"] == "2"
    assert values["addr"] == "127.0.0.1:50002"
    assert (values["age"], values["idle"], values["flags"], values["multi"]) == ("5", "0", "x", "1")
    assert "id=1 " in lines[0]
    assert " cmd=client|list " in lines[0]
    assert values["cmd"] == "client|setname"
    assert b"id=2" in client.ask("CLIENT", "LIST", "ID", "2", "9")
    assert b"id=1" not in client.ask("CLIENT", "LIST", "ID", "2", "9")
    assert client.ask("CLIENT", "LIST", "ID", *["2"] * 1000).count(b"id=2 ") == 1
    assert client.ask("CLIENT", "LIST", "TYPE", "pubsub") == b"$0\r\n\r\n"
    assert client.ask("CLIENT", "LIST", "TYPE", "NORMAL").count(b"id=") == 2


@pytest.mark.parametrize("typed", [True, False])
@pytest.mark.parametrize("how", ["CLIENT INFO", "CLIENT LIST", "MULTI;CLIENT INFO;EXEC"])
def test_client_info_shows_what_was_before_what_is_behind(client: Client, how: str, *, typed: bool) -> None:
    """In one pipeline, too: the database, the last command, MULTI, however the rest is read ahead."""
    lines = [*how.split(";"), "SELECT 5", "GET a", *how.split(";"), "SELECT 7", "MULTI", "PING"]
    shown = client.say(b"".join(f"{line}\r\n".encode() if typed else resp(*line.split()) for line in lines))
    command = "exec" if "EXEC" in how else how.lower().replace(" ", "|")
    assert re.findall(r" (db|multi|cmd)=(\S+)", shown.decode()) == [
        ("db", "0"), ("multi", "-1"), ("cmd", command), ("db", "5"), ("multi", "-1"), ("cmd", command),
    ]  # fmt: skip


def test_client_kill_ends_others_and_itself(client: Client) -> None:
    """Filters are combined; SKIPME is yes unless said otherwise; oneself closes behind the reply."""
    others = [Client(client.service, client.connections) for _ in range(3)]
    assert client.ask("CLIENT", "KILL", "ID", "2") == b":1\r\n"
    assert others[0].wire.is_closed
    others[0].conversation.closed()
    assert client.ask("CLIENT", "KILL", "127.0.0.1:50003") == b"+OK\r\n"
    assert others[1].wire.is_closed
    others[1].conversation.closed()
    assert client.ask("CLIENT", "KILL", "TYPE", "pubsub") == b":0\r\n"
    assert client.ask("CLIENT", "KILL", "LADDR", "127.0.0.1:8080", "USER", "default") == b":1\r\n"
    assert others[2].wire.is_closed
    others[2].conversation.closed()
    assert client.say(resp("CLIENT", "KILL", "ADDR", "127.0.0.1:50001", "SKIPME", "no")) == b":1\r\n"
    assert client.wire.is_closed
    last = Client(client.service, client.connections)
    assert last.say(resp("GET", "a") + resp("CLIENT", "KILL", last.wire.remote)) == b"$-1\r\n+OK\r\n"
    assert last.wire.is_closed


def test_client_id_and_help(client: Client) -> None:
    """IDs count up from 1; HELP names every subcommand."""
    assert client.ask("CLIENT", "ID") == b":1\r\n"
    assert Client(client.service, client.connections).ask("CLIENT", "ID") == b":2\r\n"
    assert b"+SETINFO attribute value\r\n" in client.ask("CLIENT", "HELP")


def test_client_kill_of_those_who_go_together(client: Client) -> None:
    """A connection that ends because another one was killed is counted, and not ended twice."""
    first, second = (Client(client.service, client.connections) for _ in range(2))

    def take_along() -> None:
        first.wire.is_closed = True
        second.conversation.closed()

    first.wire.close = take_along  # type: ignore[method-assign]
    assert client.ask("CLIENT", "KILL", "TYPE", "normal") == b":2\r\n"
    assert first.wire.is_closed
    assert not second.wire.is_closed
    assert len(client.connections) == 2
