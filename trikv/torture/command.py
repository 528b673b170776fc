"""`trikv torture`: options in, a verdict and an exit code out."""

import contextlib
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import attrs
import msgspec
import trio
from cyclopts import Parameter

from trikv import interrupts, streams
from trikv.bench.options import OptionError, find_password
from trikv.client.dial import dial
from trikv.client.errors import Refused
from trikv.client.replies import ErrorReply
from trikv.errors import first_line, leaves
from trikv.host.signals import watch_stop_signals
from trikv.passwords import ON_THE_COMMAND_LINE, VARIABLE
from trikv.torture.nodes import Trikv, plan_nodes
from trikv.torture.options import Options, Target, parse_target
from trikv.torture.ports import Ports
from trikv.torture.redis import Redis, find_server
from trikv.torture.report import Screen, as_dict, as_text, losses, verdict
from trikv.torture.run import Result, Stop, torture_system, torture_target
from trikv.torture.system import TortureError

_OK: Final = 0
_FAILED: Final = 1
_BAD_OPTIONS: Final = 2


def _option(text: str, **more: Any) -> Parameter:
    return Parameter(help=text, **more)


def torture(
    *,
    seconds: Annotated[float, _option("How long each system is tortured; checking comes on top.")] = 60.0,
    target: Annotated[
        str | None, _option("redis://[:password@]host:port: only load and checks, for a server of yours.")
    ] = None,
    password_file: Annotated[
        str | None,
        _option("A file whose one line is the target's password; ps does not show it. Or TRIKV_REQUIREPASS."),
    ] = None,
    against_redis: Annotated[
        bool | None,
        _option(
            "The same for Redis with two replicas, and again with WAIT 1 behind each write; "
            "by default where redis-server is installed."
        ),
    ] = None,
    data_directory: Annotated[
        Path | None, _option("An empty directory on the disk to prove; by default a temporary one.")
    ] = None,
    port: Annotated[int | None, _option("The first client port; by default free ones are found.")] = None,
    clients: Annotated[int, _option("Clients that work in parallel.")] = 16,
    seed: Annotated[int, _option("The same seed draws the same commands and faults.")] = 1,
    report: Annotated[Path | None, _option("A file for the whole report as JSON.")] = None,
) -> int:
    """Start three nodes, put load on them, kill and stop them again and again, and prove what they kept.

    Leaders die by kill -9, nodes freeze and come back, all die at once. At the end everything is read back:
    every acknowledged write must be there, all answers must fit one order of events, and the nodes must be
    equal. Exit code: 0 clean, 1 not clean or not possible, 2 bad options, 130 Ctrl-C twice.
    """
    try:
        options = Options(
            seconds=seconds,
            target=None if target is None else _target(target, password_file),
            against_redis=against_redis,
            redis_server=find_server(),
            data_directory=data_directory,
            port=port,
            clients=clients,
            seed=seed,
            report=report,
        )
    except OptionError as error:
        return _complain(str(error), _BAD_OPTIONS)
    try:
        with streams.never_waiting():  # the storm and the nodes must go on even if nobody reads the output
            results = trio.run(_run, options)
        return _conclude(results, options.report, Screen())
    except* (TortureError, OSError) as group:
        is_asked = any(isinstance(error, NoVerdictError) for error in leaves(group))
        code = _complain(first_line(group), interrupts.INTERRUPTED if is_asked else _FAILED)
    return code


class NoVerdictError(TortureError):
    """A second Ctrl-C: the person does not want to wait for a verdict."""


def _target(text: str, password_file: str | None) -> Target:
    """The target, with its password from the address, the file or the environment. Raises OptionError."""
    target = parse_target(text)
    if target.password is None:
        return attrs.evolve(target, password=find_password(None, password_file))
    if password_file is not None:
        raise OptionError("--password-file does not go with a password in --target; give one of them")
    sys.stderr.write(f"trikv: {ON_THE_COMMAND_LINE}; use --password-file, or {VARIABLE}\n")
    return target


