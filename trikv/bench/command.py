"""`trikv bench`: options in, a report and an exit code out; every error is one line."""

import contextlib
import gc
import resource
import secrets
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Annotated, Any, Final

import attrs
import msgspec
from cyclopts import Parameter

from trikv.bench import report
from trikv.bench.ledger import Ledger
from trikv.bench.loop import Loop, NothingAnswers
from trikv.bench.nodes import Node
from trikv.bench.options import OptionError, Options, find_password, parse_mix, parse_nodes
from trikv.bench.verify import Findings, read_back
from trikv.bench.workload import Ring, Stamped, written_kinds
from trikv.client.blocking import BlockingClient
from trikv.client.endpoint import Address, resolve
from trikv.client.errors import Refused
from trikv.client.replies import ErrorReply
from trikv.host.signals import heeded
from trikv.notation import counted

_PROBE_S_MAX: Final = 1.0
_SECONDS_DEFAULT: Final = 10.0
_SPARE_FILES: Final = 64
"""Descriptors besides the connections: standard streams, epoll, Python's own."""


def _option(text: str, short: str | None = None, **more: Any) -> Parameter:
    return Parameter(help=text, alias=short, **more)


_Connections = Annotated[int, _option("Connections, spread evenly over the nodes.", "-c")]
_Requests = Annotated[int | None, _option("Commands to send, rounded up to whole pipelines.", "-n")]
_Seconds = Annotated[float | None, _option("How long to send; 10 where --requests is not given either.")]
_Pipeline = Annotated[int, _option("Commands a connection sends at once.", "-P")]
_ValueBytes = Annotated[int, _option("Size of a value.", "-d")]
_Keys = Annotated[int, _option("Keys the commands spread over.", "-r")]
_Mix = Annotated[str, _option("Commands and weights; of set get incr mget mset del ping append.")]
_Rate = Annotated[float | None, _option("Commands a second, on schedule; latency counts from the time due.")]
_Nodes = Annotated[str | None, _option("host:port or path,…; else those of ports 8080-8082 that answer.")]
_Password = Annotated[
    str | None, _option("What AUTH is sent with; ps shows it. Otherwise TRIKV_REQUIREPASS is, if set.")
]
_PasswordFile = Annotated[str | None, _option("A file whose one line is the password.")]
_Verify = Annotated[
    bool, _option("Write values that never repeat; at the end read all acknowledged keys back.", negative="")
]
_Seed = Annotated[int, _option("The same seed draws the same commands.")]
_Json = Annotated[bool, _option("Report as JSON.", negative="")]


def bench(
    *,
    connections: _Connections = 50,
    requests: _Requests = None,
    seconds: _Seconds = None,
    pipeline: _Pipeline = 1,
    value_bytes: _ValueBytes = 64,
    keys: _Keys = 100_000,
    mix: _Mix = "set=1,get=9",
    rate: _Rate = None,
    nodes: _Nodes = None,
    password: _Password = None,
    password_file: _PasswordFile = None,
    verify: _Verify = False,
    seed: _Seed = 1,
    json: _Json = False,
) -> int:
    """Put load on a cluster and report how it took it.

    When a node dies the load goes on over the others; with --verify every acknowledged key is read back
    at the end. Exit code: 0 all went well, 1 no run could be made or something is lost, 2 bad options.
    """
    try:
        options = Options(
            nodes=parse_nodes(nodes),
            connections=connections,
            requests=requests,
            seconds=_SECONDS_DEFAULT if requests is None and seconds is None else seconds,
            pipeline=pipeline,
            value_bytes=value_bytes,
            keys=keys,
            mix=parse_mix(mix),
            rate=rate,
            password=find_password(password, password_file),
            verify=verify,
            seed=seed,
        )
        _raise_file_limit(connections + _SPARE_FILES)
    except OptionError as error:
        _complain(str(error))
        return 2
    try:
        answering = _answering(options)
        # Named nodes stay in the run even if they are down, because they may come back. Guessed ones do not.
        return _run(attrs.evolve(options, nodes=answering) if nodes is None else options, as_json=json)
    except (NothingAnswers, Refused) as error:
        _complain(str(error))
        return 1


def _complain(text: str) -> None:
    sys.stderr.write(f"trikv bench: {text}\n")


def _raise_file_limit(files: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files > soft and hard != resource.RLIM_INFINITY and files > hard:
        raise OptionError(
            f"--connections: this system lets a process open {counted(hard, 'file', form=',')} at most; "
            "use fewer"
        )
    if files > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))


def _answering(options: Options) -> tuple[Address, ...]:
    """The nodes that answer a PING. Raises NothingAnswers, or Refused if a node wants another password."""
    found: list[Address] = []
    why = "connection refused"
    for address in options.nodes:
        try:
            with BlockingClient(address, timeout_s=_PROBE_S_MAX, password=options.password) as client:
                reply = client.call("PING")
        except Refused as error:
            raise Refused(f"{address}: {error}") from error
        except OSError as error:
            why = error.strerror or str(error)
            continue
        if isinstance(reply, ErrorReply) and reply.code == "NOAUTH":
            raise Refused(f"{address} requires a password; give --password-file, or set TRIKV_REQUIREPASS")
        found.append(address)
    if not found:
        places = ", ".join(map(str, options.nodes))
        raise NothingAnswers(
            f"no node answers at {places} ({why}); name others with --nodes host:port,host:port"
        )
    return tuple(found)


def _nodes(options: Options) -> list[Node]:
    nodes = []
    for address in options.nodes:
        try:
            nodes.append(Node(address, resolve(address)))
        except OSError as error:
            raise NothingAnswers(f"{address}: {error.strerror or error}") from error
    return nodes


def _run(options: Options, *, as_json: bool) -> int:
    ledger: Ledger | None = None
    if options.verify:
        # A value's run must be unique among all runs, even those with the same seed.
        run = secrets.randbits(32)
        ledger = Ledger(options.keys, run, written_kinds(options))
        source: Ring | Stamped = Stamped(options, run)
    else:
        source = Ring(options)
    progress = report.Progress(options)
    loop = Loop(options, _nodes(options), source, ledger=ledger, progress=progress)
    try:
        with _stopped_by_ctrl_c(loop.stop), _collector_off():
            tally = loop.run()
    finally:
        progress.close()
    findings: Findings | None = None
    if ledger is not None:
        findings = read_back(ledger, options.nodes, password=options.password, give_up_s=options.give_up_s)
    if as_json:
        sys.stdout.write(msgspec.json.encode(report.as_dict(options, tally, findings)).decode() + "\n")
    else:
        sys.stdout.write(report.as_text(options, tally, findings) + "\n")
    failed = tally.gave_up or not tally.answered or (findings is not None and not findings.nothing_lost)
    return int(failed)


@contextlib.contextmanager
def _stopped_by_ctrl_c(stop: Callable[[], None]) -> Iterator[None]:
    """Let the first Ctrl-C end the run with its report, and the second end the program."""

    def interrupted(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        stop()

    before = signal.getsignal(signal.SIGINT)
    if not heeded(signal.SIGINT):  # a script's background job, which Ctrl-C is not meant for
        yield
        return
    try:
        signal.signal(signal.SIGINT, interrupted)
    except ValueError:  # only the main thread may handle signals; in any other nobody types Ctrl-C
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _collector_off() -> Iterator[None]:
    """Keep the collector's pauses out of the latencies; a run makes no cycles that need collecting."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
