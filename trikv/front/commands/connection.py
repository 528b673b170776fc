"""Commands about the connection itself: HELLO, AUTH, PING, ECHO, RESET, CLIENT."""

from functools import partial
from hmac import compare_digest

from trikv.front.caller import Caller
from trikv.front.commands.table import COMMANDS, help_of, treats
from trikv.front.connections import LOCKED, Connection
from trikv.front.decisions import Decision, Done, Fail, Queued, Send
from trikv.front.seam import REDIS_VERSION
from trikv.front.slots import Args, Step
from trikv.front.turn import SELECT, Turn
from trikv.machine.commands.databases import database_number
from trikv.machine.declaration import TEXT_US, By, Container, Cost, Inside, Told, When
from trikv.machine.errors import SYNTAX, text_of, wrong_arity
from trikv.machine.numerics import parse_integer
from trikv.machine.replies import OK, PONG, CommandError, Reply, SimpleString, Verbatim
from trikv.protocol.events import Request
from trikv.system_text import to_bytes

_WRONGPASS = CommandError("WRONGPASS invalid username-password pair or user is disabled.")
_NO_PASSWORD = CommandError(
    "ERR AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?"
)
_HELLO_NOAUTH = CommandError(
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> "
    "<pass> option can be used to authenticate the client and select the RESP protocol version at the same "
    "time"
)
_BAD_NAME = CommandError("ERR Client names cannot contain spaces, newlines or special characters.")
_NAME_BYTES_MAX = 512
"""A name is kept as long as the connection, so it needs a limit; Redis has none here."""
_LONG_NAME = CommandError(f"ERR Names of clients and libraries have at most {_NAME_BYTES_MAX} bytes")
_NO_SUCH_CLIENT = CommandError("ERR No such client")
_LEAVING = Told(
    "1.0.0",
    flags="noscript loading stale fast allow_busy",
    deprecated="7.2.0",
    instead="just closing the connection",
)
_CLIENT_TYPES = (b"normal", b"master", b"replica", b"slave", b"pubsub")


@COMMANDS.command(
    "PING",
    by=By.NODE,
    group="connection",
    fast=True,
    checked=True,
    told=Told("1.0.0", flags="fast", tips="request_policy:all_shards response_policy:all_succeeded"),
)
def ping(_caller: Caller, *messages: bytes) -> Reply:
    """Ask whether the server is there."""
    if len(messages) > 1:
        return wrong_arity("ping")
    return messages[0] if messages else PONG


@COMMANDS.command("ECHO", by=By.NODE, group="connection", fast=True, told=Told("1.0.0"))
def echo(_caller: Caller, message: bytes) -> Reply:
    """Say the message again."""
    return message


@COMMANDS.command(
    "QUIT",
    by=By.NODE,
    group="connection",
    fast=True,
    when=When.AT_ONCE,
    inside=Inside.ACTS,
    before_auth=True,
    checked=True,
    told=_LEAVING,
)
@COMMANDS.command(
    "EXIT",
    by=By.NODE,
    group="connection",
    fast=True,
    when=When.AT_ONCE,
    inside=Inside.ACTS,
    before_auth=True,
    told=_LEAVING,
)
def quit_(caller: Caller, *words: bytes) -> Reply:
    """Leave; what was sent before is still answered."""
    del words  # Redis accepts any and ignores them
    caller.connection.closing = True
    return OK


@COMMANDS.command(
    "AUTH",
    by=By.NODE,
    group="connection",
    fast=True,
    options="[username] password",
    open_least=1,
    when=When.ALONE,
    before_auth=True,
    checked=True,
    told=Told("1.0.0", flags="noscript loading stale fast allow_busy"),
)
def auth(caller: Caller, *words: bytes) -> Reply:
    """Give the password (requirepass)."""
    match words:
        case (password,):
            if caller.connections.serves_anybody():
                return _NO_PASSWORD
            return _authenticate(caller, b"default", password)
        case (user, password):
            return _authenticate(caller, user, password)
        case _:
            return SYNTAX


def _authenticate(caller: Caller, user: bytes, password: bytes) -> Reply:
    """There is one user, ``default``; without a configured password any password is right, as in Redis."""
    if caller.connections.refusal is LOCKED:
        return LOCKED
    required = to_bytes(caller.service.settings.requirepass)
    if user != b"default" or (required and not compare_digest(password, required)):
        return _WRONGPASS
    caller.connection.authenticated = True
    return OK


