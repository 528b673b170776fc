"""What a person types: lines, with telnet's commands among them.

`LineReader` assembles a typed command. It keeps its state from byte to byte, because a terminal in character
mode sends one byte a packet, and telnet's own commands may be cut anywhere. Sources:
RFC 854 (commands, IAC), RFC 855 (options and subnegotiation), RFC 860 (TIMING-MARK).
"""

import re
from enum import Enum, auto
from typing import Final, TypeAlias

from trikv.protocol.events import (
    Answer,
    BadBytes,
    EndOfInput,
    Interrupted,
    WireLimits,
)
from trikv.protocol.lines import LineMeaning, meaning_of

LineEvent: TypeAlias = LineMeaning | Answer | EndOfInput | Interrupted

_IAC, _DONT, _DO, _WONT, _WILL, _SB = 0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0xFA
_EL, _EC, _AYT, _IP, _BRK, _SE, _ABORT, _EOF = 0xF8, 0xF7, 0xF6, 0xF4, 0xF3, 0xF0, 0xEE, 0xEC
_TIMING_MARK = 0x06
_NUL, _EOT, _LF, _CR = 0x00, 0x04, 0x0A, 0x0D

_TEXT_RUN: Final = re.compile(rb"(?:[^\xff\r\n\x08\x7f]+|\r(?=[^\n\x00])|\xff\xff)+")
"""Bytes that only make the line longer. IAC IAC means one byte 255. A carriage return alone is a blank."""
_ERASURES: Final = re.compile(rb"[\x08\x7f]+")
_SPECIAL: Final = re.compile(rb"[\xff\r\x04\x08\x7f]")
_SHORT_LINE_BYTES_MAX: Final = 256


class _Telnet(Enum):
    """How far the bytes so far have come in a telnet command."""

    TEXT = auto()
    COMMAND = auto()
    """After IAC."""
    OPTION = auto()
    """After IAC WILL, WONT, DO or DONT."""
    SKIPPING = auto()
    """Inside a subnegotiation."""
    SKIPPING_COMMAND = auto()
    """After IAC inside a subnegotiation."""


