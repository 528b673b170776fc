"""Who waits at this node for what the log does, and how they hear of it. Nobody polls (PROTOCOL 65).

Whoever waits registers *before* it looks for the first time, and when it parks it says which place it has
seen. An effect that is later than that is never missed, whether it came before the parking or after it: what
came in between is kept. So there is no gap between a look and a park.

A listener stays in its lines until it is closed, however often it is woken, and keeps its place there. Who
came first is woken first.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias

import attrs

from trikv.machine.account import DATABASES
from trikv.machine.effects import ALL, LAST_ITEM, Awaited, Effect, Names, Place, Published, Touched

NOWHERE: Final[Place] = (0, 0)
"""Before every effect."""
EFFECT_BYTES: Final = 200
"""What an effect takes in memory beside its names, and its place in a listener's list."""

_CHANNELS: Final = -1
"""In place of a database: the names are of channels."""
Topic: TypeAlias = tuple[int, bytes | None]
Line: TypeAlias = "dict[Listener, None]"


def behind(index: int) -> Place:
    """What one has seen who has looked at the state after that entry."""
    return index, LAST_ITEM


@attrs.frozen
class News:
    """What a listener has not heard of yet."""

    effects: Sequence[Effect]
    """In the order of the log."""
    missed: bool
    """More came that was not kept for it, or a snapshot was installed: anything may have changed."""


class Listener:
    """One who waits. `Audience.admit` makes it."""

    __slots__ = (
        "_audience",
        "_is_closed",
        "_is_parked",
        "_kept",
        "_kept_bytes",
        "_missed_at",
        "_room_bytes",
        "_seen",
        "_topics",
        "_wake",
    )

    def __init__(self, audience: "Audience", wake: Callable[[], None], room_bytes: int, seen: Place) -> None:
        self._audience = audience
        self._wake = wake
        self._room_bytes = room_bytes
        self._seen = seen
        self._topics: dict[Topic, None] = {}
        self._kept: list[Effect] = []
        self._kept_bytes = 0
        self._missed_at = NOWHERE
        """The place of the latest effect that was not kept."""
        self._is_parked = False
        self._is_closed = False

    # What it waits for. Each has to be added before the first look at it.

    def add_key(self, db: int, key: bytes | None) -> None:
        """Hear of `key`, or of `ALL` keys of the database."""
        self._audience.enter((db, key), self)
        self._topics[db, key] = None

    def add_channel(self, channel: bytes | None) -> None:
        """Hear the messages of `channel`, or of `ALL` channels."""
        self.add_key(_CHANNELS, channel)

    def forget_key(self, db: int, key: bytes | None) -> None:
        """Hear of it no more; what is kept already stays."""
        if (db, key) in self._topics:
            del self._topics[db, key]
            self._audience.leave((db, key), self)

    def forget_channel(self, channel: bytes | None) -> None:
        """Hear its messages no more; what is kept already stays."""
        self.forget_key(_CHANNELS, channel)

    def close(self) -> None:
        """Wait for nothing any more. It is not woken after this, not even for what has happened already."""
        self._is_closed = True
        for topic in self._topics:
            self._audience.leave(topic, self)
        self._topics.clear()
        self._audience.dismiss(self)

    # How it waits.

    def park(self, seen: Place) -> bool:
        """True, and it waits, if nothing has happened that is later than `seen`; else look again.

        A look by a read has seen all that is `behind` an index, a look by a write what is up to its item.
        """
        self._seen = max(seen, self._seen)
        self._keep([effect for effect in self._kept if effect.place > self._seen])
        if self._missed_at <= self._seen:
            self._missed_at = NOWHERE
        self._is_parked = not self._kept and self._missed_at == NOWHERE
        return self._is_parked

    def take(self) -> News | None:
        """What has happened since the last time; None if there is nothing, and then it waits."""
        if not self._kept and self._missed_at == NOWHERE:
            self._is_parked = True
            return None
        news = News(self._kept, self._missed_at != NOWHERE)
        self._keep([])
        self._missed_at = NOWHERE
        return news

    def _keep(self, effects: list[Effect]) -> None:
        self._kept = effects
        self._kept_bytes = sum(map(_bytes_of, effects))

    # What its audience tells it.

    def hear(self, effect: Effect) -> bool:
        """Keep `effect`, or that it was missed, if it is news; whether that ends the waiting."""
        if effect.place <= self._seen or (self._kept and self._kept[-1] is effect):
            return False
        size = _bytes_of(effect)
        # Behind a gap nothing is kept: the listener is told of one, and it is at the end.
        if self._missed_at == NOWHERE and self._kept_bytes + size <= self._room_bytes:
            self._kept.append(effect)
            self._kept_bytes += size
        else:
            self._missed_at = effect.place
        return self._rouse()

    def miss(self, place: Place) -> bool:
        """Anything may have changed up to `place`; whether that ends the waiting."""
        if place <= self._seen:
            return False
        self._missed_at = place
        return self._rouse()

    def wake(self) -> None:
        """Tell it that its waiting has ended, unless it was closed meanwhile."""
        if not self._is_closed:
            self._wake()

    def _rouse(self) -> bool:
        was_parked, self._is_parked = self._is_parked, False
        return was_parked


