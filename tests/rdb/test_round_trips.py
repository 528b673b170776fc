"""What is written is read again as the same, in payloads and in files, whatever it is."""

import io
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.rdb.test_damage import comparable
from trikv import rdb

TEXTS = st.one_of(
    st.binary(max_size=20),
    st.integers(-(2**63), 2**63 - 1).map(lambda number: b"%d" % number),
    st.sampled_from([b"", b"a" * 100, b"lorem ipsum " * 30, b"-0", b"1e5"]),
    st.tuples(st.binary(min_size=1, max_size=4), st.integers(1, 4000)).map(lambda pair: pair[0] * pair[1]),
)
SMALL = st.binary(max_size=8)
SCORES = st.floats(allow_nan=False)
HALVES = st.integers(0, 3) | st.integers(0, 2**64 - 1)
IDS = st.tuples(HALVES, HALVES)
TIMES = st.integers(0, 2**63 - 1)


@st.composite
def groups(draw: st.DrawFn, name: bytes) -> rdb.Group:
    """A group of any consumers, each of whose entries is one's."""
    names = draw(st.lists(SMALL, unique=True, max_size=3))
    active = st.none() | TIMES
    consumers = [rdb.Consumer(one, draw(TIMES), draw(active)) for one in names]
    ids = sorted(draw(st.sets(IDS, max_size=6))) if consumers else []
    owners = st.integers(0, max(len(consumers) - 1, 0))
    pending = [rdb.Pending(id_, draw(owners), draw(TIMES), draw(TIMES)) for id_ in ids]
    return rdb.Group(name, draw(IDS), draw(st.none() | TIMES), consumers, pending)


@st.composite
def streams(draw: st.DrawFn) -> rdb.Stream:
    """One whose ids fit each other."""
    ids = sorted(draw(st.sets(IDS.filter(lambda id_: id_ > (0, 0)), max_size=8)))
    fields = draw(st.lists(SMALL, min_size=1, max_size=3))
    entries: list[Any] = []
    for id_ in ids:
        names = fields if draw(st.booleans()) else draw(st.lists(SMALL, min_size=1, max_size=3))
        entries.append((id_, [word for name in names for word in (name, draw(TEXTS))]))
    last = max([draw(IDS), *ids])
    deleted = min(draw(IDS), last)
    added = draw(st.integers(len(ids), 2**63 - 1))
    names = draw(st.lists(SMALL, unique=True, max_size=2))
    return rdb.Stream(entries, last, deleted, added, [draw(groups(name)) for name in names])


def some(elements: st.SearchStrategy[Any], by: Any = None) -> st.SearchStrategy[Any]:
    """A list of at least one, all different."""
    return st.lists(elements, min_size=1, max_size=30, unique_by=by)


VALUES = st.one_of(
    st.builds(rdb.String, TEXTS),
    st.builds(rdb.List, st.lists(TEXTS, min_size=1)),
    st.builds(rdb.Set, some(TEXTS, lambda one: one)),
    st.builds(rdb.Set, some(st.integers(-(2**63), 2**63 - 1).map(lambda one: b"%d" % one), lambda one: one)),
    st.builds(rdb.SortedSet, some(st.tuples(TEXTS, SCORES), lambda one: one[0])),
    st.builds(rdb.Hash, some(st.tuples(TEXTS, TEXTS), lambda one: one[0])),
    streams(),
)


@given(VALUES, st.booleans())
def test_a_value_comes_back(value: rdb.Value, compress: bool) -> None:  # noqa: FBT001
    """With its order if it has one; a stream's consumers were active when they were seen, in version 10."""
    data = b"".join(rdb.payload_of(value, version=11, compress=compress))
    assert comparable(rdb.gathered(rdb.read_payload(data))) == comparable(value)
    older = rdb.gathered(rdb.read_payload(b"".join(rdb.payload_of(value, compress=compress))))
    if not isinstance(value, rdb.Stream):
        assert comparable(older) == comparable(value)
    else:
        assert isinstance(older, rdb.Stream)
        assert older.entries == value.entries


@given(
    st.dictionaries(st.tuples(st.integers(0, 20), TEXTS), st.tuples(VALUES, st.none() | TIMES), max_size=8),
    st.booleans(),
)
def test_a_file_comes_back(
    keys: dict[tuple[int, bytes], tuple[rdb.Value, int | None]],
    compress: bool,  # noqa: FBT001
) -> None:
    """Every key in its database, with its deadline and its value."""
    file = io.BytesIO()
    writer = rdb.FileWriter(file, version=11, compress=compress)
    for (database, key), (value, deadline_ms) in keys.items():
        writer.database(database, keys=1, deadlines=deadline_ms is not None)
        writer.key(key, value, deadline_ms)
    writer.end()
    back = {}
    for record in rdb.read_file(io.BytesIO(file.getvalue())):
        if isinstance(record, rdb.Key):
            whole = (
                rdb.String(record.value) if isinstance(record.value, bytes) else rdb.gathered(record.value)
            )
            back[record.database, record.key] = (comparable(whole), record.deadline_ms)
    assert back == {place: (comparable(value), at) for place, (value, at) in keys.items()}
    assert rdb.check_file(io.BytesIO(file.getvalue())).keys == len(keys)
