"""Helpers of the wire tests: drain a wire, feed it in pieces."""

from collections.abc import Iterable

from trikv.protocol.client import NEED_DATA, ClientEvent, ClientWire


def drain(wire: ClientWire) -> list[ClientEvent]:
    """Every event that is to be had now."""
    events: list[ClientEvent] = []
    while (event := wire.next_event()) is not NEED_DATA:
        events.append(event)
    return events


def feed(wire: ClientWire, pieces: Iterable[bytes]) -> list[ClientEvent]:
    """Every event, draining after each piece."""
    events: list[ClientEvent] = []
    for piece in pieces:
        wire.receive(piece)
        events += drain(wire)
    return events


def one_by_one(data: bytes) -> list[bytes]:
    """`data` as single bytes."""
    return [data[at : at + 1] for at in range(len(data))]


def careful(wire: ClientWire) -> ClientWire:
    """`wire` with its short way for plain requests switched off."""
    wire._plain_fits = False
    return wire
