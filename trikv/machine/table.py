"""The command table: the signature of a handler is the grammar of its command.

`CommandTable.command` reads name, arity, key positions, usage and help from the function it decorates, so
that none of them is typed twice. The class knows nothing of the machine: a node keeps its local commands
(PING, INFO, CLIENT ...) in a table of its own and merges the two for COMMAND and help.

How a signature is read: the first parameter is what the handler works on and no argument of the command (if
it is called ``space``, the handler wants all databases rather than the selected one); parameters annotated
`Key` are keys; ``*more`` makes the arity open. The docstring's first line is the help.
"""

import enum
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NewType, TypeAlias

import attrs

from trikv.machine.errors import text_of, wrong_arity
from trikv.machine.memory import growth_bound
from trikv.machine.replies import CommandError

Key = NewType("Key", bytes)
"""Annotates the parameters that are keys."""

Handler: TypeAlias = Callable[..., Any]
Run: TypeAlias = Callable[[Any, Sequence[Sequence[bytes]]], int]
Extra: TypeAlias = Callable[[Sequence[bytes]], int]

_MANY = 1 << 31
_SHOWN_BYTES_MAX = 128
"""Redis shows this much of an unknown command and of its arguments."""


class Kind(enum.Enum):
    """Where a command is evaluated (PROTOCOL 6)."""

    WRITE = "write"
    """By every replica, at its place in the log."""
    READ = "read"
    """By the origin alone; never changes state."""
    LOCAL = "local"
    """By the origin's node; never feeds state. The machine's own table has one, SELECT."""


@attrs.frozen
class Keys:
    """Which arguments are keys, as COMMAND INFO tells it: 0, 0, 0 where none is."""

    first: int = 0
    """Position of the first key; the command's name is position 0."""
    last: int = 0
    """Position of the last; -1: up to the end."""
    step: int = 0


@attrs.frozen
class Command:
    """All that is known about a command."""

    name: str
    """Upper case; ``CONFIG|SET`` for a subcommand."""
    kind: Kind
    arity: int
    """Redis' way: the exact number of arguments, name included; negative where it is the least."""
    flags: tuple[str, ...]
    """For COMMAND INFO: write, readonly, denyoom, fast."""
    keys: Keys
    summary: str
    """One line for help."""
    group: str
    """The family, for help: string, keys, expiry, ..."""
    usage: str
    """``SET key value [NX|XX]``."""
    handler: Handler
    of_two: Handler
    """Called for two arguments exactly: the handler, or what does the same in less time."""
    of_key: Handler | None
    """Answers a key's value, None if there is none, looks at nothing else and cannot fail: what a lone read
    may call instead, and count."""
    of_run: Run | None
    """Carries out the beginning of commands that start with this one; how many. Each is answered OK."""
    words: int
    """Arguments that make the name: 2 for a subcommand."""
    whole: bool
    """The handler takes the keyspace, not the selected database."""
    plain: bool
    """Neither a subcommand nor `whole`: the selected database, then all that follows the name."""
    denies_oom: bool
    """Refused outright while the account is over the cap."""
    grows: bool
    """A call may add to the account."""
    grows_more: Extra | None
    """From the arguments (name included): bytes that a call may add beyond its arguments."""
    least: int
    most: int

    def growth_bound(self, args: Sequence[bytes]) -> int:
        """Bytes that this call adds to the account at most."""
        if not self.grows:
            return 0
        bound = growth_bound(args, len(self.keys_of(args)))
        return bound if self.grows_more is None else bound + self.grows_more(args)

    def keys_of(self, args: Sequence[bytes]) -> Sequence[bytes]:
        """The keys among `args`."""
        if not self.keys.step:
            return ()
        end = len(args) if self.keys.last < 0 else self.keys.last + 1
        return args[self.keys.first : end : self.keys.step]


