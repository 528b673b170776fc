"""Who waits and how he hears: nothing is lost between a look and a park, and nobody polls (PROTOCOL 65)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trikv.machine.effects import ALL, EMPTIED, REMOVED, WRITTEN, Effect, Place, Published, Touched
from trikv.node.audience import EFFECT_BYTES, NOWHERE, Audience, Listener, News, behind

ROOM = 10 * EFFECT_BYTES


class Bench:
    """An audience, and who was woken, in order."""

    def __init__(self) -> None:
        self.audience = Audience()
        self.woken: list[str] = []

    def listener(
        self, name: str, *keys: bytes | None, room_bytes: int = 0, seen: Place = NOWHERE
    ) -> Listener:
        """One who waits for keys of database 0."""
        listener = self.audience.admit(lambda: self.woken.append(name), room_bytes=room_bytes, seen=seen)
        for key in keys:
            listener.add_key(0, key)
        return listener

    def happens(self, *effects: Effect) -> list[str]:
        """An entry with those effects is applied; who was woken."""
        self.audience.route(effects)
        woken, self.woken = self.woken, []
        return woken


def touched(index: int, item: int, key: bytes | None = b"k", db: int = 0) -> Touched:
    """A key has changed."""
    return Touched((index, item), db, key, WRITTEN)


def said(index: int, channel: bytes, message: bytes = b"m") -> Published:
    """A message came."""
    return Published((index, 1), channel, message)


# One who looks again.


def test_an_effect_between_a_look_and_a_park_is_not_lost() -> None:
    """The key changed after the look and before the parking: it may not park."""
    bench = Bench()
    one = bench.listener("one", b"k")
    assert bench.happens(touched(5, 1)) == []
    assert not one.park(behind(4))
    assert one.park(behind(5))
    assert bench.happens(touched(6, 1)) == ["one"]


@pytest.mark.parametrize("room_bytes", [0, ROOM])
def test_a_look_by_a_write_has_its_place_in_its_entry(room_bytes: int) -> None:
    """An empty pop and the push behind it may come in one entry; a push before it was seen."""
    bench = Bench()
    one = bench.listener("one", b"k", room_bytes=room_bytes)
    bench.happens(touched(5, 1), touched(5, 3))
    assert not one.park((5, 2))
    assert one.park((5, 3))
    other = bench.listener("other", b"k", room_bytes=room_bytes)
    assert other.park((6, 2))
    assert bench.happens(touched(6, 1)) == ["one"], "the other has seen it"
    assert bench.happens(touched(6, 3)) == ["other"]


def test_it_is_woken_once_until_it_parks_again() -> None:
    """Each waking is a look; what comes before that is seen by it, or told by the parking."""
    bench = Bench()
    one = bench.listener("one", b"k")
    assert one.park(behind(1))
    assert bench.happens(touched(2, 1), touched(2, 2)) == ["one"]
    assert bench.happens(touched(3, 1)) == []
    assert not one.park(behind(2))
    assert one.park(behind(3))


def test_a_place_never_goes_back() -> None:
    """Of two looks that overtook each other the later one counts."""
    bench = Bench()
    one = bench.listener("one", b"k")
    bench.happens(touched(5, 1))
    assert one.park(behind(5))
    assert one.park(behind(4))
    assert bench.happens(touched(5, 2)) == []


def test_who_came_first_is_woken_first_and_keeps_his_place() -> None:
    """However often he was woken; who leaves and comes again stands at the end."""
    bench = Bench()
    line = [bench.listener(name, b"k") for name in ("first", "second", "third")]
    for index in (1, 2):
        assert all(one.park(behind(index)) for one in reversed(line))
        assert bench.happens(touched(index + 1, 1)) == ["first", "second", "third"]
    line[0].forget_key(0, b"k")
    line[0].add_key(0, b"k")
    assert all(one.park(behind(3)) for one in line)
    assert bench.happens(touched(4, 1)) == ["second", "third", "first"]


def test_only_those_hear_whom_it_concerns() -> None:
    """By key, by database, by channel; or all of them."""
    bench = Bench()
    waiting = {
        "key": bench.listener("key", b"k"),
        "other key": bench.listener("other key", b"l"),
        "all keys": bench.listener("all keys", ALL),
        "database 3": bench.listener("database 3"),
        "channel": bench.listener("channel"),
        "all channels": bench.listener("all channels"),
    }
    waiting["database 3"].add_key(3, b"k")
    waiting["channel"].add_channel(b"k")
    waiting["all channels"].add_channel(ALL)

    def heard(*effects: Effect) -> set[str]:
        for one in waiting.values():
            one.park(behind(effects[0].place[0] - 1))
        return set(bench.happens(*effects))

    assert heard(touched(1, 1)) == {"key", "all keys"}
    assert heard(touched(2, 1, b"k", db=3)) == {"database 3"}
    assert heard(said(3, b"k")) == {"channel", "all channels"}
    assert heard(said(4, b"elsewhere")) == {"all channels"}
    assert heard(Touched((5, 1), 0, None, EMPTIED)) == {"all keys"}
    waiting["all channels"].forget_channel(ALL)
    assert heard(said(6, b"elsewhere")) == set()


def test_the_machine_is_asked_for_what_is_awaited_and_no_more() -> None:
    """A name is there from the first who waits for it until the last one leaves, in whatever way."""
    bench = Bench()
    awaited = bench.audience.awaited
    one, other = bench.listener("one", b"k", b"l"), bench.listener("other", b"k", ALL)
    one.add_key(2, b"k")
    other.add_channel(b"c")
    assert awaited.keys[0] == {b"k": None, b"l": None, ALL: None}
    assert (awaited.keys[2], awaited.channels) == ({b"k": None}, {b"c": None})
    one.close()
    assert (awaited.keys[0], awaited.keys[2]) == ({b"k": None, ALL: None}, {})
    other.forget_key(0, b"k")
    other.forget_key(0, b"k")  # nothing is left of it to forget
    other.close()
    other.close()
    assert (awaited.keys[0], awaited.channels) == ({}, {})


def test_who_is_closed_is_woken_no_more() -> None:
    """Not even by what had happened already, if somebody who was woken first has closed him."""
    bench = Bench()
    last = bench.listener("last")
    first = bench.audience.admit(last.close)
    for one in (first, last):
        one.add_key(0, b"k")
        assert one.park(behind(1))
    assert bench.happens(touched(2, 1)) == []
    bench.audience.installed(9)
    with pytest.raises(AssertionError, match="closed"):
        last.add_key(0, b"l")


def test_who_is_woken_may_wait_for_more() -> None:
    """He changes the lines that are being gone through."""
    bench = Bench()

    def come() -> None:
        assert bench.listener("new", b"k").park(behind(2))

    one = bench.audience.admit(come)
    one.add_key(0, b"k")
    assert one.park(behind(1))
    assert bench.happens(touched(2, 1)) == []
    assert bench.happens(touched(3, 1)) == ["new"]


# One who takes what happened.


def test_all_that_happened_is_taken_in_order() -> None:
    """Each effect once, though two of its names fit; then it waits."""
    bench = Bench()
    one = bench.listener("one", b"k", ALL, room_bytes=ROOM)
    one.add_channel(b"c")
    assert one.take() is None
    effects: list[Effect] = [touched(1, 1), said(1, b"c"), touched(1, 2, b"l")]
    assert bench.happens(*effects) == ["one"]
    assert bench.happens(touched(2, 1)) == []
    assert one.take() == News([*effects, touched(2, 1)], missed=False)
    assert one.take() is None
    assert bench.happens(touched(3, 1)) == ["one"]


def test_what_is_not_taken_in_time_is_missed_and_that_is_told() -> None:
    """The beginning is kept, and nothing behind the gap; once it is taken there is room again."""
    bench = Bench()
    one = bench.listener("one", b"k", room_bytes=2 * (EFFECT_BYTES + 1))
    one.add_channel(b"c")
    effects = [touched(index, 1) for index in range(1, 6)]
    for effect in effects:
        bench.happens(effect)
    assert one.take() == News(effects[:2], missed=True)
    assert one.take() is None
    assert bench.happens(said(6, b"c", b"m" * 1000), touched(6, 2)) == ["one"]
    assert one.take() == News([], missed=True)
    assert bench.happens(touched(7, 1)) == []
    assert one.take() == News([touched(7, 1)], missed=False)


def test_what_was_there_before_one_came_is_no_news() -> None:
    """A node that lags applies late what was said before: who came at index 5 hears none of it."""
    bench = Bench()
    one = bench.listener("one", room_bytes=ROOM, seen=behind(5))
    one.add_channel(b"c")
    assert one.take() is None
    assert bench.happens(said(5, b"c")) == []
    assert bench.happens(said(6, b"c")) == ["one"]
    assert one.take() == News([said(6, b"c")], missed=False)


# A snapshot.


def test_a_snapshot_wakes_everybody() -> None:
    """What its entries did is not known, so all look again, in the order in which they came."""
    bench = Bench()
    one, other = bench.listener("one", b"k"), bench.listener("other", b"l", room_bytes=ROOM)
    third = bench.listener("third", b"k", seen=behind(50))
    assert one.park(behind(3))
    assert other.take() is None
    assert third.take() is None
    bench.audience.installed(40)
    assert bench.woken == ["one", "other"], "the third has seen more than the snapshot holds"
    assert not one.park(behind(39))
    assert one.park(behind(40))
    assert other.take() == News([], missed=True)


def test_a_snapshot_comes_behind_what_is_kept() -> None:
    """It was earlier, and nothing behind it is known."""
    bench = Bench()
    one = bench.listener("one", b"k", room_bytes=ROOM)
    bench.happens(touched(1, 1))
    bench.audience.installed(40)
    bench.happens(touched(41, 1))
    assert one.take() == News([touched(1, 1)], missed=True)


# Whatever happens in whatever order.

_KEYS = st.sampled_from([b"a", b"b"])
_STEPS = st.one_of(
    st.tuples(st.just("write"), _KEYS),
    st.tuples(st.just("look"), st.integers(0, 2)),
    st.tuples(st.just("park"), st.integers(0, 2)),
    st.tuples(st.just("install"), _KEYS),
)


@given(st.lists(_STEPS, max_size=60))
def test_who_is_parked_has_seen_the_latest_change_of_his_keys(steps: list[tuple[str, bytes | int]]) -> None:
    """However writes, looks, parkings and snapshots follow each other; and a waking has a reason."""
    bench = Bench()
    keys: list[tuple[bytes, ...]] = [(b"a",), (b"b",), (b"a", b"b")]
    listeners = [bench.listener(str(number), *keys[number]) for number in range(3)]
    state = {b"a": 0, b"b": 0}
    looked: list[tuple[int, dict[bytes, int]]] = [(0, dict(state)) for _ in listeners]
    parked = [False] * 3
    index = 0
    for what, which in steps:
        if what in ("write", "install"):
            assert isinstance(which, bytes)
            index += 1
            state[which] = index
            if what == "write":
                woken = bench.happens(touched(index, 1, which))
            else:
                bench.audience.installed(index)
                woken, bench.woken = bench.woken, []
            for name in woken:
                assert parked[int(name)]
                assert what == "install" or which in keys[int(name)]
                parked[int(name)] = False
        else:
            assert isinstance(which, int)
            if what == "look":
                looked[which] = index, dict(state)
            else:
                parked[which] = listeners[which].park(behind(looked[which][0]))
        for number in range(3):
            if parked[number]:
                assert all(looked[number][1][key] == state[key] for key in keys[number])


def test_a_removal_is_told_as_any_other_change() -> None:
    """What became of the key stands in the effect."""
    bench = Bench()
    one = bench.listener("one", b"k", room_bytes=ROOM)
    gone = Touched((1, 1), 0, b"k", REMOVED)
    bench.happens(gone)
    assert one.take() == News([gone], missed=False)