class LineReader:
    """Reads typed lines, one byte or many at a time."""

    def __init__(self, limits: WireLimits) -> None:
        self._limits = limits
        self._line = bytearray()
        self._telnet = _Telnet.TEXT
        self._verb = 0
        self._skipped_bytes = 0
        self._after_cr = False
        self._edits = 0
        self._refused = 0
        """A bit for each (verb, option): as a set of pairs they took 60 KB for 1.5 KB received."""

    @property
    def busy(self) -> bool:
        """Whether a line or a telnet command is unfinished, so that the next byte belongs to it."""
        return bool(self._line) or self._after_cr or self._telnet is not _Telnet.TEXT

    @property
    def held_bytes(self) -> int:
        """Bytes of the unfinished line, as typed so far and edited."""
        return len(self._line)

    @property
    def memory_bytes(self) -> int:
        """What the unfinished line takes in memory: a bytearray keeps room to grow."""
        return self._line.__alloc__()

    def read(self, buffer: bytearray) -> LineEvent | bool:
        """Read on, taking bytes off the front of `buffer`.

        True: the present line was erased to nothing, and the next byte opens a new command.
        False: more bytes are needed, and `buffer` is empty.
        """
        if not self.busy:
            line = _short_plain_line(buffer, min(_SHORT_LINE_BYTES_MAX, self._limits.line_bytes_max))
            if line is not None:
                self._edits = 0
                return meaning_of(line, typed=True)
        while buffer:
            if self._telnet is _Telnet.TEXT:
                event = self._read_text(buffer)
            else:
                byte = buffer[0]
                del buffer[0]  # not pop(0), which moves all bytes behind it
                event = self._read_telnet(byte)
            if event is not None:
                self._edits = 0
                return event
            if self._edits > self._limits.edits_max:
                return BadBytes("Protocol error: too many edits and telnet commands", True)
            if not self.busy:
                return True
        return False

    def _read_text(self, buffer: bytearray) -> LineEvent | None:
        byte = buffer[0]
        if self._after_cr:
            self._after_cr = False
            if byte in (_LF, _NUL):
                del buffer[0]
                return self._finish()
            return self._type(b"\r")  # `byte` comes next time round
        if byte == _EOT and not self._line:
            del buffer[0]
            return EndOfInput()
        run = _TEXT_RUN.match(buffer)
        if run is not None:
            text = run.group()
            del buffer[: len(text)]
            return self._type(text.replace(b"\xff\xff", b"\xff"))
        erasures = _ERASURES.match(buffer)
        if erasures is not None:
            self._erase(buffer, erasures.end())
            return None
        del buffer[0]
        if byte == _LF:
            return self._finish()
        if byte == _CR:
            self._after_cr = True
        else:
            self._telnet = _Telnet.COMMAND
        return None

    def _read_telnet(self, byte: int) -> LineEvent | None:
        state, self._telnet = self._telnet, _Telnet.TEXT
        if state is _Telnet.COMMAND:
            return self._obey(byte)
        if state is _Telnet.OPTION:
            return self._negotiate(self._verb, byte)
        if state is _Telnet.SKIPPING_COMMAND and byte == _SE:
            return None
        self._skipped_bytes += 1
        if self._skipped_bytes > self._limits.subnegotiation_bytes_max:
            return BadBytes("Protocol error: too big telnet subnegotiation", True)
        escape = state is _Telnet.SKIPPING and byte == _IAC
        self._telnet = _Telnet.SKIPPING_COMMAND if escape else _Telnet.SKIPPING
        return None

    def _obey(self, command: int) -> LineEvent | None:
        """Carry out the telnet command whose byte followed IAC. Those without a meaning here are ignored."""
        if command == _IAC:
            return self._type(b"\xff")
        self._edits += 1
        if command in (_WILL, _WONT, _DO, _DONT):
            self._verb = command
            self._telnet = _Telnet.OPTION
        elif command == _SB:
            self._skipped_bytes = 0
            self._telnet = _Telnet.SKIPPING
        elif command in (_IP, _BRK, _ABORT):
            self._line.clear()
            return Interrupted()
        elif command == _EC:
            self._erase_characters(1)
        elif command == _EL:
            self._line.clear()
        elif command == _AYT:
            return Answer(b"# trikv is here\r\n")
        elif command == _EOF and not self._line:
            return EndOfInput()
        return None

    def _negotiate(self, verb: int, option: int) -> Answer | None:
        """Refuse an option, once; None if there is nothing to answer."""
        # TIMING-MARK is no option but a question, "have you read this far?" (RFC 860). Debian's telnet sends
        # it after Ctrl-C and hides all output until it is answered, so it is answered every time.
        if verb == _DO and option == _TIMING_MARK:
            return Answer(bytes((_IAC, _WILL, _TIMING_MARK)))
        question = 1 << (option if verb == _DO else 256 + option)
        # To answer each repetition, or a refusal, is how option loops arise (RFC 854).
        if verb in (_WONT, _DONT) or self._refused & question:
            return None
        self._refused |= question
        return Answer(bytes((_IAC, _WONT if verb == _DO else _DONT, option)))

    def _type(self, text: bytes) -> BadBytes | None:
        self._line += text
        if len(self._line) > self._limits.line_bytes_max:
            return BadBytes("Protocol error: too big inline request", True)
        return None

    def _erase(self, buffer: bytearray, count: int) -> None:
        """Obey the `count` erase keys at the front of `buffer`."""
        del buffer[:count]
        self._edits += count
        self._erase_characters(count)

    def _erase_characters(self, count: int) -> None:
        """Erase `count` characters from the line's end; a UTF-8 character goes with all its bytes."""
        line = self._line
        while line and count:
            while len(line) > 1 and 0x80 <= line[-1] < 0xC0:
                del line[-1]
            del line[-1]
            count -= 1

    def _finish(self) -> LineEvent:
        line = bytes(self._line)
        self._line.clear()
        return meaning_of(line, typed=True)


def _short_plain_line(buffer: bytearray, bytes_max: int) -> bytes | None:
    """Take a line that is whole and holds nothing to obey or edit; None if there is none.

    This only saves time.
    """
    # Only a little ahead: this is tried at each line's beginning, and a client that types and erases one
    # letter again and again must not make it search all that is buffered each time.
    end = buffer.find(b"\n", 0, bytes_max)
    if end < 0:
        return None
    line = bytes(buffer[:end]).removesuffix(b"\r")
    if _SPECIAL.search(line) is not None:
        return None
    del buffer[: end + 1]
    return line