class CommandTable:
    """Commands by name."""

    def __init__(self) -> None:
        self._commands: dict[str, Command] = {}
        self.by_spelling: dict[bytes, Command] = {}
        """Plain commands by the usual spellings, all upper and all lower case: the hot paths' one lookup."""
        self._containers: set[str] = set()

    def __iter__(self) -> Iterator[Command]:
        """In the order of names."""
        return iter([self._commands[name] for name in sorted(self._commands)])

    def __len__(self) -> int:
        """How many; a subcommand counts."""
        return len(self._commands)

    def get(self, name: str) -> Command | None:
        """The command of that name, in any case; ``CONFIG|SET`` names a subcommand."""
        return self._commands.get(name.upper())

    def find(self, args: Sequence[bytes]) -> Command | CommandError:
        """The command that `args` calls with an arity it allows, or Redis' error."""
        if not args:
            return _unknown((b"",))
        command = self.by_spelling.get(args[0]) or self._resolve(args)
        if isinstance(command, CommandError):
            return command
        if command.least <= len(args) <= command.most:
            return command
        return wrong_arity(command.name)

    def is_write(self, args: Sequence[bytes]) -> bool:
        """True where these `args` belong in the log. CONFIG SET does for maxmemory alone (PROTOCOL 22)."""
        command = self.find(args)
        if isinstance(command, CommandError):
            return False
        if command.name == "CONFIG|SET":
            return any(parameter.lower() == b"maxmemory" for parameter in args[2::2])
        return command.kind is Kind.WRITE

    def merged_with(self, other: "CommandTable") -> "CommandTable":
        """A new table with both; where both name a command, it is the `other`'s."""
        merged = CommandTable()
        for table in (self, other):
            for command in table:
                merged.add(command)
        return merged

    def add(self, command: Command) -> None:
        """Add or replace a command."""
        self._commands[command.name] = command
        container, _, subcommand = command.name.partition("|")
        if subcommand:
            self._containers.add(container)
        for name in {container, command.name}:
            for spelling in (name.encode(), name.lower().encode()):
                if name in self._containers:
                    self.by_spelling.pop(spelling, None)
                else:
                    self.by_spelling[spelling] = command

    def command(
        self,
        name: str,
        *,
        kind: Kind,
        group: str,
        denies_oom: bool = False,
        fast: bool = False,
        options: str = "",
        open_least: int = 0,
        step: int = 1,
        grows: bool = False,
        grows_more: Extra | None = None,
        of_key: Handler | None = None,
        of_two: Handler | None = None,
        of_run: Run | None = None,
    ) -> Callable[[Handler], Handler]:
        """Register the decorated handler as `name`. May be stacked: an alias is a name like any other.

        `options` replaces the open end of the signature in the usage, and `open_least` is how many arguments
        it must have (of a command that is queued for EXEC nothing else is judged before); `step` is the
        distance of keys (2 in MSET); `grows` marks what adds to the account without being refused outright
        over the cap.
        Quick ways, see `Command`: `of_key` does what it does for one key, `of_two` for two arguments,
        `of_run` for as many such calls in a row as it can.
        """

        def register(handler: Handler) -> Handler:
            shape = _Shape.of(handler, words=name.count("|") + 1, step=step, open_least=open_least)
            usage = " ".join(
                part for part in (name.replace("|", " "), *shape.fixed, options or shape.open) if part
            )
            self.add(
                Command(
                    name=name,
                    kind=kind,
                    arity=shape.arity,
                    flags=_flags(kind, denyoom=denies_oom, fast=fast),
                    keys=shape.keys,
                    summary=(inspect.getdoc(handler) or "").partition("\n")[0],
                    group=group,
                    usage=usage,
                    handler=handler,
                    of_key=of_key,
                    of_two=of_two or handler,
                    of_run=of_run,
                    words=shape.words,
                    whole=shape.whole,
                    plain=shape.words == 1 and not shape.whole,
                    denies_oom=denies_oom,
                    grows=grows or denies_oom,
                    grows_more=grows_more,
                    least=abs(shape.arity),
                    most=shape.arity if shape.arity > 0 else _MANY,
                )
            )
            return handler

        return register

    def _resolve(self, args: Sequence[bytes]) -> Command | CommandError:
        """`find` without a quick answer: a mixed case, a container, or nothing that is known."""
        name = args[0].upper().decode("latin-1")
        if name in self._containers and len(args) > 1:
            found = self._commands.get(f"{name}|{args[1].upper().decode('latin-1')}")
            if found is None:
                shown = text_of(args[1][:_SHOWN_BYTES_MAX])
                return CommandError(f"ERR unknown subcommand '{shown}'. Try {name} HELP.")
            return found
        found = self._commands.get(name)
        if found is not None:
            return found
        return wrong_arity(name) if name in self._containers else _unknown(args)


@attrs.frozen
class _Shape:
    """A handler's signature, read as a grammar."""

    words: int
    whole: bool
    arity: int
    keys: Keys
    fixed: tuple[str, ...]
    open: str

    @classmethod
    def of(cls, handler: Handler, *, words: int, step: int, open_least: int) -> "_Shape":
        context, *parameters = inspect.signature(handler).parameters.values()
        open_end = [p.name for p in parameters if p.kind is p.VAR_POSITIONAL]
        fixed = tuple(p.name for p in parameters if p.kind is not p.VAR_POSITIONAL)
        places = [words + i for i, p in enumerate(parameters) if p.annotation is Key]
        keys = Keys()
        if places:
            is_open = parameters[-1].annotation is Key and bool(open_end)
            keys = Keys(places[0], -1 if is_open else places[-1], step)
        assert open_end or not open_least, "only an open end may hold more"
        least = words + len(fixed) + open_least
        return cls(
            words=words,
            whole=context.name == "space",
            arity=-least if open_end else least,
            keys=keys,
            fixed=fixed,
            open=f"[{open_end[0].removesuffix('s')} ...]" if open_end else "",
        )


def _flags(kind: Kind, **marks: bool) -> tuple[str, ...]:
    marks = {"write": kind is Kind.WRITE, "readonly": kind is Kind.READ, **marks}
    return tuple(mark for mark, is_set in marks.items() if is_set)


def _unknown(args: Sequence[bytes]) -> CommandError:
    """Redis' words for a command it does not know, with the beginning of its arguments."""
    shown = ""
    for arg in args[1:]:
        if len(shown) >= _SHOWN_BYTES_MAX:
            break
        shown += f"'{text_of(arg)[: _SHOWN_BYTES_MAX - len(shown)]}' "
    name = text_of(args[0][:_SHOWN_BYTES_MAX])
    return CommandError(f"ERR unknown command '{name}', with args beginning with: {shown}")
