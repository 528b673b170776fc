"""Requests as RESP arrays of bulk strings, read three ways that agree.

`split_single` reads one ordinary request, which is what most chunks hold. `split_requests` is the fast way
for a run of them: one ``split`` at CRLF, then for each argument one comparison of the header before it with
the header that its length demands. Both are exact: a header ``$5`` followed by a part of 5 bytes means that
the next CRLF is precisely at the argument's end, so the careful parser would read the same. An argument that
contains CRLF, a long one, a strange header or the cut-off end of the chunk stops them, and `ArrayReader` goes
on from there.

hiredis' parser was measured at the same speed once its result had been checked for what it lets pass (other
types as arguments), and it has to be kept away from ``*1000000000``, for which it allocates at once.
"""

from typing import Final

from trikv.protocol.events import ARGUMENT_BYTES, Args, BadBytes, Request, WireLimits

PLAIN_ARG_BYTES_MAX: Final = 4095
"""Longer arguments go to the careful parser. Most of their cost is the copy, which both ways make."""
PLAIN_ARGS_MAX: Final = 1023

_BULK_HEADERS: Final = tuple(b"$%d" % length for length in range(PLAIN_ARG_BYTES_MAX + 1))
_BULK_LENGTHS: Final = {header: length for length, header in enumerate(_BULK_HEADERS)}
_COUNTS: Final = {b"*%d" % count: count for count in range(1, PLAIN_ARGS_MAX + 1)}
_PLAIN_HEADER_BYTES_MAX: Final = len(b"$4095\r")
_INT64_MAX: Final = 2**63 - 1


def plain_fits(limits: WireLimits) -> bool:
    """Whether no request that `split_requests` accepts can pass `limits`."""
    return (
        limits.bulk_bytes_max >= PLAIN_ARG_BYTES_MAX
        and limits.request_args_max >= PLAIN_ARGS_MAX
        and limits.request_bytes_max >= PLAIN_ARG_BYTES_MAX * PLAIN_ARGS_MAX
        and limits.line_bytes_max > len(b"*1023\r\n")
    )


def split_single(data: bytes) -> Args | None:
    """The arguments of `data` if it is one whole plain request: what most clients send.

    None says only that `split_requests` is to be asked.
    """
    # No loop over the parts of up to four: this is done for nearly every command, and takes half the time
    # without one. A pipeline is left alone, so that it is not split twice; to search for one character before
    # searching for three takes a third of the time.
    if len(data) > PLAIN_ARG_BYTES_MAX or (data.find(b"*", 1) >= 0 and b"\r\n*" in data):
        return None
    parts = data.split(b"\r\n")
    headers = _BULK_HEADERS
    if len(parts) == 8:
        count, of_name, name, of_first, first, of_second, second, rest = parts
        if (
            count == b"*3"
            and of_second == headers[len(second)]
            and of_first == headers[len(first)]
            and of_name == headers[len(name)]
            and not rest
        ):
            return name, first, second
    elif len(parts) == 6:
        count, of_name, name, of_first, first, rest = parts
        if count == b"*2" and of_first == headers[len(first)] and of_name == headers[len(name)] and not rest:
            return name, first
    elif len(parts) == 10:
        count, of_name, name, of_first, first, of_second, second, of_third, third, rest = parts
        if (
            count == b"*4"
            and of_third == headers[len(third)]
            and of_second == headers[len(second)]
            and of_first == headers[len(first)]
            and of_name == headers[len(name)]
            and not rest
        ):
            return name, first, second, third
    elif len(parts) > 10 and not parts[-1]:
        args = parts[2:-1:2]
        if _COUNTS.get(parts[0]) == len(args) and parts[1:-1:2] == [headers[len(arg)] for arg in args]:
            return tuple(args)
    return None


def split_requests(data: bytes) -> tuple[list[Args], int]:
    """The arguments of the whole plain requests at the front of `data`, and how many bytes they take.

    It stops at the first request that is not plain or not whole.
    """
    parts = data.split(b"\r\n")
    last = len(parts) - 1  # what follows the final CRLF: empty, or the beginning of something
    requests: list[Args] = []
    at = 0
    while at < last:
        count = _COUNTS.get(parts[at])
        if count is None:
            break
        after = at + 1 + count + count
        if after > last:
            break
        args = tuple(parts[at + 2 : after : 2])
        header_at = at + 1
        for arg in args:
            length = len(arg)
            if length > PLAIN_ARG_BYTES_MAX or parts[header_at] != _BULK_HEADERS[length]:
                break
            header_at += 2
        else:
            requests.append(args)
            at = after
            continue
        break
    if at == last and not parts[last]:
        return requests, len(data)
    return requests, len(data) - len(b"\r\n".join(parts[at:]))


def parse_int(digits: bytes) -> int | None:
    """A decimal integer as Redis' string2ll reads it: no plus, no leading zeros, no spaces; else None."""
    magnitude = digits.removeprefix(b"-")
    if not magnitude.isdigit() or len(magnitude) > len(str(_INT64_MAX)):
        return None
    if magnitude[0] == 0x30 and digits != b"0":
        return None
    value = int(digits)
    return value if -_INT64_MAX <= value <= _INT64_MAX else None