def _topics_of(effect: Effect) -> tuple[Topic, Topic]:
    match effect:
        case Touched(db=db, key=key):
            return (db, key), (db, ALL)
        case Published(channel=channel):
            return (_CHANNELS, channel), (_CHANNELS, ALL)


def _bytes_of(effect: Effect) -> int:
    match effect:
        case Touched(key=key):
            return EFFECT_BYTES + len(key or b"")
        case Published(channel=channel, message=message):
            return EFFECT_BYTES + len(channel) + len(message)


class Audience:
    """All listeners of a node."""

    def __init__(self) -> None:
        self.awaited = Awaited(DATABASES)
        """What they wait for, for the machine."""
        self._lines: dict[Topic, Line] = {}
        """Who waits for each, in the order of arrival."""
        self._all: Line = {}

    def admit(self, wake: Callable[[], None], *, room_bytes: int = 0, seen: Place = NOWHERE) -> Listener:
        """A new listener, who waits for nothing yet.

        `wake` is called once after each `park` or `take` that has found nothing; it must not wait.
        `room_bytes`: how much is kept until the listener takes it. With 0 it only hears that something has
        happened, which is enough for one who looks again. `seen`: nothing up to this place is news to it,
        whenever that is applied here.
        """
        listener = Listener(self, wake, room_bytes, seen)
        self._all[listener] = None
        return listener

    def route(self, effects: Iterable[Effect]) -> None:
        """Tell all whom they concern of the effects of one entry, which is whole."""
        woken: Line = {}
        for effect in effects:
            for topic in _topics_of(effect):
                for listener in self._lines.get(topic, ()):
                    if listener.hear(effect):
                        woken[listener] = None
        # Only now, because who is woken may come and go in the lines.
        for listener in woken:
            listener.wake()

    def installed(self, index: int) -> None:
        """A snapshot has replaced the state: what its entries did is not known, so everybody looks again."""
        for listener in [one for one in self._all if one.miss(behind(index))]:
            listener.wake()

    # What listeners tell it.

    def enter(self, topic: Topic, listener: Listener) -> None:
        """`listener` waits for that at the end of its line."""
        assert listener in self._all, "it was closed"
        self._lines.setdefault(topic, {})[listener] = None
        self._names(topic)[topic[1]] = None

    def leave(self, topic: Topic, listener: Listener) -> None:
        """`listener` does not wait for that any more; the last one takes the name away."""
        line = self._lines[topic]
        del line[listener]
        if not line:
            del self._lines[topic]
            del self._names(topic)[topic[1]]

    def dismiss(self, listener: Listener) -> None:
        """`listener` is gone."""
        self._all.pop(listener, None)

    def _names(self, topic: Topic) -> Names:
        return self.awaited.channels if topic[0] == _CHANNELS else self.awaited.keys[topic[0]]
