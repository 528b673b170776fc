"""The yardstick by instructions: its fixed work is done, and a run that failed is no figure."""

import pytest

from tests.perf.fixed_work import ROUNDS_OF_KEYS, WORKS, do
from tests.perf.instructions import FEW, MANY, Counted, of_run, rounds, table


@pytest.mark.parametrize("work", WORKS)
def test_fixed_work_is_done_and_answered(work: str) -> None:
    """Every reply is looked at: what fails or is refused would be cheap."""
    do(WORKS[work], 2)


def test_what_a_client_sends_is_bytes_of_the_protocol() -> None:
    """One request for each command of the pipeline, the same keys again after the last."""
    work = WORKS["SET, 16 in a pipeline"]
    assert work.of(3, 0) == work.of(3, ROUNDS_OF_KEYS) != work.of(3, 1)
    assert work.of(3, 0).startswith(b"*3\r\n$3\r\nSET\r\n$9\r\nkey:3:0:0\r\n$64\r\nvvv")
    assert work.of(3, 0).count(b"*3\r\n") == 16


def test_a_run_that_failed_is_no_figure() -> None:
    """Whatever ended it is shown."""
    assert of_run("==7== Collected : 1234\n") == 1234
    with pytest.raises(ValueError, match=r"failed:\nImportError: no such work"):
        of_run("ImportError: no such work")


def test_pipelines_need_fewer_rounds_for_as_many_commands() -> None:
    """Or they would take an hour under valgrind."""
    assert rounds(1) == (FEW, MANY)
    few, many = rounds(16)
    assert few < many < FEW
    assert (many - few) * 16 >= MANY - FEW


def test_the_table_shows_both_and_their_ratio() -> None:
    """In Markdown."""
    assert list(table([Counted("SET", 2000, 1999)]))[2:] == ["| SET | 2,000 | 1,999 | 1.000 |"]
