"""Commands on keys, whatever they hold."""

from hypothesis import strategies as st

from tests.differential.words import (
    COUNTS,
    KEYS,
    MEMBERS,
    Words,
    call,
    in_any_case,
    maybe,
    mixed,
    of_wrong_arity,
    options,
    row,
    small,
    some,
    weighted,
)

PATTERNS = st.sampled_from(
    [b"*", b"a", b"[ab]", b"?", b"[^a]", b"\\a", b"[a-c]*", b"m*", b"", b"*1", b"\xff*"]
)
SECONDS = st.sampled_from(
    [b"100", b"20000", b"300", b"1000", b"0", b"-1", b"x", b"9223372036854775807", b"1.5"]
)
MILLISECONDS = st.sampled_from([b"100000", b"200000", b"300000", b"0", b"-1", b"x", b"9223372036854775807"])
MOMENTS = st.sampled_from([b"1", b"0", b"-5", b"3000000000", b"9223372036854775807", b"y"])
MOMENTS_MS = st.sampled_from([b"1", b"0", b"-5", b"3000000000000", b"9223372036854775807", b"y"])
CONDITIONS = options(in_any_case(b"NX"), in_any_case(b"XX"), in_any_case(b"GT"), in_any_case(b"LT"))
CURSORS = st.sampled_from(
    [b"0", b"0", b"0", b"0", b"0", b"0", b"0", b"0", b"", b"x", b"-1x", b"18446744073709551616"]
)
DATABASES = st.sampled_from([b"0", b"1", b"2", b"15", b"16", b"-1", b"x", b"99999999999"])
TYPES = in_any_case(b"string", b"hash", b"list", b"set", b"zset", b"stream", b"foo")
PAGE = options(row(in_any_case(b"MATCH"), PATTERNS), row(in_any_case(b"COUNT"), COUNTS))

MAKE: Words = weighted(
    (2, call(b"SET", KEYS, MEMBERS)),
    (1, call(b"HSET", KEYS, MEMBERS, MEMBERS)),
    (1, call(b"RPUSH", KEYS, some(MEMBERS))),
    (1, call(b"SADD", KEYS, some(MEMBERS))),
    (1, call(b"ZADD", KEYS, small(0, 3), MEMBERS)),
)
OTHER_TYPES = st.sampled_from([b"", b"\xff\0 k\r\n"])

COMMON: Words = weighted(
    (2, MAKE),
    (1, call(b"SET", OTHER_TYPES, MEMBERS)),
    (1, call(b"HSET", OTHER_TYPES, MEMBERS, MEMBERS)),
    (2, call(b"DEL UNLINK", some(KEYS, 1, 2))),
    (1, call(b"TYPE GET", KEYS)),
    (2, call(b"RENAME", KEYS, KEYS)),
    (6, call(b"COPY", KEYS, KEYS, maybe(in_any_case(b"REPLACE")))),
    (1, call(b"EXPIRE", KEYS, SECONDS)),
    (2, call(b"PERSIST TTL", KEYS)),
    (3, call(b"OBJECT", in_any_case(b"ENCODING"), KEYS)),
)
"""What every family is mixed with: other types, copies, keys that expire."""

ASKS: Words = st.one_of(
    call(b"DEL UNLINK EXISTS TOUCH", some(KEYS, 1, 3)),
    call(b"TYPE", KEYS),
    call(b"RENAME RENAMENX", KEYS, KEYS),
    call(b"COPY", KEYS, KEYS, options(in_any_case(b"REPLACE"), row(in_any_case(b"DB"), DATABASES))),
    call(b"COPY", KEYS, KEYS, row(in_any_case(b"DB"), DATABASES), maybe(in_any_case(b"REPLACE"))),
    call(b"MOVE", KEYS, DATABASES),
    call(b"OBJECT", in_any_case(b"ENCODING", b"REFCOUNT", b"IDLETIME", b"FREQ"), KEYS),
    call(b"OBJECT", in_any_case(b"FOO", b"ENCODING"), some(KEYS, 0, 2)),
    call(b"EXPIRE", KEYS, SECONDS, CONDITIONS),
    call(b"PEXPIRE", KEYS, MILLISECONDS, CONDITIONS),
    call(b"EXPIREAT", KEYS, MOMENTS, CONDITIONS),
    call(b"PEXPIREAT", KEYS, MOMENTS_MS, CONDITIONS),
    call(b"PERSIST TTL PTTL EXPIRETIME PEXPIRETIME", KEYS),
    call(b"KEYS", PATTERNS),
    call(b"SCAN", CURSORS, PAGE, maybe(in_any_case(b"TYPE"), TYPES)),
    call(b"SCAN", CURSORS, maybe(in_any_case(b"TYPE"), TYPES), PAGE),
    call(b"SELECT", DATABASES),
    call(b"SELECT", st.sampled_from([b"0", b"1"])),
    call(b"DBSIZE RANDOMKEY"),
)
COMMANDS = mixed(
    MAKE,
    ASKS,
    COMMON,
    of_wrong_arity(b"DEL", b"TYPE", b"RENAME", b"COPY", b"MOVE", b"OBJECT", b"SCAN", b"EXPIRE", b"TTL"),
)
