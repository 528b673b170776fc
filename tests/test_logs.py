"""Log lines: one an event, readable, and no value can make two of one."""

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from trikv import logs
from trikv.errors import first_line


def test_a_line_reads_from_left_to_right() -> None:
    """Time, level, what happened, then the details."""
    line = logs.render(
        None,
        "",
        {"timestamp": "T", "level": "info", "event": "serving", "node": 2, "path": "a b", "empty": ""},
    )
    assert line == "T info    serving node=2 path='a b' empty=''"


@given(st.text())
def test_no_value_makes_a_second_line(text: str) -> None:
    """What a client or a disk says cannot forge an event."""
    assert len(logs.render(None, "", {"event": "e", "said": text}).splitlines()) == 1


def test_a_traceback_follows_its_event() -> None:
    """Only our own bugs have one; it stays whole."""
    assert (
        logs.render(None, "", {"event": "crash", "exception": "Traceback\n  x"})
        == "         crash\nTraceback\n  x"
    )


def test_configured_it_writes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output stays for the commands."""
    try:
        logs.configure()
        structlog.get_logger().info("hello", who="me")
    finally:
        structlog.reset_defaults()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.endswith("info    hello who=me\n")


def test_the_first_of_many_errors_is_told_in_one_line() -> None:
    """Nurseries wrap errors in groups; a person gets the sentence."""
    inner = ExceptionGroup("inner", [OSError(13, "Permission denied", "/data"), ValueError("x")])
    assert first_line(ExceptionGroup("outer", [inner])) == "/data: Permission denied"
    assert first_line(OSError(98, "cannot listen on h:1: in use")) == "cannot listen on h:1: in use"
    assert first_line(ValueError("two\nlines")) == "two lines"
    assert first_line(KeyError()) == "KeyError"
