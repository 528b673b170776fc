"""LZF, the compression of strings: in C (`_lzf.c` says why), or in Python if that is not there.

The part in C is not used if it is of another version than this, or if a try shows that it does something else
here. Either way the same comes of it, and nobody needs to ask which it is.

**Where it stops.** What is decompressed is bounded by what the caller allows, whatever the bytes are. A
string is compressed in pieces of 4 KiB that need nothing of each other. So both can be done in steps, and a
long string costs a little more room than Redis would need for it.
"""

from collections.abc import Callable, Generator
from types import ModuleType
from typing import Final, TypeAlias

VERSION: Final = 1
"""Version of `_lzf.c`, which has the same number; a test compares both with the source."""

EXPANSION_MAX: Final = 88
"""So many bytes at most come out of one: three make 264."""
_RUN_MAX: Final = 32
_REFERENCE_MAX: Final = 264
_DISTANCE_MAX: Final = 8192
_PIECE_BYTES: Final = 4096
_HASH_SHIFT: Final = 32 - 12
_CUT: Final = "the compressed bytes end within a token"
_OTHER: Final = "the compressed bytes do not make the %d that they should"

Decompress: TypeAlias = Callable[[bytes, int, bytes, int], tuple[int, bytes]]
Compress: TypeAlias = Callable[[bytes, int, int], bytes]


def _decompress(source: bytes, at: int, before: bytes, most: int) -> tuple[int, bytes]:
    """Take tokens from place `at` on until `most` bytes have come out, or none is left.

    Returns the place behind them and what came out, which may be 263 bytes more than `most`. `before` is what
    came out before: all, or the last 8192 bytes. Raises ValueError.
    """
    out, had, size = bytearray(before), len(before), len(source)
    while at < size and len(out) - had < most:
        control = source[at]
        at += 1
        if control < _RUN_MAX:
            if size - at <= control:
                raise ValueError(_CUT)
            out += source[at : at + control + 1]
            at += control + 1
            continue
        length = control >> 5
        if size - at < (2 if length == 7 else 1):
            raise ValueError(_CUT)
        if length == 7:
            length += source[at]
            at += 1
        length += 2
        start = len(out) - ((control & 31) << 8 | source[at]) - 1
        at += 1
        if start < 0:
            raise ValueError("a token refers to what is before the beginning")
        again = out[start : start + length]
        out += (again * (length // len(again) + 1))[
            :length
        ]  # what it refers to may be longer than what is there
    return at, bytes(out[had:])


def _compress(source: bytes, first: int, last: int) -> bytes:
    """Tokens that make the bytes from place `first` to before `last`, and need nothing before.

    So the tokens of pieces can be joined.
    """
    made, places = bytearray(), [-1] * (1 << 12)
    at = literal = first
    while at + 2 < last:
        three = source[at : at + 3]
        place = (int.from_bytes(three, "big") * 2654435761 & 0xFFFFFFFF) >> _HASH_SHIFT
        before = places[place]
        places[place] = at
        if before < 0 or source[before : before + 3] != three:
            at += 1
            continue
        length, most = 3, min(last - at, _REFERENCE_MAX)
        while length < most and source[before + length] == source[at + length]:
            length += 1
        _put_literals(made, source[literal:at])
        shown, far = length - 2, at - before - 1
        made += bytes((shown << 5 | far >> 8,)) if shown < 7 else bytes((7 << 5 | far >> 8, shown - 7))
        made.append(far & 255)
        at += length
        literal = at
    _put_literals(made, source[literal:last])
    return bytes(made)


def _put_literals(made: bytearray, literals: bytes) -> None:
    for start in range(0, len(literals), _RUN_MAX):
        run = literals[start : start + _RUN_MAX]
        made.append(len(run) - 1)
        made += run


def _does_it(compiled: ModuleType) -> bool:
    """Try it on what is repeated near and far, and is not; and on what is cut."""
    tried = (bytes(range(256)) + b"ab" * 300 + bytes(500)) * 2
    try:
        tokens = compiled.compress(tried, 3, len(tried))
        half = compiled.decompress(tokens, 0, b"", 700)
        rest = compiled.decompress(tokens, half[0], half[1], len(tried))
        try:
            compiled.decompress(tokens[:-1], 0, b"", len(tried))
        except ValueError:
            is_refused = True
        else:
            is_refused = False
    except Exception:  # noqa: BLE001 - after any error it is not used
        return False
    return is_refused and tokens == _compress(tried, 3, len(tried)) and half[1] + rest[1] == tried[3:]


decompress: Decompress = _decompress
compress: Compress = _compress
is_compiled = False
"""Whether these are the ones in C."""
try:
    from trikv.rdb import _lzf
except ImportError:
    pass
else:
    if getattr(_lzf, "VERSION", None) == VERSION and _does_it(_lzf):
        decompress, compress = _lzf.decompress, _lzf.compress
        is_compiled = True

STEP_BYTES: Final = 256 * 1024 if is_compiled else 16 * 1024
"""So much comes out of a step, or is compressed in it: half a millisecond to two."""


def decompressed(source: bytes, size: int) -> bytes:
    """The `size` bytes that all of `source` makes, at once. Raises ValueError if it makes others, or none."""
    _check_size(source, size)
    at, made = decompress(source, 0, b"", size)
    if at < len(source) or len(made) != size:
        raise ValueError(_OTHER % size)
    return made


def _check_size(source: bytes, size: int) -> None:
    if size > len(source) * EXPANSION_MAX:
        raise ValueError(f"{len(source)} compressed bytes cannot make {size}")


def decompressed_in_steps(source: bytes, size: int) -> Generator[None, None, bytes]:
    """The same in steps of about `STEP_BYTES`."""
    _check_size(source, size)
    at, left, before = 0, size, b""
    pieces = []
    while at < len(source) and left >= 0:
        at, made = decompress(source, at, before, min(left, STEP_BYTES))
        if not made:
            break  # nothing may come any more, and there are tokens
        pieces.append(made)
        left -= len(made)
        before = made if len(made) >= _DISTANCE_MAX else (before + made)[-_DISTANCE_MAX:]
        if left > 0:
            yield
    if left or at < len(source):
        raise ValueError(_OTHER % size)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def compressed_in_steps(source: bytes) -> Generator[None, None, bytes]:
    """Tokens that make `source`; they may be longer."""
    pieces, since = [], 0
    for first in range(0, len(source), _PIECE_BYTES):
        pieces.append(compress(source, first, min(first + _PIECE_BYTES, len(source))))
        since += _PIECE_BYTES
        if since >= STEP_BYTES:
            since = 0
            yield
    return b"".join(pieces)
