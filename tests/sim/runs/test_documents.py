"""Keys are read from a document as the machine wrote them, without its code."""

import json

import pytest

from tests.machine.driving import NOW, Driver, collect
from trikv.sim.checkers.documents import parse
from trikv.sim.checkers.inside import contents_of
from trikv.sim.checkers.values import Collection


def document_of(driver: Driver) -> bytes:
    """What a BACKUP of that machine is."""
    return collect(driver.machine.walk({"index": driver.machine.index}))


def driven() -> Driver:
    """Values of all types, small and in parts, in two databases."""
    driver = Driver()
    many = [f"m{number}" for number in range(400)]
    for number in (0, 9):
        driver.db = number
        driver.run(
            "SET a 1", "SET b 22 PX 50", "RPUSH l a b a", "SADD s a b", "HSET h f v", "ZADD z inf a 0.5 b"
        )
        driver.run(f"RPUSH gl {' '.join(many)}", f"SADD gs {' '.join(many)}", f"LPUSH gl {'x' * 5000}")
        driver.run(f"HSET gh {' '.join(f'{each} {each}' for each in many)}")
        driver.run("HSETEX ht PX 50 FIELDS 2 a 1 b 2", "HSET ht c 3", "HPEXPIRE gh 7 FIELDS 2 m7 m300")
        driver.run(f"ZADD gz {' '.join(f'{place} {each}' for place, each in enumerate(many))} -inf low")
        driver.submit([(b"SADD", b"binary", b"\xff\xfe", b"\x00"), (b"HSET", b"\xff", b"\xfe", b"\xfd")])
        driver.submit([(b"HSETEX", b"\xff", b"PX", b"9", b"FIELDS", b"1", b"\xfc", b"\xfb")])
    return driver


def test_a_document_holds_what_the_machine_holds() -> None:
    """Every element, and whether a value is in parts."""
    driver = driven()
    index, contents = parse(document_of(driver))
    assert index == driver.machine.index
    assert contents == contents_of(driver.machine)
    assert len(contents) == 2 * 13
    value, _ = contents[9, b"ht"]
    assert isinstance(value, Collection)
    assert value.deadlines == ((b"a", NOW + 50), (b"b", NOW + 50))


@pytest.mark.parametrize("harm", ["a part", "a key", "an element twice", "a type"])
def test_a_document_that_is_not_whole_is_refused(harm: str) -> None:
    """A part is missing, a key is, an element stands twice, a type is unknown."""
    document = json.loads(document_of(driven()))
    lines = document["keys"]
    at = {
        "a part": next(place for place, line in enumerate(lines) if "part" in line),
        "a key": next(place for place, line in enumerate(lines) if "v" in line),
    }.get(harm)
    if at is not None:
        del lines[at]
    elif harm == "an element twice":
        next(line for line in lines if line.get("t") == "set")["e"] *= 2
    else:
        next(line for line in lines if line.get("t") == "set")["t"] = "bag"
    with pytest.raises(ValueError, match=r"parts|keys|twice|type"):
        parse(json.dumps(document).encode())
