"""``docs/COMMANDS.md`` says what the code does."""

import os
from pathlib import Path

from tests.front.reference import HAND_WRITTEN, generated
from trikv.front.commands import TABLE

_FILE = Path(__file__).parents[2] / "docs" / "COMMANDS.md"


def test_the_command_reference_is_up_to_date() -> None:
    """The tables equal the command table; TRIKV_REWRITE=1 writes them anew and keeps the rest."""
    text = _FILE.read_text(encoding="utf-8")
    differences = text[text.index(HAND_WRITTEN) :]
    wanted = generated(TABLE) + differences
    if os.environ.get("TRIKV_REWRITE"):
        _FILE.write_text(wanted, encoding="utf-8")
        text = wanted
    assert text == wanted, "run: TRIKV_REWRITE=1 pytest tests/front/test_reference.py"