@COMMANDS.command(
    "HELLO",
    by=By.NODE,
    group="connection",
    fast=True,
    options="[protover [AUTH username password] [SETNAME clientname]]",
    when=When.ALONE,
    before_auth=True,
    told=Told("6.0.0", flags="noscript loading stale fast allow_busy"),
)
def hello(caller: Caller, *args: bytes) -> Reply:
    """Greet, choose RESP 2 or 3."""
    connection = caller.connection
    version = connection.resp_version
    if args:
        wanted = parse_integer(args[0])
        if wanted is None:
            return CommandError("ERR Protocol version is not an integer or out of range")
        if wanted not in (2, 3):
            return CommandError("NOPROTO unsupported protocol version")
        version = 2 if wanted == 2 else 3
    name: bytes | None = None
    at = 1
    while at < len(args):
        option, left = args[at].upper(), len(args) - at - 1
        if option == b"AUTH" and left >= 2:
            outcome = _authenticate(caller, args[at + 1], args[at + 2])
            if outcome != OK:
                return outcome
            at += 3
        elif option == b"SETNAME" and left >= 1:
            name = args[at + 1]
            error = _name_error(name, _BAD_NAME)
            if error is not None:
                return error
            at += 2
        else:
            shown = text_of(args[at][:128])
            return CommandError(f"ERR Syntax error in HELLO option '{shown}'")
    if not connection.authenticated:
        return LOCKED if caller.connections.refusal is LOCKED else _HELLO_NOAUTH
    connection.resp_version = version
    if name is not None:
        connection.name = name
    leadership = caller.service.figures.leadership()
    return {
        b"server": b"redis",
        b"version": REDIS_VERSION.encode(),
        b"proto": version,
        b"id": connection.id,
        b"mode": b"standalone",
        b"role": b"master" if leadership is not None and leadership.leads else b"replica",
        b"modules": [],
    }


@COMMANDS.command(
    "RESET",
    by=By.NODE,
    group="connection",
    fast=True,
    when=When.ALONE,
    inside=Inside.ACTS,
    before_auth=True,
    told=Told("6.2.0", flags="noscript loading stale fast allow_busy"),
)
def reset(caller: Caller) -> Reply:
    """Make the connection as it was when it was new."""
    connection = caller.connection
    caller.transactions.reset()
    connection.database = 0
    connection.resp_version = 2
    connection.name = b""
    connection.muted_turns = 0
    connection.is_spared = connection.touches_nothing = False
    connection.authenticated = caller.connections.serves_anybody()
    return SimpleString("RESET")


def _always_ok(_reply: Reply) -> Reply:
    """OK: SELECT was checked when it was read, and later requests rely on it even if its turn failed."""
    return OK


def _selected(caller: Caller, args: Args, reply: Reply) -> Reply:
    """Inside a transaction SELECT takes effect only if the transaction took place."""
    if reply == OK:
        caller.connection.database = int(args[1])
    return reply


def _queue_select(caller: Caller, request: Request) -> Queued:
    after = partial(_selected, caller, request.args)
    return Queued(Step(args=request.args, after=after), request.args)


@treats("SELECT", queue=_queue_select, decides=True)
def take_select(caller: Caller, turn: Turn, request: Request) -> Decision:
    """Set the database of later requests; it travels only behind commands of another database."""
    word = request.args[1]
    database = database_number(word)
    if isinstance(database, CommandError):
        return Fail(database)
    caller.connection.database = database
    if turn.commands:
        return Send((SELECT, word), request.args, _always_ok)
    turn.database = database
    return Done(OK)


COMMANDS.add_container(
    Container("CLIENT", "Shows, names and closes connections: subcommands.", "connection", "2.4.0")
)


@COMMANDS.command(
    "CLIENT|ID", by=By.NODE, group="connection", fast=True, told=Told("5.0.0", flags="noscript loading stale")
)
def client_id(caller: Caller) -> Reply:
    """Tell the number of this connection."""
    return caller.connection.id


@COMMANDS.command(
    "CLIENT|GETNAME",
    by=By.NODE,
    group="connection",
    fast=True,
    told=Told("2.6.9", flags="noscript loading stale"),
)
def client_getname(caller: Caller) -> Reply:
    """Tell the name of this connection."""
    return caller.connection.name or None


@COMMANDS.command(
    "CLIENT|SETNAME",
    by=By.NODE,
    group="connection",
    fast=True,
    told=Told(
        "2.6.9", flags="noscript loading stale", tips="request_policy:all_nodes response_policy:all_succeeded"
    ),
)
def client_setname(caller: Caller, name: bytes) -> Reply:
    """Name this connection."""
    error = _name_error(name, _BAD_NAME)
    if error is not None:
        return error
    caller.connection.name = name
    return OK


@COMMANDS.command(
    "CLIENT|SETINFO",
    by=By.NODE,
    group="connection",
    fast=True,
    told=Told(
        "7.2.0", flags="noscript loading stale", tips="request_policy:all_nodes response_policy:all_succeeded"
    ),
)
def client_setinfo(caller: Caller, attribute: bytes, value: bytes) -> Reply:
    """Name the client library (LIB-NAME, LIB-VER), as Redis 7.2 does."""
    field = attribute.lower()
    if field not in (b"lib-name", b"lib-ver"):
        return CommandError(f"ERR Unrecognized option '{text_of(attribute[:128])}'")
    error = _name_error(
        value, CommandError(f"ERR {field.decode()} cannot contain spaces, newlines or special characters.")
    )
    if error is not None:
        return error
    if field == b"lib-name":
        caller.connection.library_name = value
    else:
        caller.connection.library_version = value
    return OK


