"""The arguments of a command as its usage gives them."""

import pytest

from trikv.machine.arguments import Argument, arguments_of
from trikv.machine.commands import TABLE

KEY = Argument("key", "key")
VALUE = Argument("string", "value")


def optional(kind: str, name: str, token: str = "", *parts: Argument) -> Argument:
    """An argument that may be left out."""
    return Argument(kind, name, token, is_optional=True, parts=parts)


@pytest.mark.parametrize(
    ("usage", "arguments"),
    [
        ("", ()),
        ("key value", (KEY, VALUE)),
        ("key [key ...]", (Argument("key", "key", is_multiple=True),)),
        (
            "[key ...]",
            (Argument("key", "key", is_optional=True, is_multiple=True),),
        ),
        (
            "key value [key value ...]",
            (Argument("block", "key", is_multiple=True, parts=(KEY, VALUE)),),
        ),
        ("value [key ...]", (VALUE, Argument("key", "key", is_optional=True, is_multiple=True))),
        (
            "[NX|XX] [GET]",
            (
                optional(
                    "oneof", "nx", "", Argument("pure-token", "nx", "NX"), Argument("pure-token", "xx", "XX")
                ),
                optional("pure-token", "get", "GET"),
            ),
        ),
        (
            "[EX seconds|KEEPTTL]",
            (
                optional(
                    "oneof",
                    "seconds",
                    "",
                    Argument("string", "seconds", "EX"),
                    Argument("pure-token", "keepttl", "KEEPTTL"),
                ),
            ),
        ),
        (
            "[protover [AUTH username password]]",
            (
                optional(
                    "block",
                    "protover",
                    "",
                    Argument("string", "protover"),
                    optional(
                        "block",
                        "username",
                        "AUTH",
                        Argument("string", "username"),
                        Argument("string", "password"),
                    ),
                ),
            ),
        ),
        (
            "<value | [ID id]>",
            (Argument("oneof", "value", parts=(VALUE, optional("string", "id", "ID"))),),
        ),
        (
            "[BY <A a|B>]",
            (optional("oneof", "by", "BY", Argument("string", "a", "A"), Argument("pure-token", "b", "B")),),
        ),
    ],
)
def test_a_usage_is_read(usage: str, arguments: tuple[Argument, ...]) -> None:
    """Tokens, values, options, alternatives and repetitions, however they are nested."""
    assert arguments_of(usage, ["key"]) == arguments


def test_every_usage_of_the_machine_can_be_read() -> None:
    """And names at least the keys that its declaration has."""
    for command in TABLE:
        usage = command.usage.removeprefix(command.name.replace("|", " "))
        arguments = str(arguments_of(usage, command.key_names))
        assert ("kind='key'" in arguments) == bool(command.keys.specs), command.name
