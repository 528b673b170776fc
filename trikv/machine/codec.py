"""The lines of a snapshot, `BACKUP` or dump: one JSON document, one key a line (PROTOCOL 19).

::

    {"format":"trikv-snapshot","version":1,"node":{...},"machine":{...},"keys":[
    {"db":0,"k":"name","t":"string","v":"John","n":5},
    {"db":0,"k":{"b64":"/w=="},"t":"string","v":"","n":7,"x":1700000000000}
    ],"count":2,"checksum":"blake2b:..."}

A small value of another type is one line with its elements. One in parts is a line that says how many,
followed by its parts in order, each in one or more lines. Such documents have version 2.

::

    {"t":"hash","db":0,"k":"name","e":["field","value"],"n":7},
    {"parts":2,"db":0,"k":"name","t":"hash","s":[0,1],"n":8},
    {"part":0,"e":["field","value"]},
    {"part":1,"e":[{"b64":"/w=="},"value"]},

Before the keys comes a line for each bucket that is split, with its shape (`trikv.machine.split`)::

    {"split":[[0,2048],[1,9]],"db":0,"bucket":17},

`json.load` reads all of it; a line tool drops the comma at a line's end. Bytes that are UTF-8 are written as
text, others as base64. The checksum covers every byte before the closing line. Keys come in the order of
database, bucket, and place within the bucket: read back in that order, they give the same state.
"""

from binascii import b2a_base64
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec

from trikv.machine.account import SEED_BYTES
from trikv.machine.features import VALUES_IN_PARTS
from trikv.machine.replies import weight
from trikv.machine.stored import Held, Stored, stored
from trikv.machine.values.value import Packed, Value, type_of

FORMAT: Final = "trikv-snapshot"
STRINGS_ALONE: Final = 1
"""The version of a document that no value in parts can be in: releases of before can read it."""
VERSION: Final = 2
LINE_BYTES_MAX = 64 * 1024 * 1024
"""A value of 8 MiB takes at most six times that as JSON text (\\u0001)."""
PIECE_BYTES = 32 * 1024
"""Bytes of keys and values that are encoded together, which takes a fraction of a millisecond."""
LONG_PIECE_BYTES = 24 * 1024
"""Of a longer value: a multiple of three, as base64 has it."""
LINE_OVERHEAD_BYTES = 64
NUMBER_BYTES = 8
"""What an element counts for besides the bytes in it."""
FEW_LINES = 64
"""A piece of at most this many lines is encoded line by line. Its lines are long, and to search their text
for the ends of lines costs more than a call for each."""
LINE_END = b",\n"
OPENING_END = b',"keys":['
CLOSING_START = b"]"
SMALL_START = b'{"t":'
VALUE_START = b'{"parts":'
PART_START = b'{"part":'
SPLIT_START = b'{"split":'


class SnapshotError(Exception):
    """A document that cannot be restored: `what` is wrong, in which `line` (from 1; 0 for all of it)."""

    def __init__(self, what: str, line: int) -> None:
        super().__init__(f"{what} (line {line})" if line else what)
        self.what = what
        self.line = line


# Every number of a document has bounds, or is compared with what there is. Damage is known for sure only at
# the end, by the checksum: until then a number that no machine has must be an error of its line, not of the
# code that would use it.
_Number: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_Signed: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_Unbounded: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]
"""For the cap: that of an old cluster may have more than 64 bits."""


