"""What a command is, said once: everything else about it is derived from its `Command`.

Both tables of a node are made of these: the machine's, and that of what the node answers itself. A decorated
function is a declaration (`trikv.machine.table.CommandTable.command`): its signature is the grammar, its
docstring the help. What differs from the usual is said beside the name.

Who evaluates a command is one thing, what clients are told of it is another: `Told` has Redis' words. Redis
does not call PUBLISH a write, whoever evaluates it here.
"""

import enum
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Required, TypeAlias, TypedDict

import attrs

from trikv.machine.grammar import Shape
from trikv.machine.keyspec import Finder, KeyNumber, Keys, KeySpec
from trikv.machine.memory import Charges

Handler: TypeAlias = Callable[..., Any]
Run: TypeAlias = Callable[[Any, Sequence[Sequence[bytes]]], list[Any]]
Extra: TypeAlias = Callable[[Sequence[bytes]], int]
Copied: TypeAlias = Callable[[Sequence[bytes], int], int]


class By(enum.Enum):
    """Who evaluates a command (PROTOCOL 6)."""

    LOG = "log"
    """Every replica, at the command's place in the log."""
    READ = "read"
    """The origin's machine alone, after a read round; never changes state."""
    NODE = "node"
    """The node that holds the client; never feeds state. The machine's own table has one, SELECT."""
    OPERATION = "action"
    """The same node, off the hot path: the handler checks the arguments and says what is to be done."""


class When(enum.Enum):
    """When a node answers what it evaluates by itself."""

    IN_TURN = "in turn"
    """At its place among the replies."""
    AT_ONCE = "at once"
    """As soon as it is read: it only concerns how the connection reads on (MULTI, QUIT)."""
    ALONE = "alone"
    """When all before it has been answered and before the next is looked at.

    What decides how the connection goes on (HELLO, AUTH), and what shows how it stands (CLIENT INFO).
    """


class Inside(enum.Enum):
    """What a command does between MULTI and EXEC."""

    QUEUED = "queued"
    ACTS = "acts"
    """It is not queued: EXEC, DISCARD, QUIT."""
    REFUSED = "refused"
    """It cannot be part of a transaction, and spoils it."""


_MANY: Final = 1 << 31
"""More arguments than any request can have."""
QUICK_US: Final = 8
"""PING and the like, and a slot whose reply is known."""
TEXT_US: Final = 400
"""INFO, HELP: some kilobytes of text."""


@attrs.frozen
class Cost:
    """About how long the node that holds the client is busy with one call."""

    us: int = 0
    """Microseconds: the most that it takes, if that depends on what it goes over."""
    connection_us: int = 0
    """As much more for each connection of the node, because it goes over all of them."""
    copies_value: bool = False
    """It copies the value of its key, whose length then decides: every replica does so."""
    copied_bytes: Copied | None = None
    """Its answer copies a part of its key's value: how many bytes, from the arguments (name included) and the
    length of the value."""
    moves_value: bool = False
    """It gives the value of one key to another: what follows in the same turn may copy it there."""


@attrs.frozen
class Told:
    """What COMMAND tells clients, in Redis' words. Nothing here decides what a command does."""

    since: str = ""
    """The version of Redis that brought it; empty for a word of trikv's own."""
    access: str | tuple[str, ...] = ""
    """How its keys are accessed (`KeySpec.access`): all alike, or one for each key of the signature."""
    flags: str | None = None
    """Redis' flags. None: write or readonly, denyoom and fast, as declared; loading and stale for what a node
    answers by itself. Those that follow from other declarations (no_auth, movablekeys) are never given."""
    categories: str = ""
    """ACL categories besides those that follow from its flags and its group."""
    group: str = ""
    """Redis' group, if it is not the one that follows from ours."""
    tips: str = ""
    """Hints for clients that split one call over several nodes."""
    deprecated: str = ""
    """The version of Redis that advised against it."""
    instead: str = ""
    """What Redis advises then."""
    is_internal: bool = False
    """Redis calls it a system command: not meant for applications."""


