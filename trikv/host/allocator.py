"""glibc's allocator: what was freed goes back to the system.

By itself glibc raises the size from which it asks the system for each allocation, up to 32 MiB, as soon as
one of that size is freed. All that is smaller then comes from one heap, which shrinks only from its end. A
burst of large values left a node with 250 MB more than it had in use. With a fixed size each large piece is
given back when it is freed.
"""

import ctypes
from typing import Final

_LIBRARY: Final = ctypes.CDLL(None)
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_MMAP_MAX: Final = -4

MAPPED_BYTES_MIN: Final = 256 << 10
"""Allocations of this size and above are mappings of their own."""
MAPPINGS_MAX: Final = 16_384
"""The system allows a process 65,530 mappings, and Python needs some for its small objects."""
TRIM_BYTES: Final = 4 << 20
"""Free memory at the heap's end that is kept: to give it back and ask again costs time."""


def give_back_freed_memory() -> bool:
    """Set this for the process. False if the C library has no such settings; then nothing is changed."""
    mallopt = getattr(_LIBRARY, "mallopt", None)
    if mallopt is None:
        return False
    settings = (
        (_M_MMAP_THRESHOLD, MAPPED_BYTES_MIN),
        (_M_MMAP_MAX, MAPPINGS_MAX),
        (_M_TRIM_THRESHOLD, TRIM_BYTES),
    )
    return all(mallopt(name, value) == 1 for name, value in settings)


def load_what_ends_threads() -> bool:
    """Load now what glibc loads when Python's end ends threads; False if there is no such library.

    It aborts the process if it cannot: a node that ended for want of address space had no exit code then.
    """
    try:
        ctypes.CDLL("libgcc_s.so.1")
    except OSError:
        return False
    return True


def trim() -> bool:
    """Give back free pages from inside the heap; False if that cannot be done.

    It takes some tens of milliseconds for a few hundred megabytes, in which nothing else allocates.

    What is smaller than `MAPPED_BYTES_MIN` lies in the heap. After thousands of half-sent requests of some
    kilobytes most of that was free, and stayed with the process because of the few objects between.
    """
    malloc_trim = getattr(_LIBRARY, "malloc_trim", None)
    return malloc_trim is not None and malloc_trim(0) == 1
