"""Requests about hashes whose fields have deadlines. They are judged by the witness, which knows log time.

The hashes are few and small: no more fields may be due at once than one entry reaps (PROTOCOL 68). The model
drops all that are due at their deadline. Large hashes get a few deadlines, too.
"""

from trikv.sim.history import Args
from trikv.sim.workload.draw import HASHES, LARGE_HASHES, MORTAL_HASHES, MORTALS, Draw
from trikv.sim.workload.of_hashes import FRACTION, NUMBER, field_of
from trikv.sim.workload.of_large import NAMES
from trikv.sim.workload.of_time import at_ms, at_s, soon_ms, until
from trikv.sim.workload.requests import Step, command, request, transaction


def _key(draw: Draw) -> bytes:
    """Mostly one of the hashes, seldom a key that has a deadline of its own, whatever its type."""
    return draw.key(draw.one_of(*[MORTAL_HASHES] * 9, MORTALS))


def _fields(draw: Draw) -> Args:
    """FIELDS with a few names, of which one may stand twice, and which may be absent."""
    names = [*draw.members(), *draw.some((NUMBER, NUMBER, FRACTION, field_of(draw)), 1)]
    return b"FIELDS", b"%d" % len(names), *names


def _pairs(draw: Draw) -> Args:
    """FIELDS with a few names and values."""
    names = [*draw.members(), *draw.some((field_of(draw),), 1)]
    return b"FIELDS", b"%d" % len(names), *(word for name in names for word in (name, draw.element()))


def _expiry(draw: Draw) -> Args:
    """The name of HEXPIRE or of a relative and, behind a place for the key, when and on which condition."""
    name = draw.one_of(b"HEXPIRE", b"HPEXPIRE", b"HPEXPIRE", b"HEXPIREAT", b"HPEXPIREAT")
    amounts = {
        b"HEXPIRE": draw.one_of(1, 2, 0),
        b"HPEXPIRE": draw.one_of(soon_ms(draw), soon_ms(draw), soon_ms(draw), 0, -1),
        b"HEXPIREAT": at_s(draw),
        b"HPEXPIREAT": at_ms(draw),
    }
    condition = draw.some((b"NX", b"XX", b"GT", b"LT"), 1) if draw.chance(0.5) else []
    return name, b"%d" % amounts[name], *condition


def _expire(draw: Draw, key: bytes, fields: Args) -> Args:
    name, *words = _expiry(draw)
    return name, key, *words, *fields


@request("field", "HSET", "HMSET", "HSETNX", weight=5)
def _set(draw: Draw) -> list[Step]:
    """Also over fields with deadlines, which they lose."""
    key = draw.key(MORTAL_HASHES)
    pairs = [word for name in draw.members(5) for word in (name, draw.element())]
    return [
        draw.one_of(
            command(b"HSET", key, *pairs),
            command(b"HSET", key, *pairs),
            command(b"HMSET", key, *pairs),
            command(b"HSETNX", key, field_of(draw), draw.value()),
        )
    ]


@request("field", "HEXPIRE", "HPEXPIRE", "HEXPIREAT", "HPEXPIREAT", weight=6)
def _hexpire(draw: Draw) -> list[Step]:
    """A deadline that has passed deletes the field."""
    return [command(*_expire(draw, _key(draw), _fields(draw)))]


@request("field", "HSETEX", weight=3)
def _hsetex(draw: Draw) -> list[Step]:
    lifetime = draw.one_of((), (b"KEEPTTL",), until(draw), until(draw), (b"PX", b"%d" % soon_ms(draw)))
    condition = draw.some((b"FNX", b"FXX"), 1)
    return [command(b"HSETEX", _key(draw), *condition, *lifetime, *_pairs(draw))]


@request("field", "HGETEX", "HPERSIST", "HGETDEL", weight=3)
def _hgetex(draw: Draw) -> list[Step]:
    key, fields = _key(draw), _fields(draw)
    return [
        draw.one_of(
            command(b"HGETEX", key, *draw.one_of((), (b"PERSIST",), until(draw), until(draw)), *fields),
            command(b"HGETEX", key, *until(draw), *fields),
            command(b"HPERSIST", key, *fields),
            command(b"HGETDEL", key, *fields),
        )
    ]


@request("field", "HTTL", "HPTTL", "HEXPIRETIME", "HPEXPIRETIME", weight=4)
def _show(draw: Draw) -> list[Step]:
    name = draw.one_of(b"HTTL", b"HPTTL", b"HEXPIRETIME", b"HPEXPIRETIME")
    return [command(name, _key(draw), *_fields(draw))]


@request("field", "HGETALL", "HLEN", "HGET", "HMGET", "HEXISTS", "HRANDFIELD", "HSCAN", weight=7)
def _look(draw: Draw) -> list[Step]:
    """A field that is due is in none of the answers."""
    words = draw.one_of(
        (b"HGETALL",),
        (b"HGETALL",),
        (b"HKEYS",),
        (b"HVALS",),
        (b"HLEN",),
        (b"HLEN",),
        (b"HGET", field_of(draw)),
        (b"HMGET", *draw.members(5)),
        (b"HEXISTS", field_of(draw)),
        (b"HSTRLEN", field_of(draw)),
        (b"HRANDFIELD", b"-5"),
        (b"HRANDFIELD", b"5", b"WITHVALUES"),
        (b"HSCAN", b"0", b"COUNT", b"100"),
    )
    return [command(words[0], draw.key(MORTAL_HASHES), *words[1:])]