_NOTHING_TOLD: Final = Told()


@attrs.frozen
class Command:
    """All that is known about a command. Hot paths read plain attributes of it."""

    # What it is called and how it is called.
    name: str
    """Upper case; ``CONFIG|SET`` for a subcommand."""
    arity: int
    """Redis' way: the exact number of arguments, name included; negative if it is the least."""
    words: int
    """Arguments that make the name: 2 for a subcommand."""
    least: int
    most: int
    keys: Keys
    key_names: tuple[str, ...]
    """How `usage` calls them."""
    usage: str
    """``SET key value [NX|XX]``."""

    # Who evaluates it, and when.
    by: By
    writes: bool
    """`by` is the log."""
    reads: bool
    """`by` is a read."""
    when: When
    inside: Inside
    before_auth: bool
    """May be called before the password was given."""
    is_checked: bool
    """Health checkers type it: a simple string is answered in Redis' very bytes, which people can read."""
    cost: Cost | None
    """None: bounded by the bytes of its arguments and the number of commands in a turn."""
    treatment: object
    """How the front takes it, if none of the usual ways will do; nothing to the machine."""

    # How it is evaluated.
    level: int
    """The feature level from which on a cluster knows it (PROTOCOL 22); 0: every one does."""
    handler: Handler
    of_key: Handler | None
    """Answers a key's value, None if there is none, looks at nothing else and fails only by WrongTypeError:
    what a lone read may call instead, and count."""
    of_run: Run | None
    """Carries out the beginning of commands that start with this one, and returns their replies. None of them
    answers an error. It gets the context of the first."""
    resumable: bool
    """The handler is a generator: it works in slices, between which the node does other things."""
    stops: bool
    """It is resumable, copies values, or looks at many: what comes before it in its entry may be a slice."""
    whole: bool
    """The handler takes the context of its call, not the selected database."""
    plain: bool
    """Neither a subcommand nor `whole` nor `stops`: the selected database, then all behind the name."""
    denies_oom: bool
    """Refused outright while the account is over the cap."""
    grows: bool
    """A call may add to the account."""
    grows_more: Extra | None
    """From the arguments (name included): bytes that a call may add beyond its arguments."""
    grows_once: int
    """Bytes that each of its keys may add besides, but once, however often it is called: what a value takes
    more when it leaves its packed form."""

    # What people and clients are told.
    summary: str
    """One line for help."""
    complexity: str
    group: str
    """The family, for help: string, keys, expiry, ..."""
    fast: bool
    """Takes a few microseconds, whatever it is called with."""
    told: Told

    def more_bytes(self, args: Sequence[bytes]) -> int:
        """Bytes that this call may add to a value beyond those of its arguments."""
        return 0 if self.grows_more is None else self.grows_more(args)

    def growth_bound(self, args: Sequence[bytes], charges: Charges) -> int:
        """Bytes that this call adds at most to an account with those `charges`."""
        if not self.grows:
            return 0
        return charges.growth_bound(args, len(self.keys.among(args)), self.more_bytes(args))


@attrs.frozen
class Container:
    """A name that only has subcommands: CONFIG. It is no command, but clients are told of it."""

    name: str
    """Upper case."""
    summary: str
    group: str
    since: str


