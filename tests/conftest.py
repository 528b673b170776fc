"""What holds for every test: Hypothesis profiles, and what a test needs of its machine.

A profile is chosen by HYPOTHESIS_PROFILE; `dev` if it is not set.
"""

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

from tests.tools import skip_unless_strict

# No deadlines: on a shared machine a slow example says nothing about the code.
# A printed blob makes any failure repeatable on another machine.
settings.register_profile("quick", max_examples=15, deadline=None, print_blob=True)
settings.register_profile("dev", max_examples=50, deadline=None, print_blob=True)
settings.register_profile("ci", max_examples=200, deadline=None, print_blob=True)
settings.register_profile(
    "nightly",
    max_examples=5000,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


@pytest.hookimpl(tryfirst=True)
def pytest_configure() -> None:
    """Let no test inherit that a signal is ignored, as under nohup or of what a script starts by ``&``.

    A handler that does nothing keeps pytest as deaf as it was asked to be; a process that a test starts has
    the default again, for handlers end at exec(2).
    """
    for number in (signal.SIGHUP, signal.SIGINT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda _number, _frame: None)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Obey `tests.tools.needs`: before the fixtures, which may need the same."""
    for mark in item.iter_markers("needs"):
        there, why = mark.args
        if not there:
            skip_unless_strict(why)
