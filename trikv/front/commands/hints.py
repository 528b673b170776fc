"""Hints for people, added to Redis' error: the command they may have meant, the quotes, the usage.

Only typed commands get a hint; programs get Redis' exact text.
"""

from trikv.front.slots import Args
from trikv.front.transaction import NOT_INSIDE
from trikv.machine.errors import text_of
from trikv.machine.replies import CommandError
from trikv.machine.table import CommandTable

_SHOWN_CHARACTERS_MAX = 60
_OPTIONS = frozenset({b"EX", b"PX", b"EXAT", b"PXAT", b"NX", b"XX", b"GET", b"KEEPTTL"})
"""Options that may follow a value: a person who types one of them has forgotten a number, not the quotes."""
_NAME_CHARACTERS_MAX = 24
"""Bounds the search; every command is much shorter."""


def explain(table: CommandTable, args: Args, error: CommandError) -> CommandError:
    """`error` with a hint about what to do, or unchanged if there is none."""
    if not args:
        return error
    if error.text.startswith("ERR unknown command"):
        return _did_you_mean(table, args)
    if error == NOT_INSIDE:
        name = table.name_of(args).replace("|", " ")
        return CommandError(f"{error.text}; type discard, then {name} outside of multi")
    is_arity = error.text.startswith("ERR wrong number of arguments")
    if not (is_arity or error.text == "ERR syntax error"):
        return error
    command = table.get(text_of(args[0])) or table.get(b"|".join(args[:2]).decode("latin-1"))
    if command is None:
        container = text_of(args[0]).lower()
        known = len(args) == 1 and table.container(container) is not None
        return CommandError(f"{error.text}; help {container} shows what may follow") if known else error
    words = command.usage.split()
    extra = args[words.index("value") + 1 :] if "value" in words else ()
    if extra and not any(arg.upper() in _OPTIONS for arg in extra):
        place = words.index("value")
        suggestion = " ".join([*(text_of(arg) for arg in args[:place]), f'"{_joined(args[place:])}"'])
        if len(suggestion) <= _SHOWN_CHARACTERS_MAX:
            return CommandError(f"{error.text}; a value with spaces goes in quotes: {suggestion}")
        return CommandError(f"{error.text}; a value with spaces goes in quotes")
    return CommandError(f"{error.text}; usage: {command.usage}")


def _joined(words: Args) -> str:
    return " ".join(text_of(word).replace("\\", "\\\\").replace('"', '\\"') for word in words)


def _did_you_mean(table: CommandTable, args: Args) -> CommandError:
    name = text_of(args[0][:128])
    typed = name.lower()
    hint = "type help"
    if len(typed) <= _NAME_CHARACTERS_MAX:
        known = sorted({command.name.lower().partition("|")[0] for command in table})
        distance, near = min((slips(typed, candidate), candidate) for candidate in known)
        if distance <= max(1, len(typed) // 3):
            hint = f"did you mean {near}?"
    return CommandError(f"ERR unknown command '{name}'; {hint}")


def slips(typed: str, meant: str) -> int:
    """How many typing errors lie between two words: a letter left out, added, wrong, or two swapped.

    The distance of Damerau and Levenshtein. difflib's ratio would read ``gte`` as ``getex``, not as ``get``.
    """
    before: list[int] = []
    row = list(range(len(meant) + 1))
    for i, letter in enumerate(typed, 1):
        row, last = [i], row
        for j, other in enumerate(meant, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == meant[j - 2] and typed[i - 2] == other:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before = last
    return row[-1]
