"""HyperLogLogs: a string is a header, and a list of runs of equal registers, or all of them one by one.

Nothing here is clever: a register is looked for from the first run on, an element is hashed as the hash's
inventor says, and the number of elements is estimated with fifty decimal digits.
"""

from decimal import ROUND_HALF_UP, Decimal, localcontext
from functools import lru_cache
from typing import Any, TypeAlias

import attrs

from trikv.sim.checkers.expected import Failure
from trikv.sim.checkers.meanings.registry import everything, means, none, second
from trikv.sim.checkers.meanings.strings import change
from trikv.sim.checkers.state import Args, Refused, State

Run: TypeAlias = tuple[int, int]
"""The value of some registers, and how many they are."""

_REGISTERS, _BITS, _RANKS = 16384, 6, 50
_NEW = b"HYLL\x01" + bytes(11)
_HEADER = len(_NEW)
_SPARSE_MAX, _DENSE = 3000, _HEADER + _REGISTERS * _BITS // 8
_VALUE_MAX, _SPAN_MAX = 32, 4
"""Of a run whose registers are not zero."""
_DIGITS = 50
_WORD = 1 << 64
_REMEMBERED = 256
"""The search tries the same again and again."""
_NOT_ONE = Failure("WRONGTYPE Key is not a valid HyperLogLog string value.")


@attrs.define
class _Estimate:
    """What a string holds."""

    header: bytes
    is_sparse: bool
    runs: list[Run]
    """In dense form each is of one register."""

    @classmethod
    def of(cls, value: bytes | None) -> "_Estimate":
        """Read a string; a new one if there is none."""
        if value is None:
            return cls(_NEW, True, [(0, _REGISTERS)])
        if value[:4] != b"HYLL" or len(value) < _HEADER:
            raise Refused(_NOT_ONE)
        header, body = value[:_HEADER], value[_HEADER:]
        if value[4]:
            return cls(header, True, _runs(body))
        bits = f"{int.from_bytes(body, 'little'):0{_REGISTERS * _BITS}b}"
        ends = range(len(bits), 0, -_BITS)
        return cls(header, False, [(int(bits[end - _BITS : end], 2), 1) for end in ends])

    def values(self) -> list[int]:
        """All registers."""
        return [value for value, count in self.runs for _ in range(count)]

    def text(self) -> bytes:
        """The string."""
        if self.is_sparse:
            return self.header + b"".join(map(_opcode, self.runs))
        bits = "".join(f"{value:0{_BITS}b}" for value, _ in reversed(self.runs))
        return self.header + int(bits, 2).to_bytes(_DENSE - _HEADER, "little")

    def make_dense(self) -> None:
        """Have a run for each register."""
        self.runs = [(value, 1) for value in self.values()]
        self.header = self.header[:4] + b"\0" + self.header[5:]
        self.is_sparse = False

    def forget_count(self) -> None:
        """Note that the count in the header is of before."""
        self.header = self.header[:15] + bytes([self.header[15] | 0x80])

    def set(self, place: int, value: int) -> bool:
        """Let a register have that value at least; whether it had less."""
        first = number = 0 if self.is_sparse else place
        while first + self.runs[number][1] <= place:
            first += self.runs[number][1]
            number += 1
        run = old, count = self.runs[number]
        if old >= value:
            return False
        parts = [(old, place - first), (value, 1), (old, first + count - place - 1)]
        parts = [part for part in parts if part[1]]
        if self.is_sparse and (value > _VALUE_MAX or self._has_no_room(run, parts)):
            self.make_dense()
        if self.is_sparse:
            self.runs[number : number + 1] = parts
            _join(self.runs, max(number - 1, 0))
        else:
            self.runs[place] = (value, 1)
        return True

    def _has_no_room(self, run: Run, parts: list[Run]) -> bool:
        grown = _bytes(parts) - len(_opcode(run))
        return grown > 0 and _HEADER + _bytes(self.runs) + grown > _SPARSE_MAX


def _bytes(runs: list[Run]) -> int:
    return sum(2 if not value and count > 64 else 1 for value, count in runs)


def _opcode(run: Run) -> bytes:
    value, count = run
    if value:
        return bytes([0x80 + 4 * (value - 1) + count - 1])
    return bytes([count - 1]) if count <= 64 else (0x4000 + count - 1).to_bytes(2, "big")


