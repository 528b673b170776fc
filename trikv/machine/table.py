"""The command table: declarations by name, and the lookup of a request.

The class knows nothing of the machine: a node keeps the commands that it answers by itself (PING, INFO,
CLIENT ...) in a table of its own and merges the two.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, Unpack

from trikv.machine.declaration import Command, Container, Handler, Said, declared
from trikv.machine.errors import text_of, wrong_arity
from trikv.machine.replies import CommandError
from trikv.machine.values.value import Value

_SHOWN_BYTES_MAX: Final = 128
"""Redis shows this much of an unknown command and of its arguments."""


class CommandTable:
    """Commands by name, subcommands under their full name (``CONFIG|SET``)."""

    def __init__(self, level: int = 0) -> None:
        """`level`: `Command.level` of those that are declared here and say no other."""
        self._level = level
        self._commands: dict[str, Command] = {}
        self._later: dict[str, CommandError] = {}
        """The names of commands that a cluster does not know, and what it says of them."""
        self.by_spelling: dict[bytes, Command] = {}
        """Plain commands by the usual spellings, all upper and all lower case: the hot paths' one lookup."""
        self._containers: dict[str, Container] = {}
        """The names that have subcommands."""
        self.values: dict[str, type[Value]] = {}
        """The types of values, besides strings, that these commands make, by name."""

    def __iter__(self) -> Iterator[Command]:
        """Over all commands, in the order of their names."""
        return iter([self._commands[name] for name in sorted(self._commands)])

    def __len__(self) -> int:
        """The number of commands, including subcommands."""
        return len(self._commands)

    def get(self, name: str) -> Command | None:
        """The command of that name, in any case; ``CONFIG|SET`` names a subcommand."""
        return self._commands.get(name.upper())

    def container(self, name: str) -> Container | None:
        """The declaration of a name that has subcommands, in any case of letters; None for any other."""
        return self._containers.get(name.upper())

    def containers(self) -> list[Container]:
        """The declarations of all names that have subcommands."""
        return list(self._containers.values())

    def subcommands(self, name: str) -> list[Command]:
        """The subcommands of `name`, which is in upper case, in order."""
        return [command for command in self if command.name.startswith(f"{name}|")]

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

    def name_of(self, args: Sequence[bytes]) -> str:
        """The name of the command that `args` calls, whatever its arity: ``CONFIG|SET``; empty if none."""
        command = self.by_spelling.get(args[0]) if args else None
        if command is not None:
            return command.name
        words = [text_of(word).upper() for word in args[:2]]
        named = [self.get("|".join(words)), self.get(words[0] if words else "")]
        return next((command.name for command in named if command is not None), "")

    def at_level(self, feature_level: int) -> "CommandTable":
        """What a cluster of that level knows of this table; it says of the others what they need.

        To a replica of an older release those are unknown, so they must change nothing anywhere.
        """
        later = [command for command in self if command.level > feature_level]
        if not later:
            return self
        known = CommandTable()
        for command in self:
            if command.level <= feature_level:
                known.add(command)
        for container in self.containers():
            known.add_container(container)
        known.values = self.values
        known._later = {command.name: _needs(command, feature_level) for command in later}
        return known

    def merged_with(self, other: "CommandTable") -> "CommandTable":
        """A new table with the commands of both; if both declare a name, the `other`'s counts."""
        merged = CommandTable()
        for table in (self, other):
            for command in table:
                merged.add(command)
            for container in table.containers():
                merged.add_container(container)
            merged.values |= table.values
        return merged

    def add(self, command: Command) -> None:
        """Add or replace a command."""
        self._commands[command.name] = command
        container, _, subcommand = command.name.partition("|")
        if subcommand:
            self.add_container(Container(container, "", command.group, ""))
        for name in {container, command.name}:
            for spelling in (name.encode(), name.lower().encode()):
                if name in self._containers:
                    self.by_spelling.pop(spelling, None)
                else:
                    self.by_spelling[spelling] = command

    def add_container(self, container: Container) -> None:
        """Declare a name that only has subcommands. Replaces what one of them implied (it has no summary)."""
        if container.summary or container.name not in self._containers:
            self._containers[container.name] = container

    def add_value(self, made: type[Value]) -> None:
        """Declare a type of values that commands of this table make: snapshots are restored by it."""
        self.values[made.type_name] = made

    def command(self, name: str, **said: Unpack[Said]) -> Callable[[Handler], Handler]:
        """Declare the decorated handler as `name`, and as its aliases."""

        def register(handler: Handler) -> Handler:
            for command in declared(name, handler, {"level": self._level, **said}):
                self.add(command)
            return handler

        return register

    def _resolve(self, args: Sequence[bytes]) -> Command | CommandError:
        """`find` for a name in mixed case, a container, or an unknown name."""
        name = args[0].upper().decode("latin-1")
        if name in self._containers and len(args) > 1:
            full = f"{name}|{args[1].upper().decode('latin-1')}"
            found = self._commands.get(full) or self._later.get(full)
            if found is None:
                shown = text_of(args[1][:_SHOWN_BYTES_MAX])
                return CommandError(f"ERR unknown subcommand '{shown}'. Try {name} HELP.")
            return found
        found = self._commands.get(name) or self._later.get(name)
        if found is not None:
            return found
        return wrong_arity(name) if name in self._containers else _unknown(args)


def _needs(command: Command, feature_level: int) -> CommandError:
    """What a cluster of that level answers to a command of a later one."""
    return CommandError(
        f"ERR {command.name.replace('|', ' ')} needs feature level {command.level}; this cluster was founded "
        f"at level {feature_level}, by an older release"
    )


def _unknown(args: Sequence[bytes]) -> CommandError:
    """Redis' error for an unknown command, with the beginning of its arguments."""
    shown = ""
    for arg in args[1:]:
        if len(shown) >= _SHOWN_BYTES_MAX:
            break
        shown += f"'{text_of(arg)[: _SHOWN_BYTES_MAX - len(shown)]}' "
    name = text_of(args[0][:_SHOWN_BYTES_MAX])
    return CommandError(f"ERR unknown command '{name}', with args beginning with: {shown}")
