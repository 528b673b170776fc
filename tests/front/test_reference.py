"""``docs/COMMANDS.md`` says what the code does."""

import os
from pathlib import Path

from tests.front.doubles import Client
from tests.front.reference import HAND_WRITTEN, generated
from trikv.front.conversation import PLANS
from trikv.front.dispatch import Mode

_FILE = Path(__file__).parents[2] / "docs" / "COMMANDS.md"


def test_the_command_reference_is_up_to_date() -> None:
    """The tables equal the command table; TRIKV_REWRITE=1 writes them anew and keeps the rest."""
    text = _FILE.read_text(encoding="utf-8")
    differences = text[text.index(HAND_WRITTEN) :]
    wanted = generated(PLANS) + differences
    if os.environ.get("TRIKV_REWRITE"):
        _FILE.write_text(wanted, encoding="utf-8")
        text = wanted
    assert text == wanted, "run: TRIKV_REWRITE=1 pytest tests/front/test_reference.py"


def test_every_special_command_is_treated() -> None:
    """A command planned as special has a method for it: none runs into the assertion."""
    for plan in PLANS:
        if plan.mode is Mode.SPECIAL:
            words = [*plan.command.name.split("|"), *["0"] * (plan.least - plan.command.words)]
            assert Client().ask(*words)[:1] in (b"+", b"-"), plan.name