class Settings(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """All that `apply` can read besides the keys (PROTOCOL 19)."""

    index: _Number
    """The last applied entry."""
    now_ms: _Number
    maxmemory: _Unbounded
    is_founded: bool
    feature_level: _Number
    changes: _Number
    members: tuple[_Number, ...]
    rows: dict[_Number, tuple[_Number, bytes, _Number]]
    """By origin: incarnation, nonce, next sequence."""
    bucket_seed: _Unbounded = 0
    """What the secret of split buckets is made of; left out below the level that knows of it."""

    def __post_init__(self) -> None:
        if self.bucket_seed >> 8 * SEED_BYTES:  # no annotation can say it: msgspec's bounds have 63 bits
            raise ValueError(f"a seed has {SEED_BYTES} bytes")


class _Binary(msgspec.Struct, frozen=True, gc=False):
    b64: bytes


_Text: TypeAlias = str | _Binary


class KeyLine(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The line of one key: database, key, type, value, version, deadline."""

    db: int
    k: _Text
    t: Literal["string"]
    v: _Text
    n: _Number
    """The key's version."""
    x: _Number = 0
    """Its deadline in ms; left out if it has none."""


class SmallLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """The line of a key whose value is small, and no string."""

    t: str
    """Its type's name."""
    db: int
    k: _Text
    e: list[Any]
    """Its elements: numbers, text for bytes."""
    n: _Number
    """The key's version."""
    x: _Number = 0
    """Its deadline in ms; left out if it has none."""


class ValueLine(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The line of a key whose value is in parts, which follow."""

    parts: _Number
    """How many."""
    db: int
    k: _Text
    t: str
    """Its type's name."""
    s: tuple[_Signed, ...]
    """Its shape."""
    n: _Number
    """The key's version."""
    x: _Number = 0
    """Its deadline in ms; left out if it has none."""


class PartLine(msgspec.Struct, frozen=True):
    """Elements of one part of the key before it; the next line may go on with the same part."""

    part: _Number
    """Its place, from 0."""
    e: list[Any]
    """Numbers, text for bytes, and lists of these."""


class SplitLine(msgspec.Struct, frozen=True, gc=False):
    """The shape of a bucket that is split."""

    split: list[tuple[_Signed, _Signed]]
    """`Split.shape`."""
    db: int
    bucket: int
    """Its number."""


Line: TypeAlias = KeyLine | SmallLine | ValueLine | PartLine | SplitLine


class Opening(msgspec.Struct, frozen=True):
    """The first line: what the document is, and all of its state besides keys."""

    format: Literal["trikv-snapshot"]
    version: Literal[1, 2]
    node: dict[str, object]
    """What the node adds: cluster, index, term, membership, complete."""
    machine: Settings
    keys: list[None]


class Closing(msgspec.Struct, frozen=True):
    """The last line, which shows that the document is whole and unaltered."""

    count: _Number
    checksum: str


_encoder = msgspec.json.Encoder()
_decode_line = msgspec.json.Decoder(KeyLine).decode
_decode_small = msgspec.json.Decoder(SmallLine).decode
_decode_value = msgspec.json.Decoder(ValueLine).decode
_decode_part = msgspec.json.Decoder(PartLine).decode
_decode_split = msgspec.json.Decoder(SplitLine).decode
_decode_opening = msgspec.json.Decoder(Opening).decode
_decode_closing = msgspec.json.Decoder(Closing).decode


def _to_text(data: bytes) -> _Text:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return _Binary(data)


def _to_json(element: Any) -> Any:
    """An element of a part as JSON knows it."""
    if isinstance(element, bytes):
        return _to_text(element)
    return [_to_json(each) for each in element] if isinstance(element, list | tuple) else element


def of_json(element: Any) -> Any:
    """What `_to_json` made, with bytes for text. Raises msgspec.ValidationError for other objects."""
    if isinstance(element, str):
        return element.encode()
    if isinstance(element, list):
        return [of_json(each) for each in element]
    if isinstance(element, dict):
        return msgspec.convert(element, _Binary).b64
    if isinstance(element, int) and not -(2**63) <= element < 2**64:
        raise msgspec.ValidationError("a number of more than 64 bits")
    return element


def to_bytes(text: _Text) -> bytes:
    """The bytes that a line's key or value stands for."""
    return text.encode() if isinstance(text, str) else text.b64


def encode_split(db: int, bucket: int, shape: list[tuple[int, int]]) -> bytes:
    """The line of a split bucket, ended by comma and line end."""
    return _encoder.encode(SplitLine(shape, db, bucket)) + LINE_END


def encode_keys(db: int, items: Iterable[tuple[bytes, Held]]) -> Iterator[bytes]:
    """The lines of these keys, each ended by comma and line end, in pieces of about `PIECE_BYTES`."""
    # Many lines at once: encoded one by one, in Python, a dump of 256 MB would not fit into a stop.
    lines: list[KeyLine] = []
    size = 0
    for key, held in items:
        entry = stored(held)
        value = entry.value
        if not isinstance(value, bytes):
            if lines:
                yield _ended_by_commas(lines)
                lines, size = [], 0
            if isinstance(value, Packed):
                yield _small_line(db, key, entry, value)
            else:
                yield from _value_lines(db, key, entry, value)
            continue
        if len(value) > PIECE_BYTES:
            if lines:
                yield _ended_by_commas(lines)
                lines, size = [], 0
            yield from _long_line(db, key, entry, value)
            continue
        try:  # nearly always both are text, and two calls of `_to_text` would take a third of all the time
            line = KeyLine(db, key.decode(), "string", value.decode(), entry.version, entry.deadline)
        except UnicodeDecodeError:
            line = KeyLine(db, _to_text(key), "string", _to_text(value), entry.version, entry.deadline)
        lines.append(line)
        size += len(key) + len(value) + LINE_OVERHEAD_BYTES
        if size >= PIECE_BYTES:
            yield _ended_by_commas(lines)
            lines, size = [], 0
    if lines:
        yield _ended_by_commas(lines)


def _long_line(db: int, key: bytes, entry: Stored, value: bytes) -> Iterator[bytes]:
    """The line of a long string, in pieces: JSON may be six times as long, and took half a second at once."""
    is_text = value.isascii() or isinstance(_to_text(value), str)  # the second takes some milliseconds
    opening, empty = (b'"v":"', "") if is_text else (b'"v":{"b64":"', _Binary(b""))
    line = _encoder.encode(KeyLine(db, _to_text(key), "string", empty, entry.version, entry.deadline))
    before, found, behind = line.partition(opening)  # it is there once: quotes in a name are escaped
    yield before + found
    first = 0
    while first < len(value):
        last = first + LONG_PIECE_BYTES
        if is_text:
            while last < len(value) and value[last] & 0xC0 == 0x80:  # in the middle of a character
                last -= 1
            yield _encoder.encode(value[first:last].decode())[1:-1]
        else:
            yield b2a_base64(value[first:last], newline=False)
        first = last
    yield behind + LINE_END


def _small_line(db: int, key: bytes, entry: Stored, value: Packed) -> bytes:
    """The line of a key whose value is packed."""
    kind = type_of(value)
    opened = kind.opened(value.body, 0, b"")
    elements = _to_json(opened.elements(opened.parts[0]))
    line = SmallLine(kind.type_name, db, _to_text(key), elements, entry.version, entry.deadline)
    return _encoder.encode(line) + LINE_END


def _value_lines(db: int, key: bytes, entry: Stored, value: Value) -> Iterator[bytes]:
    """The lines of a key whose value is in parts, a piece for the header and one or more for each part."""
    header = ValueLine(
        len(value.parts), db, _to_text(key), value.type_name, value.shape(), entry.version, entry.deadline
    )
    yield _encoder.encode(header) + LINE_END
    for place, part in enumerate(value.parts):
        for elements in _in_pieces(value.elements(part)):
            yield _encoder.encode(PartLine(place, elements)) + LINE_END


def _in_pieces(elements: list[Any]) -> Iterator[list[Any]]:
    """The elements as JSON knows them, in one or more lists of about `PIECE_BYTES`: some may be long."""
    piece: list[Any] = []
    size = 0
    for element in elements:
        if size >= PIECE_BYTES:
            yield piece
            piece, size = [], 0
        if type(element) is int:
            piece.append(element)
            size += NUMBER_BYTES
            continue
        piece.append(_to_json(element))
        size += weight([element]) + NUMBER_BYTES
    yield piece


def _ended_by_commas(lines: list[KeyLine]) -> bytes:
    if len(lines) <= FEW_LINES:
        return LINE_END.join(map(_encoder.encode, lines)) + LINE_END
    # JSON text holds no raw line end, so a brace before one is always the end of a line.
    return _encoder.encode_lines(lines).replace(b"}\n", b"}" + LINE_END)


def encode_opening(node: dict[str, object], settings: Settings) -> bytes:
    """The first line, without line end."""
    has_values = settings.feature_level >= VALUES_IN_PARTS
    opening = Opening(FORMAT, VERSION if has_values else STRINGS_ALONE, node, settings, [])
    return _encoder.encode(opening).removesuffix(b"]}")


def encode_closing(count: int, checksum: str) -> bytes:
    """The last line, without line end."""
    return CLOSING_START + b"," + _encoder.encode(Closing(count, checksum))[1:]


class Checksum:
    """The BLAKE2b hash of a document, taken in as it is written or read."""

    def __init__(self) -> None:
        self._hash = blake2b(digest_size=16)

    def update(self, data: bytes) -> None:
        """Take in the bytes that follow those so far."""
        self._hash.update(data)

    def text(self) -> str:
        """The hash of all bytes so far, as the closing line writes it."""
        return f"blake2b:{self._hash.hexdigest()}"


class Reader:
    """Reads a document from chunks of any size and verifies it. Holds one line at a time."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        """Pieces of the unfinished line. They are joined once: a long line in small chunks would otherwise
        cost the square of its length."""
        self._pieces_bytes = 0
        self._checksum = Checksum()
        self._line = 0
        self._count = 0
        self._closing: Closing | None = None
        self.opening: Opening | None = None
        """The first line; None until it was fed."""

    def feed(self, data: bytes) -> Iterable[Line]:
        """The lines of keys, their parts, split buckets, that `data` completes. Raises SnapshotError."""
        *complete, rest = data.split(b"\n")
        for end in complete:
            self._pieces.append(end)
            line = b"".join(self._pieces)
            self._pieces.clear()
            self._pieces_bytes = 0
            found = self._read(line)
            if found is not None:
                yield found
        self._pieces.append(rest)
        self._pieces_bytes += len(rest)
        if self._pieces_bytes > LINE_BYTES_MAX:
            raise SnapshotError("a line is longer than any key could make it", self._line + 1)

    def finish(self) -> Opening:
        """Check that the document was whole, and return its first line. Raises SnapshotError."""
        if self.opening is None or self._closing is None or self._pieces_bytes:
            raise SnapshotError("the document is cut short, or something follows it", 0)
        return self.opening

    @property
    def line(self) -> int:
        """Number of the line read last, from 1; 0 before the first."""
        return self._line

    def _read(self, line: bytes) -> Line | None:
        self._line += 1
        try:
            return self._parse(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
            raise SnapshotError(f"not a line of a snapshot: {problem}", self._line) from None

    def _parse(self, line: bytes) -> Line | None:
        if self._closing is not None:
            raise SnapshotError("something follows the closing line", self._line)
        if self.opening is None:
            if not line.endswith(OPENING_END):
                raise SnapshotError("not a trikv snapshot", self._line)
            self.opening = _decode_opening(line + b"]}")
        elif line.startswith(CLOSING_START):
            self._close(_decode_closing(b"{" + line[2:]))
            return None
        else:
            self._checksum.update(line + b"\n")
            return self._decoded(line.removesuffix(b","))
        self._checksum.update(line + b"\n")
        return None

    def _decoded(self, line: bytes) -> Line:
        if line.startswith(PART_START):
            return _decode_part(line)
        if line.startswith(SPLIT_START):
            return _decode_split(line)
        self._count += 1
        if line.startswith(SMALL_START):
            return _decode_small(line)
        return _decode_value(line) if line.startswith(VALUE_START) else _decode_line(line)

    def _close(self, closing: Closing) -> None:
        if closing.count != self._count:
            raise SnapshotError(f"keys: {closing.count} were written, {self._count} are here", self._line)
        if closing.checksum != self._checksum.text():
            raise SnapshotError("the checksum does not match: the document was damaged or edited", self._line)
        self._closing = closing
