"""DEBUG: who may use it, and what there is of it.

Redis' setting `enable-debug-command` decides, with Redis' words. It is off unless asked for, because whoever
may send DEBUG WORK can hold up every client of the cluster. WORK goes through the log, and the machine
carries it out. Nothing else here changes any state: SLEEP delays its own client and nobody else.
"""

import math
from collections.abc import Callable
from typing import Final

from trikv.front.caller import Caller
from trikv.front.commands.table import treats
from trikv.front.decisions import CarryOut, Decision, Evaluate, Postpone, Queued, Refuse, Send
from trikv.front.seam import Sleep
from trikv.front.slots import PLAIN_STEP, Args, Local, Step
from trikv.front.transaction import NOT_INSIDE
from trikv.front.turn import Turn
from trikv.machine.commands.debugging import steps_of
from trikv.machine.errors import NO_SUCH_KEY, SYNTAX
from trikv.machine.features import LONG_WORK
from trikv.machine.glob import matcher
from trikv.machine.replies import OK, CommandError, Reply, SimpleString
from trikv.protocol.events import Request

NOT_ALLOWED: Final = CommandError(
    'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it'
    " from a local connection, otherwise you need to set this option in the configuration file, and then"
    " restart the server."
)
_NOT_FOUNDED: Final = CommandError("CLUSTERDOWN this node is in no cluster yet; nothing was done")
_NOT_SECONDS: Final = CommandError("ERR seconds must be a number")
_SLEEP_S_MAX: Final = 1e9
PATTERN_BYTES_MAX: Final = 128
TEXT_BYTES_MAX: Final = 4096
"""A match of these takes at most two milliseconds."""
_TOO_LONG: Final = CommandError(
    f"ERR a pattern of at most {PATTERN_BYTES_MAX} bytes and a string of at most {TEXT_BYTES_MAX}"
)
_HELP: Final = (
    "DEBUG <subcommand> [<arg> ...]. Subcommands are:",
    "WORK steps key",
    "    Work for about so many milliseconds, at every node; the key shows how far it has come.",
    "OBJECT key",
    "    Show how the value of a key is kept.",
    "SLEEP seconds",
    "    Answer after a time. No other client waits for it.",
    "STRINGMATCH-LEN pattern string [nocase]",
    "    Answer 1 if the pattern matches the string.",
    "SET-ACTIVE-EXPIRE 0|1",
    "    Accepted, and changes nothing: a key that is due is gone for every client at once.",
    "HELP",
    "    Show these lines.",
)


def _object(reply: Reply) -> Reply:
    """Redis' line, as far as a node knows what it tells."""
    if not isinstance(reply, bytes):
        return NO_SUCH_KEY if reply is None else reply
    return SimpleString(f"Value at:0x0 refcount:1 encoding:{reply.decode()} lru:0 lru_seconds_idle:0")


def _sleep(word: bytes) -> Sleep | CommandError:
    try:
        seconds = float(word)
    except ValueError:
        return _NOT_SECONDS
    if math.isnan(seconds) or seconds > _SLEEP_S_MAX:
        return _NOT_SECONDS
    return Sleep(max(0, int(max(seconds, 0.0) * 1000)))


def _match(_caller: Caller, _name: bytes, pattern: bytes, text: bytes, *options: bytes) -> Reply:
    if len(pattern) > PATTERN_BYTES_MAX or len(text) > TEXT_BYTES_MAX:
        return _TOO_LONG
    if options:
        if options[0].lower() != b"nocase":
            return SYNTAX
        pattern, text = pattern.lower(), text.lower()
    return int(matcher(pattern)(text))


def _accept(_caller: Caller, *_words: bytes) -> Reply:
    return OK


def _help(_caller: Caller, *_words: bytes) -> Reply:
    return [SimpleString(line) for line in _HELP]


_HERE: Final[dict[tuple[bytes, int], Callable[..., Reply]]] = {
    (b"STRINGMATCH-LEN", 4): _match,
    (b"STRINGMATCH-LEN", 5): _match,
    (b"SET-ACTIVE-EXPIRE", 3): _accept,
    (b"HELP", 2): _help,
}
"""What this node evaluates by itself, by the word and the number of arguments, names included."""


def _queue(caller: Caller, request: Request) -> Queued | CommandError:
    """What is refused spoils the transaction, as in Redis."""
    args = request.args
    if not _is_allowed(caller.service.settings.enable_debug_command, caller.connection.remote):
        return NOT_ALLOWED
    match args[1].upper(), len(args):
        case b"OBJECT", 3:
            return Queued(Step(args=args, after=_object), (b"OBJECT", b"ENCODING", args[2]))
        case b"SLEEP", 3:
            return NOT_INSIDE
        case which if which in _HERE:
            return Queued(_slot(caller, request, _HERE[which]), args)
        case _:
            pass
    return _refusal(caller, request.args) or Queued(PLAIN_STEP, request.args, writes=True)


@treats(
    "DEBUG",
    queue=_queue,
    summary="Look into how a node works, if enable_debug_command allows it; WORK keeps every node busy for "
    "about as many milliseconds as there are steps.",
)
def take_debug(caller: Caller, turn: Turn, request: Request) -> Decision:
    """Decide by the subcommand; WORK is sent to the log, if every replica knows it."""
    args = request.args
    if not _is_allowed(caller.service.settings.enable_debug_command, caller.connection.remote):
        return Refuse(NOT_ALLOWED)
    match args[1].upper(), len(args):
        case b"OBJECT", 3:
            return Send((b"OBJECT", b"ENCODING", args[2]), args, _object)
        case b"SLEEP", 3:
            asked = _sleep(args[2])
            if isinstance(asked, CommandError):
                return Refuse(asked)
            return Postpone() if len(turn) else CarryOut(asked)
        case which if which in _HERE:
            return Evaluate(_slot(caller, request, _HERE[which]))
        case _:
            pass
    error = _refusal(caller, args)
    if error is not None:
        return Refuse(error)
    # It cuts the turn, whose length its key might pass: a second one would not be counted either.
    return Send(args, args, writes=True, cuts=True)


def _slot(caller: Caller, request: Request, handler: Callable[..., Reply]) -> Local:
    command = caller.table.get("DEBUG")
    assert command is not None
    return Local(command, handler, request.args, request.typed)


def _refusal(caller: Caller, args: Args) -> CommandError | None:
    """Why this DEBUG WORK, or whatever else it is, cannot be sent."""
    steps = steps_of(args[1:])
    if isinstance(steps, CommandError):
        return steps
    # A replica of an older release would take it for an unknown command, and be another one from then on.
    member = caller.service.figures.member
    level = 0 if member is None else member.feature_level()
    if level == 0:
        return _NOT_FOUNDED
    if level < LONG_WORK:
        return CommandError(
            f"ERR DEBUG WORK needs feature level {LONG_WORK}; this cluster was founded at level {level}"
        )
    return None


def _is_allowed(enabled: str, remote: str) -> bool:
    """Whether a client at `remote` may use DEBUG where the setting is `enabled`."""
    return enabled == "yes" or (enabled == "local" and _is_local(remote))


def _is_local(remote: str) -> bool:
    """Whether a client is on this machine, as Redis judges: by loopback or a Unix socket, whose port is 0."""
    host, _, port = remote.rpartition(":")
    return port == "0" or host == "[::1]" or host.startswith("127.")
