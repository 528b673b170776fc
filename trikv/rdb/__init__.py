"""trikv.rdb: values and files in the format of Redis' dumps. This page is its design.

**What it is.** Bytes in, plain Python values out, and back. It reads every form in which Redis up to 7.2 (RDB
version 11) writes a value, and writes forms that 7.0 and 7.2 load. It knows nothing of trikv: no command, no
account, no clock. It does no I/O but through file-like objects that it is given. The names below are all that
others need.

========================  ===================================================================================
``read_payload``          what DUMP answers and RESTORE takes: its value, in parts
``payload_of``            the other way: pieces of bytes
``read_file``             a ``dump.rdb``: one record after another
``check_file``            the same, and nothing is kept: whether the file is whole, and what is in it
``FileWriter``            the other way
``gathered``              a whole value from its parts, for those who know that it is small
``String``, ``List`` ...  the values (`values`): what is written, and what `gathered` gives
``ListPart`` ...          the parts of them (`parts`): what is read
``RdbError``              and below it ``PayloadError``, ``DamagedError`` and ``UnsupportedError`` (`errors`)
========================  ===================================================================================

**In steps.** A value may have millions of elements, and whoever reads or writes one may have to let others go
first. So both are iterators. ``next`` does a bounded amount of work, less than 2 ms: at most `STEP_ELEMENTS`
elements, or about `STEP_BYTES` bytes if these are more. What is read comes as *parts* of at most so many
elements; None means a step that brought nothing, such as a piece of a checksum or of a compressed string.
Always read like this::

    for part in read_payload(payload):
        if part is not None: ...        # and here others may go first

The first part says of which type the value is, also if it has no elements. A string is one part: whoever
wants it wants all of it, and it is not made longer than `string_bytes_max`. One that is not compressed is
copied in one step (8 MiB take about a millisecond). A small packed value is one part, too. An error may come
at any step: until the iterator has ended, nothing of what came before it is to be believed. So RESTORE reads
twice, first to check and to count, or builds aside.

**Nothing is believed before it is there.** A length or a count in the bytes only says how long to go on.
Nothing is allocated for it. A string that says to be longer than `string_bytes_max` is refused, and so is a
compressed one that says more than LZF can make of its bytes. What is packed (ziplists, listpacks, intsets,
zipmaps) is read with every length, back length, count and terminator compared. Elements that a set, hash or
sorted set has twice, scores that are no numbers, ids of streams that do not ascend, and pending entries that
nobody or two consumers own, are refused. Whatever the bytes are, the answer is a value or an `RdbError`; its
text says what is wrong, and its `offset` where.

**Memory.** Besides the buffer of a file (256 KiB) there is the string that is read, up to three times: a
compressed one, its pieces, and the whole; a packed collection is such a string. To find elements that are
there twice those of one value must be remembered. `read_payload` does so. `read_file` does it only within
packed values, unless it is asked to: whoever loads a set into a server has its members there, and a second
SADD changes nothing. A stream's pending entries are remembered, 36 bytes each, until the consumers of their
group are known. A node of a stream says the fields of its entries once, and all of these refer to them:
whoever copies entries must count them first, because they may be thousands of times as large as the payload.
A writer remembers 16 bytes for each pending entry of one group. A list or a stream is asked twice for its
elements, because the format says first how many nodes there will be.

**What is refused, and why.** Values of modules: only the module can read them. Data that a module keeps
beside the keys can be skipped, because its fields are marked; `read_file` reports it. RDB versions from 12 on
(Redis 7.4): they have other types. `errors.NEWER` says what to do. A hash whose fields have deadlines cannot
be written: no version below 12 can hold one.

**Where things are.**

==============  =============================================================================================
``errors``      what is raised
``values``      values as they are written; ``parts``: as they are read; ``gathering``: values from parts
``forms``       the numbers of types and opcodes, and which version has them
``source``      bytes that are taken in order, from memory or from a file: lengths and strings
``lzf``         Redis' compression, in C if there is a compiler
``checksum``    CRC-64 of payloads and files
``listpack``    and ``ziplist``, ``intset``, ``zipmap``: packed elements
``unique``      finds what is there twice, in steps
``reading``     every form of a value but streams; ``stream_reading``: those, ``stream_nodes``: their entries
``encoding``    lengths and strings on the way out
``writing``     values on the way out; ``stream_writing``: streams
``payloads``    what DUMP answers
``files``       files; ``file_writing``: on the way out
==============  =============================================================================================

**Equal everywhere.** Two replicas read the same values in the same order from the same bytes, or the same
error, whether LZF is in C or in Python. How much is done in a step may differ.

It is PROTOCOL 71 that what comes from strangers is checked so.

Sources: redis/redis 7.0 and 7.2, ``rdb.h`` and the comments of listpack.c, ziplist.c, zipmap.c,
intset.c and t_stream.c; LibLZF's lzf_d.c.
"""

from trikv.rdb.errors import NEWER, DamagedError, PayloadError, RdbError, UnsupportedError
from trikv.rdb.file_writing import FileWriter
from trikv.rdb.files import (
    Aux,
    Contents,
    Header,
    Key,
    Library,
    ModuleData,
    Record,
    Sizes,
    check_file,
    read_file,
)
from trikv.rdb.gathering import gathered
from trikv.rdb.parts import (
    GroupPart,
    HashPart,
    ListPart,
    Part,
    Parts,
    PendingPart,
    SetPart,
    SortedSetPart,
    StreamPart,
    StreamState,
)
from trikv.rdb.payloads import payload_of, read_payload
from trikv.rdb.values import (
    Consumer,
    Entry,
    Group,
    Hash,
    List,
    Many,
    Pending,
    Set,
    SortedSet,
    Stream,
    StreamId,
    String,
    Value,
)

__all__ = [
    "NEWER",
    "Aux",
    "Consumer",
    "Contents",
    "DamagedError",
    "Entry",
    "FileWriter",
    "Group",
    "GroupPart",
    "Hash",
    "HashPart",
    "Header",
    "Key",
    "Library",
    "List",
    "ListPart",
    "Many",
    "ModuleData",
    "Part",
    "Parts",
    "PayloadError",
    "Pending",
    "PendingPart",
    "RdbError",
    "Record",
    "Set",
    "SetPart",
    "Sizes",
    "SortedSet",
    "SortedSetPart",
    "Stream",
    "StreamId",
    "StreamPart",
    "StreamState",
    "String",
    "UnsupportedError",
    "Value",
    "check_file",
    "gathered",
    "payload_of",
    "read_file",
    "read_payload",
]
