"""Freed memory goes back to the system. Tested in a process of its own: the settings cannot be undone."""

import subprocess
import sys

from tests.tools import needs

BURST = """
import ctypes, os, sys
from trikv.host.allocator import give_back_freed_memory
if sys.argv[1] == "settled":
    assert give_back_freed_memory()
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
b"".join([b"x" * (20 << 20)])  # by itself glibc serves the next ones from its heap
before, kept = resident(), []
values = []
for _ in range(100):
    values.append(bytearray(1 << 20))
    kept.append(bytearray(1000))  # what lives on lies between
del values
print((resident() - before) >> 20)
"""


def left_mib(how: str) -> int:
    """The memory in MiB that a process keeps after a burst of 100 MiB."""
    done = subprocess.run([sys.executable, "-c", BURST, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@needs(sys.platform == "linux", "reads /proc")
def test_a_burst_of_large_values_is_given_back() -> None:
    """Without the setting most of it stays with the process; with it nothing does."""
    assert left_mib("settled") < 10
    assert left_mib("as it is") > 50, "glibc has learnt: the setting may go"
