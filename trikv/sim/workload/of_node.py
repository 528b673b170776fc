"""Requests that a node answers by itself, each with the judge of its answer."""

from trikv.sim.workload.draw import Draw
from trikv.sim.workload.requests import Belief, Step, Told, local, request


def _is_ok(told: Told) -> bool:
    return bool(told.reply == b"OK")


# The connection.


@request("select", "SELECT")
def _select(draw: Draw) -> list[Step]:
    return [select(draw.database())]


def select(database: int) -> Step:
    """SELECT, which holds from its place in the pipeline on."""

    def moves(belief: Belief) -> None:
        belief.database = database

    return local(_is_ok, (b"SELECT", b"%d" % database), then=moves)


@request("self", "PING", "ECHO", weight=2)
def _ping(draw: Draw) -> list[Step]:
    words = draw.value()

    def is_echo(told: Told) -> bool:
        return bool(told.reply == (words if len(told.commands[0]) > 1 else b"PONG"))

    return [local(is_echo, draw.one_of((b"PING",), (b"PING", words), (b"ECHO", words)))]


@request("self", "CLIENT|ID", weight=0.5)
def _client_id(_: Draw) -> list[Step]:
    """CLIENT ID, the same for the connection's whole life."""

    def is_same(told: Told) -> bool:
        if told.now.id is None:
            told.now.id = told.reply
        return isinstance(told.reply, int) and told.now.id == told.reply

    return [local(is_same, (b"CLIENT", b"ID"))]


@request("self", "CLIENT|SETNAME", "CLIENT|GETNAME", weight=0.5)
def _client_name(draw: Draw) -> list[Step]:
    name = draw.value()

    def named(belief: Belief) -> None:
        belief.name = name

    def is_name(told: Told) -> bool:
        return bool(told.reply == told.belief.name)

    steps = [
        local(_is_ok, (b"CLIENT", b"SETNAME", name), then=named),
        local(is_name, (b"CLIENT", b"GETNAME")),
    ]
    return steps if draw.chance(0.5) else steps[1:]


@request("self", "CLIENT|INFO", "CLIENT|LIST")
def _client_info(draw: Draw) -> list[Step]:
    """CLIENT INFO or LIST: the line of this connection names the selected database."""

    def is_here(told: Told) -> bool:
        databases = {told.belief.database, told.now.database}  # a SELECT behind it may show already
        lines = told.reply.decode().splitlines()
        if told.commands[0][1] == b"LIST":
            return len(lines) > 0 and (
                told.now.id is None or any(line.startswith(f"id={told.now.id} ") for line in lines)
            )
        return len(lines) == 1 and any(f" db={database} " in lines[0] for database in databases)

    return [local(is_here, (b"CLIENT", draw.one_of(b"INFO", b"LIST")))]


@request("self", "CLIENT|SETINFO", "CLIENT|HELP", "MEMORY|HELP", weight=0.3)
def _client_info_set(draw: Draw) -> list[Step]:
    return [
        draw.one_of(
            local(_is_ok, (b"CLIENT", b"SETINFO", b"LIB-NAME", b"sim")),
            local(_has_lines, (b"CLIENT", b"HELP")),
            local(_has_lines, (b"MEMORY", b"HELP")),
        )
    ]


def _has_lines(told: Told) -> bool:
    return isinstance(told.reply, list) and len(told.reply) > 1


@request("self", "HELLO", weight=0.5)
def _hello(draw: Draw) -> list[Step]:
    """HELLO, whose answer is in the new protocol already."""
    version = draw.one_of(2, 2, 3)

    def greets(told: Told) -> bool:
        fields = told.fields
        if told.now.id is None:
            told.now.id = fields[b"id"]
        return bool(
            fields[b"proto"] == version
            and fields[b"id"] == told.now.id
            and fields[b"role"] in {b"master", b"replica"}
            and isinstance(told.reply, dict) == (version == 3)
        )

    return [local(greets, (b"HELLO", b"%d" % version))]


@request("self", "AUTH", weight=0.3)
def _auth(draw: Draw) -> list[Step]:
    """AUTH without a configured password: accepted for the default user by name, else an error."""

    def is_refused(told: Told) -> bool:
        return told.fails("ERR AUTH")

    return [draw.one_of(local(is_refused, (b"AUTH", b"word")), local(_is_ok, (b"AUTH", b"default", b"word")))]


@request("self", "RESET", weight=0.3)
def _reset(_: Draw) -> list[Step]:
    """RESET, after which the connection is as when it was new: database 0, no name."""

    def forgets(belief: Belief) -> None:
        belief.database, belief.name = 0, None
        belief.forget_watches()

    return [local(lambda told: told.reply == b"RESET", (b"RESET",), then=forgets)]


# The node.


@request("node", "INFO", weight=2)
def _info(draw: Draw) -> list[Step]:
    def is_of_node(told: Told) -> bool:
        text = told.reply.decode()
        return text.startswith("# ") and (
            len(told.commands[0]) > 1 or f"raft_node_id:{told.belief.node}\r\n" in text
        )

    return [local(is_of_node, draw.one_of((b"INFO",), (b"INFO", b"raft"), (b"INFO", b"clients")))]