class ArrayReader:
    """The careful way: one request at a time, its state kept while bytes are missing.

    It reads like Redis' processMultibulkBuffer. In particular, the two bytes that end a line or an argument
    are skipped unchecked.
    """

    def __init__(self, limits: WireLimits) -> None:
        self._limits = limits
        self._args: list[bytes] = []
        self._args_missing = 0
        self._bulk_bytes: int | None = None
        self._looked = 0
        """Bytes of the line at the front of the buffer that are known not to end it."""
        self.held_bytes = 0
        """Bytes of the arguments already taken out of the buffer for an unfinished request."""

    @property
    def busy(self) -> bool:
        """Whether a request is unfinished, so that the next byte belongs to it whatever it is."""
        return self._args_missing > 0

    @property
    def memory_bytes(self) -> int:
        """What those arguments take in memory, with what Python needs besides their bytes."""
        return self.held_bytes + ARGUMENT_BYTES * len(self._args)

    def pass_by(self, buffer: bytearray, count: int) -> None:
        """Take bytes off the front of `buffer` that another way has read: a line begins behind them."""
        del buffer[:count]
        self._looked = 0

    def read(self, buffer: bytearray, *, authenticated: bool) -> Request | BadBytes | bool:
        """Read on, taking bytes off the front of `buffer`, which starts with ``*`` unless `busy`.

        True: an array without elements was skipped, as Redis does. False: more bytes are needed.
        """
        if not self._args_missing:
            started = self._read_count(buffer, authenticated=authenticated)
            if started is not None:
                return started
        while self._args_missing:
            if self._bulk_bytes is None:
                stopped = self._read_bulk_header(buffer, authenticated=authenticated)
                if stopped is not None:
                    return stopped
            length = self._bulk_bytes or 0
            if len(buffer) < length + 2:
                return False
            if length <= PLAIN_ARG_BYTES_MAX:
                self._args.append(bytes(buffer[:length]))
            else:  # through a view: copied once, not twice
                with memoryview(buffer) as view, view[:length] as argument:
                    self._args.append(bytes(argument))
            del buffer[: length + 2]
            self.held_bytes += length
            self._bulk_bytes = None
            self._args_missing -= 1
        request = Request(tuple(self._args), False)
        self._args = []
        self.held_bytes = 0
        return request

    def _read_count(self, buffer: bytearray, *, authenticated: bool) -> BadBytes | bool | None:
        """Read ``*count``. None: go on with the arguments; otherwise what `read` returns."""
        line = self._take_line(buffer, "mbulk")
        if not isinstance(line, bytes):
            return line
        count = parse_int(line[1:])
        if count is None or count > self._limits.request_args_max:
            return _bad("invalid multibulk length")
        if not authenticated and count > self._limits.unauthenticated_args_max:
            return _bad("unauthenticated multibulk length")
        if count <= 0:
            return True
        self._args_missing = count
        return None

    def _read_bulk_header(self, buffer: bytearray, *, authenticated: bool) -> BadBytes | bool | None:
        """Read ``$length``. None: `_bulk_bytes` is set; otherwise what `read` returns."""
        end = buffer.find(b"\r", 0, _PLAIN_HEADER_BYTES_MAX)
        if authenticated and 0 < end < len(buffer) - 1:
            # The short way for short arguments, which saves most of the time of an MSET of thousands.
            plain = _BULK_LENGTHS.get(bytes(buffer[:end]))
            if plain is not None and self._fits(plain):
                del buffer[: end + 2]
                self._looked = 0
                self._bulk_bytes = plain
                return None
        line = self._take_line(buffer, "bulk")
        if not isinstance(line, bytes):
            return line
        if line[:1] != b"$":
            # An empty line shows its carriage return, as in Redis.
            got = (line[:1] or b"\r").decode("utf-8", "surrogateescape")
            return _bad(f"expected '$', got '{got}'")
        length = parse_int(line[1:])
        if length is None or not 0 <= length <= self._limits.bulk_bytes_max:
            return _bad("invalid bulk length")
        if not authenticated and length > self._limits.unauthenticated_bulk_bytes_max:
            return _bad("unauthenticated bulk length")
        if not self._fits(length):
            return _bad(f"request is longer than {self._limits.request_bytes_max} bytes")
        self._bulk_bytes = length
        return None

    def _fits(self, length: int) -> bool:
        limits = self._limits
        return length <= limits.bulk_bytes_max and self.held_bytes + length <= limits.request_bytes_max

    def _take_line(self, buffer: bytearray, what: str) -> bytes | BadBytes | bool:
        """The next line without its end; False if it is incomplete."""
        # From the line's start, not, as in Redis, by what happens to be in the buffer: the outcome must not
        # depend on how the network cut the bytes.
        limit = self._limits.line_bytes_max
        end = buffer.find(b"\r", self._looked, limit)
        if end < 0:
            self._looked = len(buffer)
            return _bad(f"too big {what} count string") if len(buffer) >= limit else False
        if len(buffer) < end + 2:
            return False
        self._looked = 0
        line = bytes(buffer[:end])
        del buffer[: end + 2]
        return line


def _bad(what: str) -> BadBytes:
    return BadBytes(f"Protocol error: {what}", False)
