"""Closed connections that linger: which of them are ended, and when."""

import pytest

from trikv.host.endings import Lingering


class Waiting:
    """A closed connection; when it is given up it leaves, as wires do."""

    def __init__(self, lingering: Lingering, unsent_bytes: int = 0) -> None:
        self._lingering = lingering
        self.bytes = unsent_bytes
        self.is_over = False

    def unsent_bytes(self) -> int:
        return self.bytes

    def give_up(self) -> None:
        assert not self.is_over
        self.is_over = True
        self.bytes = 0
        self._lingering.leave(self)


@pytest.fixture
def lingering() -> Lingering:
    """Room for three."""
    return Lingering(3)


def test_the_oldest_ends_first(lingering: Lingering) -> None:
    """Whoever has gone by itself holds no place."""
    wires = [Waiting(lingering) for _ in range(6)]
    for wire in wires[:3]:
        lingering.flush(wire)
    lingering.leave(wires[1])
    lingering.leave(wires[5])
    for wire in wires[3:5]:
        lingering.flush(wire)
    assert [wire.is_over for wire in wires] == [True, False, False, False, False, False]
    assert lingering.count() == 3


def test_who_lacks_nothing_ends_before_those_who_do(lingering: Lingering) -> None:
    """A drained connection only keeps a reset away; the others have bytes left."""
    wires = [Waiting(lingering, 1) for _ in range(5)]
    for wire in wires[:3]:
        lingering.flush(wire)
    for wire in wires[2:0:-1]:
        lingering.drain(wire)
    lingering.flush(wires[3])
    assert [wire.is_over for wire in wires] == [False, False, True, False, False], (
        "the first that was drained"
    )
    lingering.flush(wires[4])
    assert [wire.is_over for wire in wires] == [False, True, True, False, False]


def test_last_bytes_in_memory_are_bounded(lingering: Lingering, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connections have a limit of bytes together, and the oldest go; a single one may hold more."""
    monkeypatch.setattr("trikv.host.endings.LINGERING_BYTES_MAX", 50)
    wires = [Waiting(lingering, size) for size in (80, 25, 25, 25)]
    lingering.flush(wires[0])
    assert not wires[0].is_over
    for wire in wires[1:]:
        lingering.flush(wire)
    assert [wire.is_over for wire in wires] == [True, True, False, False]


def test_one_that_cannot_be_kept_at_all_is_ended_at_once() -> None:
    """Without any place the newest is the oldest, too."""
    lingering = Lingering(0)
    wires = [Waiting(lingering), Waiting(lingering)]
    lingering.flush(wires[0])
    lingering.drain(wires[1])
    assert [wire.is_over for wire in wires] == [True, True]
    assert lingering.count() == 0