class Said(TypedDict, total=False):
    """What a declaration may say besides the name. Nearly all of it has a default that is derived."""

    by: Required[By]
    group: Required[str]
    aliases: Sequence[str]
    """Other names of the same command."""

    options: str
    """Stands in the usage for the open end of the signature."""
    choices: Mapping[str, str]
    """Stand in the usage for parameters that are one of a few words."""
    open_least: int
    """How many arguments the open end must have. Of a command that is queued for EXEC nothing else is judged
    before."""
    step: int
    """The distance of keys: 2 in MSET."""
    specs: Sequence[KeySpec]
    """Where the keys are, if the signature cannot say it."""
    finder: Finder
    """Finds the keys of a call, if no spec can, or can tell how they are accessed."""

    when: When
    """In its turn, unless said otherwise."""
    inside: Inside
    """A node's operation is refused inside MULTI, and all else is queued, unless said otherwise."""
    before_auth: bool
    checked: bool
    """`Command.is_checked`."""
    cost: Cost
    """The machine's commands have none, and others `QUICK_US` if they are fast or `TEXT_US`, unless said."""
    fast: bool

    level: int
    """`Command.level`; that of its table unless said."""
    denies_oom: bool
    grows: bool
    """Adds to the account without being refused outright over the cap."""
    grows_more: Extra
    grows_once: int
    of_key: Handler
    of_run: Run

    complexity: str
    told: Told


def declared(name: str, handler: Handler, said: Said) -> Iterator[Command]:
    """The command that `handler` and what is said beside it declare, once for each of its names."""
    by, fast = said["by"], said.get("fast", False)
    told = said.get("told", _NOTHING_TOLD)
    shape = Shape.of(
        handler,
        words=name.count("|") + 1,
        step=said.get("step", 1),
        open_least=said.get("open_least", 0),
        access=_access(by, told),
    )
    of_machine = by in (By.LOG, By.READ)
    denies_oom = said.get("denies_oom", False)
    resumable = inspect.isgeneratorfunction(handler)
    assert by is By.LOG or not resumable, f"{name}: only writes stop inside an entry; a long read has a cut"
    cost = said.get("cost", None if of_machine else Cost(QUICK_US if fast else TEXT_US))
    copies = cost is not None and (cost.copies_value or cost.copied_bytes is not None)
    stops = resumable or copies or shape.looks
    one = Command(
        name=name,
        arity=shape.arity,
        words=shape.words,
        least=abs(shape.arity),
        most=shape.arity if shape.arity > 0 else _MANY,
        keys=Keys.of(said.get("specs", shape.specs), said.get("finder")),
        key_names=(*shape.key_names, *_counted_names(said.get("specs", ()))),
        usage="",
        by=by,
        writes=by is By.LOG,
        reads=by is By.READ,
        when=said.get("when", When.IN_TURN),
        inside=said.get("inside", Inside.REFUSED if by is By.OPERATION else Inside.QUEUED),
        before_auth=said.get("before_auth", False),
        is_checked=said.get("checked", False),
        cost=cost,
        treatment=None,
        level=said.get("level", 0),
        handler=handler,
        of_key=said.get("of_key"),
        of_run=said.get("of_run"),
        resumable=resumable,
        stops=stops,
        whole=shape.whole,
        plain=shape.words == 1 and not shape.whole and not stops,
        denies_oom=denies_oom,
        grows=said.get("grows", denies_oom),
        grows_more=said.get("grows_more"),
        grows_once=said.get("grows_once", 0),
        summary=shape.summary,
        complexity=said.get("complexity", "O(1)"),
        group=said["group"],
        fast=fast,
        told=told,
    )
    choices = said.get("choices", {})
    assert choices.keys() <= set(shape.fixed), f"{name}: a choice for no parameter"
    fixed = [choices.get(word, word) for word in shape.fixed]
    for each in (name, *said.get("aliases", ())):
        parts = (each.replace("|", " "), *fixed, said.get("options", shape.open))
        yield attrs.evolve(one, name=each, usage=" ".join(filter(None, parts)))


def _counted_names(specs: Sequence[KeySpec]) -> tuple[str, ...]:
    """What the usage calls the keys of an open end that an argument counts; those are no parameters."""
    return ("key",) if any(isinstance(spec.find, KeyNumber) for spec in specs) else ()


def _access(by: By, told: Told) -> tuple[str, ...]:
    """How the keys are accessed: as is told, or what is usual for who evaluates the command."""
    if told.access:
        return (told.access,) if isinstance(told.access, str) else told.access
    return ("RW access update" if by is By.LOG else "RO access",)