def _complain(text: str, code: int) -> int:
    sys.stderr.write(f"trikv torture: {text}\n")
    return code


async def _run(options: Options) -> list[Result]:
    screen, stop, results = Screen(), Stop(), list[Result]()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_take_signals, stop, screen)
        if options.target is not None:
            screen.line("nothing is killed here: the server is yours to kill while this runs")
            await _check(options.target)
            results.append(await torture_target(options.target, options, screen, stop))
        else:
            with _directory(options.data_directory) as keep:
                results.append(await _trikv(options, keep.path, screen, stop))
                keep.clean = results[0].findings.clean
                results += await _redis(options, keep.path, screen, stop)
        nursery.cancel_scope.cancel()
    return results


def _conclude(results: Sequence[Result], report: Path | None, screen: Screen) -> int:
    """Write the report and show the verdict; returns the exit code."""
    if report is not None:
        report.write_bytes(msgspec.json.format(msgspec.json.encode(as_dict(results))) + b"\n")
    screen.line(f"\n{as_text(results)}\n")
    for result in results[1:]:
        screen.line("\n".join(losses(result)))
    for line in verdict(results[0]):
        screen.line(line)
    return _OK if results[0].findings.clean else _FAILED


async def _trikv(options: Options, directory: Path, screen: Screen, stop: Stop) -> Result:
    ports = Ports(options.port)
    try:
        return await torture_system(Trikv(plan_nodes(directory, ports)), options, screen, stop)
    finally:
        ports.release()


async def _redis(options: Options, directory: Path, screen: Screen, stop: Stop) -> list[Result]:
    """Run Redis twice, if wanted and installed. A failure here is reported, but is none of trikv."""
    program = options.redis_server
    if program is None or options.against_redis is False or stop.asked:
        return []
    results = []
    for title, replicas in (("Redis", 0), ("Redis + WAIT 1", 1)):
        try:
            ports = Ports(options.port)
            try:
                system = Redis(program, directory / f"redis-wait{replicas}", ports, title=title)
                results.append(await torture_system(system, options, screen, stop, replicas=replicas))
            finally:
                ports.release()
        except* (TortureError, OSError) as group:
            screen.line(f"{title} could not be tortured: {first_line(group)}")
        if stop.asked:
            break
    return results


async def _check(target: Target) -> None:
    """Fail early, with an explanation, if the target does not answer or does not take writes."""
    try:
        async with await dial(target.address, password=target.password) as client:
            reply = await client.call("SET", "torture:probe", "", "PX", 1)
    except Refused as error:
        raise TortureError(f"{target.address} refuses the password: {error}") from error
    except OSError as error:
        raise TortureError(f"{target.address} does not answer: {first_line(error)}") from error
    if isinstance(reply, ErrorReply):
        raise TortureError(f"{target.address} takes no writes: {reply}")


@contextlib.contextmanager
def _directory(given: Path | None) -> Iterator["_Directory"]:
    """The directory of the nodes; a temporary one is removed if the verdict is clean."""
    if given is not None:
        given.mkdir(mode=0o700, parents=True, exist_ok=True)
        yield _Directory(given)
        return
    keep = _Directory(Path(tempfile.mkdtemp(prefix="trikv-torture-")))
    try:
        yield keep
    finally:
        if keep.clean or not any(keep.path.iterdir()):
            shutil.rmtree(keep.path, ignore_errors=True)
        else:
            sys.stdout.write(f"the nodes' data and logs are kept: {keep.path}\n")


@attrs.define
class _Directory:
    path: Path
    clean: bool = False
    """The verdict; stays False if there is none."""


async def _take_signals(stop: Stop, screen: Screen) -> None:
    """After the first Ctrl-C end the load and judge; after the second end at once."""

    async def take(_: signal.Signals) -> None:
        if stop.asked:
            raise NoVerdictError("interrupted; no verdict")
        stop.ask()
        screen.line("stopping; what was done until now is judged. Ctrl-C again: at once")

    await watch_stop_signals(take)
