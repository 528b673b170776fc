"""The node's part of a snapshot's header: what is written is read back, what is damaged is named."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trikv.node.state.header import Header, header_of
from trikv.raft.types import Member, Membership, SnapshotMeta
from trikv.storage.errors import StorageCorrupt

MEMBERS = st.lists(
    st.builds(
        Member,
        id=st.integers(1, 65535),
        disk=st.binary(min_size=16, max_size=16),
        voter=st.booleans(),
        address=st.text(max_size=20),
    ),
    max_size=5,
)
HEADERS = st.builds(
    Header,
    cluster=st.binary(min_size=16, max_size=16),
    meta=st.builds(
        SnapshotMeta,
        st.integers(0, 2**63),
        st.integers(0, 2**63),
        MEMBERS.map(lambda members: Membership(tuple(members))),
    ),
    complete=st.booleans(),
    saved_ms=st.integers(0, 2**63),
)
GOOD = Header(
    b"c" * 16, SnapshotMeta(7, 2, Membership((Member(1, b"d" * 16, voter=True, address="a:1"),)))
).as_dict()


@given(HEADERS)
def test_header_survives_json(header: Header) -> None:
    """Every field comes back, through the format that the file has."""
    assert header_of(json.loads(json.dumps(header.as_dict())), "x") == header


@pytest.mark.parametrize("field", sorted(GOOD))
@pytest.mark.parametrize("value", ["missing", None, "zz", [1], [{"id": 1}], {"a": 1}, [["id"]]])
def test_damaged_field_is_named_with_its_file(field: str, value: object) -> None:
    """A header of another make is refused as corrupt, or read as what it says; never an odd exception."""
    fields = {**GOOD, field: value}
    if value == "missing":
        del fields[field]
    try:
        header_of(fields, "snapshots/7.json")
    except StorageCorrupt as error:
        assert "snapshots/7.json" in str(error)  # noqa: PT017 - some damage still reads as a header
    else:
        # Any value is true or false, no member is a membership, and an old version told no time.
        assert field in {"complete", "membership"} or (field, value) == ("saved_ms", "missing")


@given(
    st.dictionaries(
        st.sampled_from(sorted(GOOD)), st.none() | st.integers() | st.text() | st.lists(st.none())
    )
)
def test_any_damage_raises_storage_corrupt_or_nothing(damage: dict[str, object]) -> None:
    """Whatever JSON stands there, the node's answer is one error with a name."""
    try:
        header = header_of({**GOOD, **damage}, "x")
    except StorageCorrupt:
        return
    assert header_of(header.as_dict(), "x") == header
