"""What is sent: determinism, ratios, ownership, unique values."""

from collections import Counter
from typing import Any

import hiredis  # noqa: TID251 - what a server reads
import pytest

from trikv.bench.ledger import Kind, number_of
from trikv.bench.options import COMMANDS, Options
from trikv.bench.workload import Batch, Ring, Stamped, written_kinds
from trikv.client.endpoint import Address

_ALL = tuple((name, 1.0) for name in COMMANDS)


def _options(**changed: Any) -> Options:
    given: dict[str, Any] = {"nodes": (Address("127.0.0.1", 1),), "requests": 1, "mix": _ALL}
    return Options(**(given | changed))


def _commands(batch: Batch) -> list[list[bytes]]:
    reader = hiredis.Reader()
    reader.feed(batch.data)
    return [reader.gets() for _ in range(batch.count)]


@pytest.mark.parametrize("verify", [False, True])
def test_the_same_seed_sends_the_same_bytes(verify: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Two sources of one seed give equal batches; another seed gives others."""

    def batches(seed: int) -> list[bytes]:
        options = _options(seed=seed, pipeline=3, verify=verify, mix=(("set", 1.0), ("get", 1.0)))
        source = Stamped(options, 7) if verify else Ring(options)
        return [source.next_batch(owner % 50).data for owner in range(100)]

    assert batches(1) == batches(1)
    assert batches(1) != batches(2)


def test_the_mix_is_kept() -> None:
    """Over many batches each command has its share of the weights, to one part in fifty."""
    ring = Ring(_options(mix=(("set", 1.0), ("get", 3.0), ("ping", 0.0)), pipeline=10))
    names = Counter(args[0].lower() for _ in range(2000) for args in _commands(ring.next_batch(0)))
    assert names.keys() == {b"set", b"get"}
    assert names[b"set"] / names.total() == pytest.approx(0.25, abs=0.02)


def test_every_command_of_the_mix_is_encoded_as_it_is_meant() -> None:
    """Each command has its arguments, values have the asked size, and writes are known as such."""
    ring = Ring(_options(value_bytes=5, pipeline=200))
    batch = ring.next_batch(0)
    seen = {}
    for args, writes in zip(_commands(batch), batch.writes, strict=True):
        name = args[0].lower().decode()
        seen[name] = len(args)
        assert writes == (name in {"set", "mset", "incr", "append", "del"})
        if name in {"set", "append"}:
            assert args[2] == b"xxxxx"
    assert seen == {"set": 3, "get": 2, "incr": 2, "mget": 11, "mset": 21, "del": 2, "ping": 1, "append": 3}
    assert batch.write_count == sum(batch.writes)


def test_keys_stay_below_the_limit_and_kinds_apart() -> None:
    """Slots are below --keys, and commands that do not mix have key spaces of their own."""
    ring = Ring(_options(keys=3, pipeline=500))
    keys = {
        key for args in _commands(ring.next_batch(0)) if args[0] in {b"SET", b"INCR"} for key in args[1:2]
    }
    assert keys == {b"%b:%012d" % (kind, slot) for kind in (b"key", b"counter") for slot in range(3)}


def test_the_ring_comes_round_and_its_memory_is_bounded() -> None:
    """The ring hands out its batches in turn for ever; huge values make a short ring, not a huge one."""
    ring = Ring(_options(mix=(("set", 1.0),), value_bytes=8 << 20))
    assert len(ring._batches) <= 9
    first = ring.next_batch(0)
    for _ in range(len(ring._batches) - 1):
        assert ring.next_batch(0) is not first
    assert ring.next_batch(0) is first


def test_verified_values_are_unique_and_slots_have_one_owner() -> None:
    """No value is written twice, and a slot is written only by connection (slot modulo connections)."""
    options = _options(verify=True, connections=4, keys=10, pipeline=20, mix=(("set", 1.0), ("mset", 1.0)))
    source = Stamped(options, 0xABCD)
    numbers: list[int | None] = []
    for turn in range(40):
        batch = source.next_batch(turn % 4)
        for args, change in zip(_commands(batch), batch.changes, strict=True):
            assert change is not None
            assert all(slot % 4 == turn % 4 and slot < options.keys for slot in change.slots)
            assert {number_of(0xABCD, value) for value in args[2::2]} == {change.number}
            assert {len(value) for value in args[2::2]} == {options.value_bytes}
            numbers.append(change.number)
    assert len(set(numbers)) == len(numbers)


def test_changes_tell_what_each_write_does() -> None:
    """DEL writes "absent", INCR and APPEND say by how much they grow, reads change nothing."""
    batch = Stamped(_options(verify=True, pipeline=200), 1).next_batch(0)
    changes = dict(zip((args[0] for args in _commands(batch)), batch.changes, strict=True))
    assert (deleted := changes[b"DEL"]) is not None
    assert (deleted.kind, deleted.number) == (Kind.REGISTER, 0)
    assert (counted := changes[b"INCR"]) is not None
    assert (counted.kind, counted.number) == (Kind.COUNTER, 1)
    assert (appended := changes[b"APPEND"]) is not None
    assert (appended.kind, appended.number) == (Kind.TAIL, 64)
    assert changes[b"GET"] is changes[b"MGET"] is changes[b"PING"] is None


def test_only_written_kinds_cost_ledger_memory() -> None:
    """A run keeps books for the kinds of keys it writes."""
    assert written_kinds(_options()) == [Kind.REGISTER, Kind.COUNTER, Kind.TAIL]
    assert written_kinds(_options(mix=(("get", 1.0), ("incr", 1.0)))) == [Kind.COUNTER]
