"""The ``trikv`` command. Thin: it reads arguments, calls the code that does the work, and shows errors.

Exit codes: 0 done, 1 failed while running (one line on stderr says why), 2 invalid arguments or
configuration. Commands are imported when they are called, so that ``trikv status`` need not load a server.
"""

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Final

import cyclopts
from cyclopts import Parameter

from trikv import __version__, interrupts, passwords, streams
from trikv.cluster.plan import OF_ONE_NODE
from trikv.config import ConfigError, resolve, settings
from trikv.remarks import remarks

BAD_ARGUMENTS: Final = 2
_OF_CLUSTER: Final = {
    "TRIKV_DATA": "the directory of the data; a second run restores what is in it. 'data' if not given",
    "TRIKV_LOAD": "a backup or dump that fills a new cluster; empty: none",
    "TRIKV_REQUIREPASS_FILE": "a file whose one line is the password that clients must give",
    "TRIKV_PORT": "as PORT",
}
"""Variables that ``trikv cluster`` reads, and their meaning there."""


def _settings_help() -> str:
    """Two lines for each setting, for ``trikv serve --help``."""
    lines = ["Settings (also as TRIKV_NAME in the environment, or as name in the TOML file):", ""]
    for setting in settings():
        lines += [f"{setting.flag} {setting.default_text}".rstrip(), f"    {setting.about.reason}"]
    return "\n".join(lines)


def _cluster_help() -> str:
    """The variables that all three nodes of ``trikv cluster`` can share."""
    shared = [one.variable for one in settings() if one.variable not in {*OF_ONE_NODE, *_OF_CLUSTER}]
    lines = ["Environment:", ""]
    for variable, about in _OF_CLUSTER.items():
        lines += [variable, f"    {about}"]
    what = "any other setting of 'trikv serve --help', for all three nodes"
    return "\n".join([*lines, " ".join(shared), f"    {what}"])


app = cyclopts.App(
    name="trikv",
    help="A replicated, memory-capped key-value server that speaks telnet and the Redis protocol.",
    version=__version__,
    help_format="plaintext",
    result_action="return_value",
    exit_on_error=False,
    suppress_keyboard_interrupt=False,  # main() gives it an exit code
    print_error=False,
)
app.command(
    "trikv.bench.command:bench",
    name="bench",
    help="Put load on a cluster and measure it; --verify proves that nothing was lost.",
)
app.command("trikv.bench.status:status", name="status", help="Show all nodes of a cluster in one table.")
app.command(
    "trikv.sim.command:sim",
    name="sim",
    help="Break a simulated cluster of real nodes, and check what its clients were told.",
)
app.command(
    "trikv.torture.command:torture",
    name="torture",
    help="Kill real nodes under load again and again, and prove that nothing acknowledged was lost.",
)


@app.command(help_epilogue=_settings_help())
def serve(
    *,
    config: str | None = None,
    refill: Annotated[bool, Parameter(negative="")] = False,
    supervised: Annotated[bool, Parameter(negative="", show=False)] = False,
    **setting: Annotated[str, Parameter(show=False)],
) -> int:
    """Run one node until SIGTERM or Ctrl-C; a second one stops it at once.

    Parameters
    ----------
    config
        A TOML file of settings, such as cluster/node1.toml.
    refill
        Set this node's data aside and take a full copy from its peers.
    supervised
        Stop also when standard input ends.
    setting
        Any setting.
    """
    configured = resolve(flags=setting, environment=os.environ, file=config)
    said = remarks(setting, os.environ, configured)
    from trikv import serve as server  # noqa: PLC0415 - see the module docstring

    streams.never_wait()
    return server.serve(configured, refill=refill, supervised=supervised, remarks=said)


@app.command(
    usage="Usage: run_cluster.sh [PORT] [MAX_VOLUME] [TIMEOUT] (or: trikv cluster ...)",
    help_epilogue=_cluster_help(),
)
def cluster(
    port: str | None = None,
    max_volume: str | None = None,
    timeout: str | None = None,
    /,
    *,
    called_from: Annotated[str, Parameter(show=False)] = "",
) -> int:
    """Run three nodes on this machine until Ctrl-C.

    Parameters
    ----------
    port
        The first node's client port; the others take the next two. 8080 if not given.
    max_volume
        Memory cap of each node, as in 256mb; given on old data it changes the cap.
    timeout
        Idle seconds after which a typed connection is closed; 0: never. 300 if not given.
    called_from
        The directory that the person is in, if it is not this one.
    """
    from trikv.cluster import command  # noqa: PLC0415 - see the module docstring

    streams.never_wait()
    return command.run_cluster(
        port=port,
        max_volume=max_volume,
        timeout=timeout,
        environment=os.environ,
        called_from=called_from,
    )


@app.command(name="cli")
def console(
    node: str = "8080",
    /,
    *,
    password_file: str | None = None,
) -> int:
    """Talk to a node line by line, as telnet does: by hand, or with commands piped in.

    Parameters
    ----------
    node
        PORT on this machine, host:port, or the path of a Unix socket.
    password_file
        Its one line is sent with AUTH first; so is TRIKV_REQUIREPASS, if that is set.
    """
    from trikv.console import talk  # noqa: PLC0415 - see the module docstring

    try:
        found = passwords.for_client(None, password_file, os.environ)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    _warn(found.warning)
    return talk(node, found.password)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. Without `arguments`, those of the process are used."""
    if arguments is None:
        streams.prepare()
        streams.bound_width()
    try:
        if arguments is None:
            interrupts.loaded()
        result = app(list(sys.argv[1:] if arguments is None else arguments))
        streams.finish()
    except streams.OutputLost as lost:
        return streams.give_up(lost)
    except cyclopts.UnusedCliTokensError as error:
        extra = " ".join(error.unused_tokens or ())
        return _say(f"too many arguments: {extra}; --help shows what the command takes", BAD_ARGUMENTS)
    except (cyclopts.CycloptsError, ConfigError) as error:
        return _say(str(error), BAD_ARGUMENTS)
    except KeyboardInterrupt:
        return interrupts.INTERRUPTED
    return result if isinstance(result, int) else 0


def _warn(text: str) -> None:
    if text:
        print(f"trikv: {text}", file=sys.stderr)


def _say(text: str, exit_code: int) -> int:
    """Print `text` as one line on stderr, even if the library made several of it; returns the exit code."""
    print(f"trikv: {' '.join(text.split())}", file=sys.stderr)
    return exit_code
