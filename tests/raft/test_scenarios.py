"""The golden scenarios: histories that random search finds too rarely, written down and kept."""

import os
from pathlib import Path

import pytest

from tests.raft.scenario import Scenario

FILES = sorted((Path(__file__).parent / "scenarios").glob("*.txt"))


def _replay(text: str) -> str:
    """The text of the file if its verbs are carried out now."""
    scenario = Scenario()
    blocks = []
    for block in text.strip().split("\n\n"):
        lines = block.split("\n----", 1)[0].split("\n")
        verbs = [line for line in lines if not line.startswith("#")]
        shown = [text for verb in verbs for text in scenario.run(verb)]
        blocks.append("\n".join([*lines, "----", *shown]) if verbs else block)
    return "\n\n".join(blocks) + "\n"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_scenario_plays_out_as_written(path: Path) -> None:
    """Each verb of the file shows exactly what the file says (TRIKV_REWRITE=1 writes it again)."""
    written = path.read_text(encoding="utf-8")
    played = _replay(written)
    if os.environ.get("TRIKV_REWRITE"):
        path.write_text(played, encoding="utf-8")
    assert played == written or os.environ.get("TRIKV_REWRITE")
