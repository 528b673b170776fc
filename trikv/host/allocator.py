"""glibc's allocator: freed memory goes back to the system.

If nobody sets it, glibc raises the size from which an allocation is a mapping of its own, up to 32 MiB, as
soon as an allocation of that size is freed. Smaller ones then come from one heap, which shrinks only from its
end. A burst of large values left a node with 250 MB more than it had in use. With a fixed size each large
piece is given back when it is freed.
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
    """Fix the sizes above for this process. False if the C library has no such settings or refuses one."""
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
    """Load now the library that glibc loads when Python's exit ends threads; False if there is none."""
    # glibc aborts the process if it cannot load it: a node that ended because it lacked address space had no
    # exit code then.
    try:
        ctypes.CDLL("libgcc_s.so.1")
    except OSError:
        return False
    return True


def trim() -> bool:
    """Give back free pages from inside the heap; False if that cannot be done.

    It takes some tens of milliseconds for a few hundred megabytes, in which nothing else allocates. Pieces
    smaller than `MAPPED_BYTES_MIN` are in the heap. After thousands of half-sent requests of some kilobytes
    most of the heap was free, and stayed with the process because of the few objects between.
    """
    malloc_trim = getattr(_LIBRARY, "malloc_trim", None)
    return malloc_trim is not None and malloc_trim(0) == 1