def _runs(body: bytes) -> list[Run]:
    runs, at = list[Run](), 0
    while at < len(body):
        kind, low = divmod(body[at], 64)
        if kind == 0:
            runs.append((0, low + 1))
        elif kind == 1:
            at += 1
            runs.append((0, low * 256 + body[at] + 1))
        else:
            runs.append(((body[at] - 128) // 4 + 1, body[at] % 4 + 1))
        at += 1
    return runs


def _join(runs: list[Run], at: int) -> None:
    """Five times: a run and the next become one if they are short and of one value; else on to the next."""
    for _ in range(5):
        if at + 1 >= len(runs):
            return
        (value, count), (other, more) = runs[at], runs[at + 1]
        if value and value == other and count + more <= _SPAN_MAX:
            runs[at : at + 2] = [(value, count + more)]
        else:
            at += 1


@lru_cache(maxsize=4096)
def _place_and_rank(text: bytes) -> tuple[int, int]:
    """MurmurHash64A with Redis' seed, and what it says."""
    factor = 0xC6A4A7935BD1E995
    found = (0xADC83B19 ^ len(text) * factor) % _WORD
    for at in range(0, len(text), 8):
        word = sum(byte << 8 * place for place, byte in enumerate(text[at : at + 8]))
        if at + 8 <= len(text):
            word = word * factor % _WORD
            word = (word ^ word >> 47) * factor % _WORD
        found = (found ^ word) * factor % _WORD
    found = (found ^ found >> 47) * factor % _WORD
    found ^= found >> 47
    bits = f"{found // _REGISTERS:0{_RANKS}b}"
    return found % _REGISTERS, len(bits) - len(bits.rstrip("0")) + 1


def _count(values: list[int]) -> int:
    """Ertl's estimate."""
    if not any(values):
        return 0
    with localcontext() as context:
        context.prec = _DIGITS
        size = Decimal(_REGISTERS)
        total = size * _tau((size - values.count(_RANKS + 1)) / size)
        for rank in range(_RANKS, 0, -1):
            total = (total + values.count(rank)) / 2
        total += size * _sigma(values.count(0) / size)
        found = size * size / total / (2 * Decimal(2).ln())
        return int(found.quantize(Decimal(1), ROUND_HALF_UP))


def _sigma(share: Decimal) -> Decimal:
    total, factor = share, Decimal(1)
    for _ in range(40):
        share *= share
        total += share * factor
        factor *= 2
    return total


def _tau(share: Decimal) -> Decimal:
    if share in (0, 1):
        return Decimal(0)
    total, factor = 1 - share, Decimal(1)
    for _ in range(80):
        share = share.sqrt()
        factor /= 2
        total -= (1 - share) ** 2 * factor
    return total / 3


@lru_cache(maxsize=_REMEMBERED)
def _added(value: bytes | None, elements: tuple[bytes, ...]) -> bytes | None:
    """What comes of adding these; None if nothing changes."""
    one = _Estimate.of(value)
    changed = [one.set(*_place_and_rank(element)) for element in elements]
    if value is not None and not any(changed):
        return None
    one.forget_count()
    return one.text()


@means("PFADD", writes=True, repeats=True)
def _pfadd(state: State, args: Args) -> Any:
    new = _added(state.string(args[1]), tuple(args[2:]))
    if new is None:
        return 0
    change(state, args[1], new)
    return 1


@lru_cache(maxsize=_REMEMBERED)
def _merged(strings: tuple[bytes, ...]) -> tuple[list[int], bool]:
    """The greatest of each register, and whether one of them is dense."""
    there = [_Estimate.of(value) for value in strings]
    rows = [[0] * _REGISTERS, *(one.values() for one in there)]
    return list(map(max, zip(*rows, strict=True))), not all(one.is_sparse for one in there)


def _all(state: State, keys: Args) -> tuple[list[int], bool]:
    return _merged(tuple(value for key in keys if (value := state.string(key)) is not None))


@means("PFCOUNT", everything)
def _pfcount(state: State, args: Args) -> Any:
    one = _Estimate.of(state.string(args[1]))
    if len(args) == 2 and not one.header[15] & 0x80:
        return int.from_bytes(one.header[8:], "little")
    return _count(_all(state, args[1:])[0])


@means("PFMERGE", everything, writes=True, repeats=True)
def _pfmerge(state: State, args: Args) -> Any:
    values, is_dense = _all(state, args[1:])
    one = _Estimate.of(state.string(args[1]))
    if is_dense and one.is_sparse:
        one.make_dense()
    for place, value in enumerate(values):
        if value:
            one.set(place, value)
    one.forget_count()
    change(state, args[1], one.text())
    return b"OK"


@means("PFDEBUG", second, writes=True, repeats=True)
def _pfdebug(state: State, args: Args) -> Any:
    value = state.string(args[2])
    if value is None:
        return Failure("ERR The specified key does not exist")
    one = _Estimate.of(value)
    was_sparse = one.is_sparse
    if args[1] == b"ENCODING":
        return b"sparse" if was_sparse else b"dense"
    if args[1] == b"DECODE":
        words = [f"v:{each},{count}" if each else f"{'Zz'[count <= 64]}:{count}" for each, count in one.runs]
        return " ".join(words).encode() if was_sparse else Failure("ERR HLL encoding is not sparse")
    if was_sparse:
        one.make_dense()
        change(state, args[2], one.text())
    return one.values() if args[1] == b"GETREG" else int(was_sparse)


@means("PFSELFTEST", none, of_keys=False)
def _pfselftest(_: State, __: Args) -> Any:
    return b"OK"
