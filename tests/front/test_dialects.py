"""What people at telnet see, and whom a connection belongs to: a person or a program."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.front.doubles import Client, FakeService, resp
from trikv.front.commands import TABLE
from trikv.front.commands.hints import slips
from trikv.machine.declaration import Command
from trikv.protocol.requests import ClientWire, HttpRefused


@pytest.fixture
def client() -> Client:
    """A fresh connection to a fresh node."""
    return Client()


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("set name Ada", "OK\r\n"),
        ("get nothing", "(nil)\r\n"),
        ("incr n", "(integer) 1\r\n"),
        ("mget a b", "1) (nil)\r\n2) (nil)\r\n"),
        ("PING", "+PONG\r\n"),
        ("ping hello", '"hello"\r\n'),
        ("count", "(integer) 0\r\n"),
        ("clean", "OK\r\n"),
        ("delete a", "(integer) 0\r\n"),
        ("backup", "done BACKUP\r\n"),
        ("echo", "(error) ERR wrong number of arguments for 'echo' command; usage: ECHO message\r\n"),
        ("", "# trikv node2, follower of node1; type help\r\n"),
    ],
)
def test_typed_lines_are_answered_for_people(client: Client, line: str, shown: str) -> None:
    """Replies to typed lines look as redis-cli shows them."""
    assert client.type(line) == shown


def test_values_show_as_they_are_and_drive_no_terminal(client: Client) -> None:
    """Printable UTF-8 shows as itself, control characters as escapes."""
    Client(client.service, client.connections).ask("SET", "k", "привет\x1b[2J")
    assert client.type("get k") == '"привет\\x1b[2J"\r\n'


def test_quoted_values_keep_their_spaces(client: Client) -> None:
    """Quotes are read as redis-cli reads them."""
    client.type('set name "John \\x41"')
    assert client.type("get name") == '"John A"\r\n'
    assert client.ask("GET", "name") == b"$6\r\nJohn A\r\n"


def test_a_connection_is_a_programs_from_its_first_array_on(client: Client) -> None:
    """Lines before it are answered for people; all that comes later for programs, lines included."""
    answer = client.say(b"set a 1\r\nget a\r\n" + resp("GET", "a") + b"get a\r\n\r\nnope\r\nincr a\r\n")
    unknown = b"-ERR unknown command 'nope', with args beginning with: \r\n"
    assert answer == b'OK\r\n"1"\r\n$1\r\n1\r\n$1\r\n1\r\n' + unknown + b":2\r\n"
    assert client.say(b"save\r\n") == b"+done SAVE\r\n"


def test_empty_lines_of_a_program_are_silent(client: Client) -> None:
    """They separate commands in files for ``redis-cli --pipe``, which itself sends one before its ECHO."""
    assert client.say(resp("SET", "a", "1") + b"\r\n\n \r\n") == b"+OK\r\n"
    assert client.say(b"\r\n" * 1000) == b""
    assert client.say(b"\r\n" + resp("ECHO", "x" * 20) + b"\r\n") == b"$20\r\n" + b"x" * 20 + b"\r\n"


@pytest.mark.parametrize("ending", [resp("PING"), b"*1\r\n$4\r\n"])
def test_an_empty_line_before_an_array_is_not_answered(client: Client, ending: bytes) -> None:
    """A program shows itself by the array, whole or not: no comment may stand before its reply."""
    assert client.say(b"\r\n" + ending) in (b"+PONG\r\n", b"")


def test_unbalanced_quotes_close_a_program(client: Client) -> None:
    """As in Redis: what follows may be a part of a value, and nobody is there to look."""
    assert client.say(resp("PING") + b"set a 'b\r\nset a c\r\n") == (
        b"+PONG\r\n-ERR Protocol error: unbalanced quotes in request\r\n"
    )
    assert client.wire.is_closed


def test_what_health_checkers_type_is_answered_in_redis_bytes() -> None:
    """They look for ``+OK`` and ``+PONG``, alone or in a pipeline, before the password and behind it."""
    client = Client(FakeService(requirepass="sesame"))
    assert client.type("auth wrong").startswith("(error) WRONGPASS ")
    assert client.type("AUTH sesame") == "+OK\r\n"
    assert client.type("auth default sesame") == "+OK\r\n"
    assert client.type("ping") == "+PONG\r\n"
    assert client.type("SELECT 1") == "+OK\r\n"
    assert client.say(b"set a 1\r\nselect 0\r\nget a\r\nQUIT\r\n") == b"OK\r\n+OK\r\n(nil)\r\n+OK\r\n"
    assert client.wire.is_closed


def test_what_people_type_is_not(client: Client) -> None:
    """An OK of theirs is a word, a PONG in a transaction a line of its list."""
    assert client.say(b"multi\r\nping\r\nselect 1\r\nexec\r\n") == (
        b"OK\r\nQUEUED\r\nQUEUED\r\n1) PONG\r\n2) OK\r\n"
    )
    assert client.type("client setname a") == "OK\r\n"
    assert client.type("select x").startswith("(error) ")
    assert client.type("discard") == "(error) ERR DISCARD without MULTI\r\n"


def test_typed_quit_and_exit_close(client: Client) -> None:
    """QUIT answers +OK for health checkers; exit is for people."""
    assert client.type("QUIT") == "+OK\r\n"
    assert client.wire.is_closed
    other = Client()
    assert other.type("exit") == "OK\r\n"
    assert other.wire.is_closed


def test_end_of_input_leaves(client: Client) -> None:
    """Ctrl-D on an empty line means exit, after what was asked before has been answered."""
    client.receive(b"incr a\r\n\x04")
    assert not client.wire.is_closed
    client.service.pump()
    assert client.wire.take() == b"(integer) 1\r\n"
    assert client.wire.is_closed


def test_ctrl_c_in_telnet_is_answered_at_once(client: Client) -> None:
    """Telnet hides all output until it gets WILL TIMING-MARK; the line being typed is dropped."""
    assert client.say(b"set a 1\xff\xf4\xff\xfd\x06") == b"\xff\xfb\x06"
    assert client.type("get a") == "(nil)\r\n"


def test_unbalanced_quotes_are_said_and_the_connection_lives(client: Client) -> None:
    """A person who forgot a quote types the line again."""
    said = client.type('set a "b')
    assert said.startswith("(error) ERR Protocol error: unbalanced quotes in request; quotes go in")
    assert not client.wire.is_closed
    assert client.type("ping") == "+PONG\r\n"


def test_info_typed_is_plain_text(client: Client) -> None:
    """INFO and MEMSTATS show as text, not as one quoted string."""
    assert client.type("info").startswith("# Server\r\nredis_version:7.2.0\r\n")
    assert client.type("memstats").startswith("used:    1.5 KiB  1536 bytes")


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("gte k", "ERR unknown command 'gte'; did you mean get?"),
        ("conut", "did you mean count?"),
        ("delet k", "did you mean delete?"),
        ("frobnicate", "ERR unknown command 'frobnicate'; type help"),
        ("x" * 100, "type help"),
        (
            "set name John Smith",
            'ERR syntax error; a value with spaces goes in quotes: set name "John Smith"',
        ),
        ("set a 1 ex", "ERR syntax error; usage: SET key value"),
        ("setnx name John Smith", 'a value with spaces goes in quotes: setnx name "John Smith"'),
        ("set name John " + "y" * 100, "a value with spaces goes in quotes\r\n"),
        ("get", "usage: GET key"),
        ("client kill", "usage: CLIENT KILL"),
        ("expire k 1 sideways", "ERR Unsupported option sideways"),
    ],
)
def test_typed_mistakes_are_forgiven(client: Client, line: str, hint: str) -> None:
    """An error says what to do: the command that was meant, quotes, the usage."""
    shown = client.type(line)
    assert shown.startswith("(error) ")
    assert hint in shown


def test_programs_get_redis_own_errors(client: Client) -> None:
    """Hints are for people only."""
    assert client.ask("gte", "k") == b"-ERR unknown command 'gte', with args beginning with: 'k' \r\n"
    assert client.ask("SET", "name", "John", "Smith") == b"-ERR syntax error\r\n"


_WORDS = st.sampled_from(
    ["proto", "HTTP/1.1", "http/2.0", "Host:", "POST", "post", "GET", "*", "a://b", "/", "/x"]
)


@settings(max_examples=300)
@given(
    st.sampled_from([command for command in TABLE if "|" not in command.name]),
    st.lists(_WORDS, max_size=6),
    st.booleans(),
)
def test_no_command_is_taken_for_a_web_request(
    command: Command,
    words: list[str],
    is_quoted: bool,  # noqa: FBT001 - drawn
) -> None:
    """No line that is a command of the table, with one exception: command, a path, HTTP's version, unquoted.

    A page may choose any word as its method, so such a line may be a browser's. Quoted, it is never refused.
    """
    line = " ".join([command.name.lower(), *(f'"{word}"' if is_quoted else word for word in words)])
    assume(command.least <= len(words) + 1 <= command.most)
    is_request_line = (
        len(words) == 2
        and words[0].startswith("/")
        and words[1] in ("HTTP/1.1", "http/2.0")
        and not is_quoted
    )
    wire = ClientWire()
    wire.receive(line.encode() + b"\r\n")
    assert isinstance(wire.next_event(), HttpRefused) is is_request_line


def test_nothing_behind_a_web_request_is_carried_out(client: Client) -> None:
    """Whatever its method and body: one line says what is spoken here, and the connection ends."""
    for request in (b"SET /x HTTP/1.1", b"POST / HTTP/1.1", b"GET /a?b HTTP/1.1", b"Host: a"):
        browser = Client(client.service, client.connections)
        answer = browser.say(request + b"\r\nHost: a\r\n\r\nset stolen 1\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert browser.wire.is_closed
    assert client.type("count") == "(integer) 0\r\n"
    assert client.type("set proto HTTP/1.1") == "OK\r\n"
    assert client.type("get proto") == '"HTTP/1.1"\r\n'


def test_slips_counts_swaps_as_one() -> None:
    """The distance between words as fingers make it."""
    assert [slips("gte", "get"), slips("get", "get"), slips("", "get"), slips("sett", "set")] == [1, 0, 3, 1]


def test_help_leads_with_what_people_want(client: Client) -> None:
    """The first lines are the everyday words; one command shows its usage; groups show everything."""
    assert client.type("help").startswith("set name value")
    assert "keys user:*" in client.type("help")
    assert client.type("help set").startswith("SET key value [")
    assert client.type("help client kill").startswith("CLIENT KILL")
    assert "CLIENT SETNAME name" in client.type("help client")
    assert "transactions: discard, exec, multi" in client.type("help groups")
    assert "INCR key" in client.type("help string")
    assert client.type("help sing") == "(error) ERR no help on 'sing'; type help groups\r\n"
    assert client.ask("HELP").startswith(b"$")


def test_every_usage_and_summary_fits_help(client: Client) -> None:
    """No command without a line of help; no summary without its full stop."""
    for command in client.conversation.caller.table:
        assert command.summary.endswith("."), command.name
        assert command.usage, command.name
