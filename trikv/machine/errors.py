"""The error replies that more than one command gives, in Redis 7.0's words."""

from trikv.machine.replies import CommandError

DB_INDEX = CommandError("ERR DB index is out of range")
INTERNAL = CommandError("ERR internal error: this command failed in its checks and had no effect")
INVALID_CURSOR = CommandError("ERR invalid cursor")
KEY_TOO_LONG = CommandError("ERR key exceeds maximum allowed size")
NOT_FLOAT = CommandError("ERR value is not a valid float")
NOT_INTEGER = CommandError("ERR value is not an integer or out of range")
NO_SUCH_KEY = CommandError("ERR no such key")
OFFSET_RANGE = CommandError("ERR offset is out of range")
OOM = CommandError("OOM command not allowed when used memory > 'maxmemory'.")
EXEC_OOM = CommandError(f"EXECABORT Transaction discarded because of: {OOM.text}")
EXEC_ERRORS = CommandError("EXECABORT Transaction discarded because of previous errors.")
OUT_OF_RANGE = CommandError("ERR value is out of range")
OVERFLOW = CommandError("ERR increment or decrement would overflow")
STRING_TOO_LONG = CommandError("ERR string exceeds maximum allowed size (proto-max-bulk-len)")
SYNTAX = CommandError("ERR syntax error")
TOO_MUCH_PUBLISHED = CommandError("ERR the messages are larger than the commands that publish them")
WRONG_TYPE = CommandError("WRONGTYPE Operation against a key holding the wrong kind of value")


class WrongTypeError(Exception):
    """A command asked for a value of another type. It has changed nothing, and is answered `WRONG_TYPE`."""


class RefusedError(Exception):
    """Some way into its steps a command has found that it must refuse. It has changed nothing."""

    def __init__(self, error: CommandError) -> None:
        super().__init__(error.text)
        self.error = error


def wrong_arity(name: str) -> CommandError:
    """The wrong number of arguments. `name` may be in any case; a subcommand's is ``CONFIG|SET``."""
    return CommandError(f"ERR wrong number of arguments for '{name.lower()}' command")


def invalid_expire(name: str) -> CommandError:
    """A deadline of `name` that is not positive although it must be, or does not fit 64 bits."""
    return CommandError(f"ERR invalid expire time in '{name}' command")


TEXT_BYTES_MAX = 1024
"""Most bytes of an argument that an error shows: more than any name has. An argument may have megabytes, and
to decode one that is no text takes a tenth of a second a megabyte."""


def text_of(data: bytes) -> str:
    """How an error shows `data`: its beginning, on one line, cut at a NUL (as C does), as valid UTF-8."""
    shown = data[:TEXT_BYTES_MAX].partition(b"\0")[0]
    return shown.decode("utf-8", "replace").replace("\r", " ").replace("\n", " ")


def last_text_of(data: bytes) -> str:
    """`text_of`, where it is the end of an error: line ends are no blanks there, they go."""
    return text_of(data[:TEXT_BYTES_MAX].partition(b"\0")[0].rstrip(b"\r\n"))
