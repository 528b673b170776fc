"""DEBUG: who may use it, and the one subcommand that there is. The machine carries it out.

Redis' setting `enable-debug-command` decides, with Redis' words. It is off unless asked for, because whoever
may send DEBUG WORK can hold up every client of the cluster.
"""

from typing import Final

from trikv.front.caller import Caller
from trikv.front.commands.table import treats
from trikv.front.decisions import Decision, Queued, Refuse, Send
from trikv.front.slots import PLAIN_STEP, Args
from trikv.front.turn import Turn
from trikv.machine.commands.debugging import steps_of
from trikv.machine.features import LONG_WORK
from trikv.machine.replies import CommandError
from trikv.protocol.events import Request

NOT_ALLOWED: Final = CommandError(
    'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it'
    " from a local connection, otherwise you need to set this option in the configuration file, and then"
    " restart the server."
)
_NOT_FOUNDED: Final = CommandError("CLUSTERDOWN this node is in no cluster yet; nothing was done")


def _queue(caller: Caller, request: Request) -> Queued | CommandError:
    """What is refused spoils the transaction, as in Redis."""
    return _refusal(caller, request.args) or Queued(PLAIN_STEP, request.args, writes=True)


@treats(
    "DEBUG",
    queue=_queue,
    summary="Work for about as many milliseconds as there are steps, if enable_debug_command allows it; the "
    "key shows how far it has come.",
)
def take_debug(caller: Caller, _turn: Turn, request: Request) -> Decision:
    """Send it to the log, if it is allowed and every replica knows it."""
    error = _refusal(caller, request.args)
    if error is not None:
        return Refuse(error)
    # It cuts the turn, whose length its key might pass: a second one would not be counted either.
    return Send(request.args, request.args, writes=True, cuts=True)


def _refusal(caller: Caller, args: Args) -> CommandError | None:
    if not _is_allowed(caller.service.settings.enable_debug_command, caller.connection.remote):
        return NOT_ALLOWED
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