@request("node", "MEMSTATS", "HELP")
def _text(draw: Draw) -> list[Step]:
    def is_text(told: Told) -> bool:
        return isinstance(told.reply, bytes) and told.reply.endswith(b"\r\n")

    return [local(is_text, draw.one_of((b"MEMSTATS",), (b"HELP",), (b"HELP", b"set")))]


@request("node", "ROLE", "LASTSAVE")
def _role(draw: Draw) -> list[Step]:
    def is_role(told: Told) -> bool:
        if told.commands[0] == (b"LASTSAVE",):
            return isinstance(told.reply, int) and told.reply >= 0
        return (told.reply[0], len(told.reply)) in {(b"master", 3), (b"slave", 5)}

    return [local(is_role, draw.one_of((b"ROLE",), (b"LASTSAVE",)))]


@request(
    "node",
    "COMMAND",
    "COMMAND|COUNT",
    "COMMAND|LIST",
    "COMMAND|INFO",
    "COMMAND|DOCS",
    "COMMAND|GETKEYS",
    "COMMAND|GETKEYSANDFLAGS",
    "COMMAND|HELP",
    weight=0.5,
)
def _command(draw: Draw) -> list[Step]:
    words = draw.one_of(
        (b"COMMAND",),
        (b"COMMAND", b"COUNT"),
        (b"COMMAND", b"LIST"),
        (b"COMMAND", b"INFO", b"get", b"nothing"),
        (b"COMMAND", b"DOCS", b"get"),
        (b"COMMAND", b"GETKEYS", b"mset", b"a", b"1", b"b", b"2"),
        (b"COMMAND", b"GETKEYSANDFLAGS", b"get", b"a"),
        (b"COMMAND", b"HELP"),
    )

    def describes(told: Told) -> bool:
        match told.commands[0][1:]:
            case (b"COUNT",):
                return isinstance(told.reply, int) and told.reply > 50
            case (b"LIST",):
                return b"get" in told.reply
            case (b"INFO", *_):
                return told.reply[0][:2] == [b"get", 2] and told.reply[1] is None
            case (b"DOCS", *_):
                return list(told.fields) == [b"get"]
            case (b"GETKEYS", *_):
                return list(told.reply) == [b"a", b"b"]
            case (b"GETKEYSANDFLAGS", *_):
                return list(told.reply) == [[b"a", [b"RO", b"access"]]]
            case _:
                return len(told.reply) > 1

    return [local(describes, words)]


@request("node", "CONFIG|GET", "CONFIG|SET", "CONFIG|RESETSTAT", "CONFIG|HELP")
def _config(draw: Draw) -> list[Step]:
    """CONFIG commands that leave the settings of the node as they are."""

    def is_amount(told: Told) -> bool:
        return int(told.fields[b"maxmemory"]) >= 0

    return [
        draw.one_of(
            local(is_amount, (b"CONFIG", b"GET", b"maxmemory")),
            local(_is_ok, (b"CONFIG", b"SET", b"timeout", b"0", b"maxclients", b"10000")),
            local(_is_ok, (b"CONFIG", b"RESETSTAT")),
            local(_has_lines, (b"CONFIG", b"HELP")),
        )
    ]


@request("node", "DEBUG", "READONLY", "READWRITE", weight=0.3)
def _refused(draw: Draw) -> list[Step]:
    def is_refused(told: Told) -> bool:
        return told.fails("ERR of DEBUG there is only WORK", "ERR This instance has cluster support disabled")

    return [local(is_refused, draw.one_of((b"DEBUG", b"SEGFAULT"), (b"READONLY",), (b"READWRITE",)))]


# What ends something.


@request("end", "QUIT", "EXIT", weight=3)
def _quit(draw: Draw) -> list[Step]:
    return [local(_is_ok, (draw.one_of(b"QUIT", b"EXIT"),), ends=True)]


@request("end", "CLIENT|KILL", weight=2)
def _client_kill(draw: Draw) -> list[Step]:
    """CLIENT KILL of every other connection of this node, or of none."""

    def is_count(told: Told) -> bool:
        if told.commands[0][2] == b"nobody:1":
            return told.fails("ERR No such client")
        return isinstance(told.reply, int) and told.reply >= 0

    words = draw.one_of((b"TYPE", b"normal"), (b"ADDR", b"nobody:1"), (b"nobody:1",))
    return [local(is_count, (b"CLIENT", b"KILL", *words))]


@request("end", "CLIENT|KILL", weight=0.5)
def _client_kill_self(_: Draw) -> list[Step]:
    def is_one(told: Told) -> bool:
        return isinstance(told.reply, int) and told.reply >= 1

    return [local(is_one, (b"CLIENT", b"KILL", b"TYPE", b"normal", b"SKIPME", b"no"), ends=True)]


@request("end", "SHUTDOWN", weight=1)
def _shutdown(draw: Draw) -> list[Step]:
    """SHUTDOWN: the node stops in order and is started again; `trikv.sim.acts` checks its dump."""
    return [local(_is_ok, draw.one_of((b"SHUTDOWN",), (b"SHUTDOWN", b"SAVE")), ends=True)]
