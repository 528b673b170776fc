"""Helpers of the wire tests: drain a wire, feed it in pieces."""

from collections.abc import Callable, Iterable

from trikv.protocol.requests import NEED_DATA, ClientEvent, ClientWire, Request


def drain(wire: ClientWire) -> list[ClientEvent]:
    """Every event that the wire has now."""
    events: list[ClientEvent] = []
    while (event := wire.next_event()) is not NEED_DATA:
        events.append(event)
    return events


def drain_by_short_runs(wire: ClientWire) -> list[ClientEvent]:
    """The same events by runs of three; a part of each run is put back."""
    return drain_by_runs(wire, 3)


def drain_by_runs(wire: ClientWire, most: int = 1 << 20) -> list[ClientEvent]:
    """The same events by runs; a part of each run is put back."""
    events: list[ClientEvent] = []
    while True:
        run, size = wire.run(most)
        assert len(run) <= most
        if run:
            taken = len(run) // 2 or 1
            wire.put_back(run[taken:], size)
            events += [Request(args, False) for args in run[:taken]]
            continue
        event = wire.next_event()
        if event is NEED_DATA:
            return events
        events.append(event)


def feed(
    wire: ClientWire, pieces: Iterable[bytes], drained: Callable[[ClientWire], list[ClientEvent]] = drain
) -> list[ClientEvent]:
    """Every event, draining after each piece."""
    events: list[ClientEvent] = []
    for piece in pieces:
        wire.receive(piece)
        events += drained(wire)
    return events


def one_by_one(data: bytes) -> list[bytes]:
    """`data` as single bytes."""
    return [data[at : at + 1] for at in range(len(data))]


def careful(wire: ClientWire) -> ClientWire:
    """`wire` with its short way for plain requests switched off."""
    wire._plain_fits = False
    return wire
