"""Pages of SCAN over buckets that are divided, and become so or otherwise meanwhile."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.machine.crafted import CRC, KEYS, crafted, paged, small_limits, with_crc
from tests.machine.driving import Driver
from trikv.machine.database import BUCKET_SHIFT
from trikv.machine.scanning import scan

_KEY = st.sampled_from(KEYS)
_GROWTH = st.lists(_KEY, min_size=5, max_size=50, unique=True)


@settings(max_examples=100, deadline=None)
@given(_GROWTH, st.integers(1, 9), st.lists(st.tuples(st.booleans(), _KEY), max_size=80), st.integers(0, 9))
def test_a_scan_returns_what_stays_whatever_is_divided_or_merged(
    stay: list[bytes], count: int, changes: list[tuple[bool, bytes]], a_page: int
) -> None:
    """A key that is there for the whole scan comes exactly once, in whatever shape its bucket is then."""
    with small_limits():
        driver = Driver(seed=3)
        db = driver.machine.space.databases[0]
        for key in stay:
            db.store(key, b"")
        seen: list[bytes] = []
        for page in paged(db, count):
            seen += page
            assert len(page) <= count + 2, "a leaf more"
            for is_write, key in changes[:a_page]:
                if key not in stay:
                    db.store(key, b"") if is_write else db.drop(key)
            del changes[:a_page]
        assert all(seen.count(key) == 1 for key in stay)


def test_a_scan_goes_on_where_its_leaf_is_gone() -> None:
    """A page ended in a later leaf, and then only the first is left: that has been scanned already."""
    with small_limits():
        driver = Driver(seed=3)
        db = driver.machine.space.databases[0]
        keys = [*crafted(2), *crafted(9, CRC ^ 1), with_crc(b"z", 0xFFFFFFFF)]
        for key in keys:
            db.store(key, b"")
        cursor, page = scan(db, 0, 3)
        assert set(keys[:2]) < set(page)
        assert cursor >> 32
        for key in keys[2:-1]:
            db.drop(key)
        assert isinstance(db.buckets[CRC >> BUCKET_SHIFT], dict)
        assert scan(db, cursor, 3) == (0, keys[-1:])
