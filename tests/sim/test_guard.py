"""The runtime guard: a simulation that touches the real world fails at once, and only inside."""

import logging
import random
import threading
import time
from pathlib import Path

import pytest
import trio

from trikv.sim.determinism import DeadlockError, simulate
from trikv.sim.guard import RealWorldError, lifted

TOUCHES = (
    "import time; time.time()",
    "import time; time.monotonic()",
    "import time; time.clock_gettime_ns(time.CLOCK_MONOTONIC)",
    "import time; time.sleep(0)",
    "import os; os.urandom(1)",
    "import random; random.random()",
    "import random; random.shuffle([1, 2])",
    "import secrets; secrets.token_bytes(1)",
    "import secrets; secrets.randbelow(7)",
    "import uuid; uuid.uuid4()",
    "import threading; threading.Thread(target=print).start()",
    "import socket; socket.socket()",
    "import socket; socket.getaddrinfo('localhost', 1)",
    "import subprocess; subprocess.run(['true'])",
    "open('canary', 'w')",
    "open('canary', 'ab')",
    "import os; os.open('canary', os.O_CREAT)",
    "import os; os.rename('canary', 'canary2')",
    "import os; os.remove('canary')",
    "import os; os.mkdir('canary')",
    "from trikv.host.real import RealHost; RealHost('canary')",
)


@pytest.mark.parametrize("touch", TOUCHES)
def test_touching_the_world_raises(touch: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clocks, entropy, threads, sockets, processes and files are out of reach, and nothing happened."""
    monkeypatch.chdir(tmp_path)

    async def main() -> None:
        await trio.lowlevel.checkpoint()
        with pytest.raises(RealWorldError):
            exec(touch, {})

    simulate(1, main)
    assert list(tmp_path.iterdir()) == []


def test_a_worker_thread_raises() -> None:
    """Trio's own way to threads is shut as well."""

    async def main() -> None:
        with pytest.raises(RealWorldError):
            await trio.to_thread.run_sync(print)  # noqa: TID251 - that is what is tested

    simulate(1, main)


def test_seeded_randomness_reading_and_logging_are_allowed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A stream with a seed, a file that is only read, a log line: none of them decides a run."""
    (tmp_path / "a").write_text("text")

    async def main() -> int:
        await trio.lowlevel.checkpoint()
        logging.getLogger("simulated").warning("stamped")
        assert (tmp_path / "a").read_text() == "text"
        return random.Random(7).randrange(100)

    assert simulate(1, main) == random.Random(7).randrange(100)
    assert "stamped" in caplog.text


def test_the_guard_ends_with_the_run_and_can_be_lifted(tmp_path: Path) -> None:
    """Afterwards, also after a failure, all is as it was; what reports of a run may lift it."""
    before = {**vars(time)}, {**vars(random)}, {**vars(threading)}

    async def main() -> None:
        await trio.lowlevel.checkpoint()
        with lifted():
            assert time.perf_counter() > 0
            (tmp_path / "report").write_text("fine")
        with pytest.raises(RealWorldError):
            time.perf_counter()
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        simulate(1, main)
    assert before == (vars(time), vars(random), vars(threading))
    assert (tmp_path / "report").read_text() == "fine"


def test_waiting_for_ever_is_an_error() -> None:
    """If every task waits and nothing will wake one, the run fails and says so."""
    with pytest.raises(DeadlockError, match="for ever"):
        simulate(1, trio.sleep_forever)