@COMMANDS.command(
    "CLIENT|INFO",
    by=By.NODE,
    group="connection",
    when=When.ALONE,
    told=Told("6.2.0", flags="noscript loading stale", tips="nondeterministic_output"),
)
def client_info(caller: Caller) -> Reply:
    """Show this connection's line of CLIENT LIST."""
    return _lines([caller.connection], caller)


@COMMANDS.command(
    "CLIENT|LIST",
    by=By.NODE,
    group="connection",
    options="[TYPE normal] [ID id ...]",
    when=When.ALONE,
    cost=Cost(TEXT_US, connection_us=8),
    complexity="O(N), N being the number of connections",
    told=Told("2.4.0", flags="admin noscript loading stale", tips="nondeterministic_output"),
)
def client_list(caller: Caller, *args: bytes) -> Reply:
    """List the connections of this node."""
    if not args:
        return _lines(list(caller.connections), caller)
    option = args[0].upper()
    if option == b"TYPE" and len(args) == 2:
        if args[1].lower() not in _CLIENT_TYPES:
            return _unknown_type(args[1])
        return _lines(list(caller.connections) if args[1].lower() == b"normal" else [], caller)
    if option == b"ID" and len(args) > 1:
        numbers = [parse_integer(one) for one in args[1:]]
        if None in numbers:
            return CommandError("ERR Invalid client ID")
        # Each only once, however often it is named: one line sixteen thousand times would delay all others.
        found = [caller.connections.get(number) for number in dict.fromkeys(numbers) if number is not None]
        return _lines([one for one in found if one is not None], caller)
    return SYNTAX


@COMMANDS.command(
    "CLIENT|KILL",
    by=By.NODE,
    group="connection",
    options="<addr:port | [ID id] [TYPE normal] [ADDR addr] [LADDR addr] [USER user] [SKIPME yes|no]>",
    open_least=1,
    cost=Cost(TEXT_US, connection_us=6),
    complexity="O(N), N being the number of connections",
    told=Told("2.4.0", flags="admin noscript loading stale"),
)
def client_kill(caller: Caller, *args: bytes) -> Reply:
    """Close connections of this node."""
    if len(args) == 1:
        victims = [one for one in caller.connections if one.remote.encode() == args[0]]
        for victim in victims:
            _end(caller, victim)
        return OK if victims else _NO_SUCH_CLIENT
    if len(args) % 2:
        return SYNTAX
    victims = list(caller.connections)
    skip_caller = True
    for option, value in zip(args[::2], args[1::2], strict=True):
        match option.upper():
            case b"ID":
                number = parse_integer(value)
                if number is None or number < 1:
                    return CommandError("ERR client-id should be greater than 0")
                victims = [one for one in victims if one.id == number]
            case b"TYPE":
                if value.lower() not in _CLIENT_TYPES:
                    return _unknown_type(value)
                victims = victims if value.lower() == b"normal" else []
            case b"ADDR":
                victims = [one for one in victims if one.remote.encode() == value]
            case b"LADDR":
                victims = [one for one in victims if one.local.encode() == value]
            case b"USER":
                if value != b"default":
                    return CommandError(f"ERR No such user '{text_of(value[:128])}'")
            case b"SKIPME":
                if value.lower() not in (b"yes", b"no"):
                    return SYNTAX
                skip_caller = value.lower() == b"yes"
            case _:
                return SYNTAX
    if skip_caller:
        victims = [one for one in victims if one is not caller.connection]
    for victim in victims:
        _end(caller, victim)
    return len(victims)


def _end(caller: Caller, victim: Connection) -> None:
    """Close `victim`; the caller's own connection closes behind the reply."""
    if victim is caller.connection:
        victim.closing = True
    elif victim.control is not None:
        victim.control.end("killed by another client")


@COMMANDS.command("CLIENT|HELP", by=By.NODE, group="connection", told=Told("5.0.0"))
def client_help(caller: Caller) -> Reply:
    """Show the subcommands of CLIENT."""
    return help_of(caller, "CLIENT")


def _lines(connections: list[Connection], caller: Caller) -> Reply:
    now_ms = caller.service.boot_ms()
    return Verbatim("".join(one.describe(now_ms) + "\n" for one in connections).encode("utf-8", "replace"))


def _name_error(name: bytes, not_printable: CommandError) -> CommandError | None:
    """None if `name` is printable ASCII without spaces, as Redis demands, and short, because it is kept."""
    if len(name) > _NAME_BYTES_MAX:
        return _LONG_NAME
    return None if all(0x21 <= byte <= 0x7E for byte in name) else not_printable


def _unknown_type(text: bytes) -> CommandError:
    return CommandError(f"ERR Unknown client type '{text_of(text[:128])}'")