@request("field", "HINCRBY", "HINCRBYFLOAT", "HDEL", weight=3)
def _change(draw: Draw) -> list[Step]:
    """Numbers that keep their deadlines as they change."""
    key = draw.key(MORTAL_HASHES)
    return [
        draw.one_of(
            command(b"HINCRBY", key, NUMBER, b"7"),
            command(b"HINCRBY", key, draw.one_of(NUMBER, field_of(draw)), b"-3"),
            command(b"HINCRBYFLOAT", key, draw.one_of(FRACTION, NUMBER), b"0.5"),
            command(b"HDEL", key, *draw.members()),
        )
    ]


@request("field", "COPY", "RENAME", "MOVE", weight=2)
def _rename(draw: Draw) -> list[Step]:
    """The deadlines go along, and those of the other hash go."""
    one, other = draw.keys(MORTAL_HASHES)
    return [
        draw.one_of(
            command(b"COPY", one, other, b"REPLACE"),
            command(b"COPY", one, other, b"DB", b"%d" % draw.database(), b"REPLACE"),
            command(b"RENAME", one, other),
            command(b"MOVE", one, b"%d" % draw.database()),
        )
    ]


@request("field", "TYPE", "EXISTS", "MEMORY|USAGE", "OBJECT|ENCODING", "DEL", "PEXPIRE")
def _of_the_key(draw: Draw) -> list[Step]:
    """A hash whose last field has expired is gone."""
    key = draw.key(MORTAL_HASHES)
    return [
        draw.one_of(
            command(b"TYPE", key),
            command(b"EXISTS", key),
            command(b"MEMORY", b"USAGE", key),
            command(b"OBJECT", b"ENCODING", key),
            command(draw.one_of(b"DEL", b"UNLINK"), key),
            command(b"PEXPIRE", key, b"%d" % soon_ms(draw)),
        )
    ]


@request("field", "EXEC", weight=3)
def _field_multi(draw: Draw) -> list[Step]:
    """Fields get values and deadlines at once, and are looked at in the same instant."""
    key, fields = draw.key(MORTAL_HASHES), _fields(draw)
    name = fields[2]
    inner: list[Args] = [
        (b"HSETEX", key, *draw.one_of((), until(draw)), *_pairs(draw)),
        _expire(draw, key, fields),
        (b"HGETEX", key, *until(draw), *fields),
        (b"HSET", key, name, draw.value()),
        (b"HINCRBY", key, NUMBER, b"1"),
        (b"HPERSIST", key, *fields),
        (b"HGETDEL", key, *fields),
    ]
    looks: list[Args] = [
        (b"HTTL", key, *fields),
        (b"HPTTL", key, *fields),
        (b"HPEXPIRETIME", key, *fields),
        (b"HEXPIRETIME", key, *fields),
        (b"HGET", key, name),
        (b"HLEN", key),
        (b"HGETALL", key),
    ]
    return [
        transaction(
            *(draw.one_of(*inner) for _ in range(draw.one_of(1, 2, 3))), *draw.source.sample(looks, 3)
        )
    ]


@request("field", "EXEC", weight=2)
def _number_multi(draw: Draw) -> list[Step]:
    """A number has a deadline, and keeps it as it grows."""
    key, name = draw.key(MORTAL_HASHES), draw.one_of(NUMBER, FRACTION)
    fields = (b"FIELDS", b"1", name)
    change = (b"HINCRBY", key, name, b"7") if name == NUMBER else (b"HINCRBYFLOAT", key, name, b"0.5")
    return [
        transaction(
            change,
            draw.one_of((b"HPEXPIRE", key, b"%d" % soon_ms(draw), *fields), (b"HSETNX", key, name, b"5")),
            change,
            draw.one_of((b"HPEXPIRETIME", key, *fields), (b"HGETALL", key)),
        )
    ]


@request("large", "HPEXPIRE", "HPTTL", weight=1.5)
def _of_large(draw: Draw) -> list[Step]:
    """Some fields of a hash in parts expire, even while it is read."""
    first, key = draw.source.randrange(NAMES), draw.key(LARGE_HASHES)
    names = [b"%d" % ((first + number) % NAMES) for number in range(draw.one_of(1, 3, 6))]
    fields = (b"FIELDS", b"%d" % len(names), *names)
    return [
        draw.one_of(
            command(b"HPEXPIRE", key, b"%d" % soon_ms(draw), *fields),
            command(b"HPEXPIRE", key, b"%d" % soon_ms(draw), *fields),
            command(b"HPTTL", key, *fields),
        )
    ]


@request("hash", "HGETDEL", "HSETEX", "HGETEX")
def _without_deadlines(draw: Draw) -> list[Step]:
    """The same commands on hashes that the search judges: nothing is said of time."""
    key = draw.key(HASHES)
    return [
        draw.one_of(
            command(b"HGETDEL", key, *_fields(draw)),
            command(b"HSETEX", key, *draw.some((b"FNX", b"FXX"), 1), *_pairs(draw)),
            command(b"HGETEX", key, *_fields(draw)),
        )
    ]
