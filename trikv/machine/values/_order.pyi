from array import array

from trikv.machine.values.quick_order import Index

VERSION: int

def bisect(scores: array[float], score: float, is_behind: bool, /) -> int: ...
def move(
    index: Index, members: list[bytes], olds: list[float | None], scores: list[float], first: int, /
) -> int: ...
