"""How much of the log stays in memory for followers that lag. Pure."""

import attrs

from trikv.raft.core import Raft

_STRIDE = 256


@attrs.frozen
class RetentionSettings:
    """Payload bytes of log kept in memory."""

    tail_bytes: int = 16 * 1024 * 1024
    """Always kept: a follower back from a short absence needs no snapshot."""
    follower_bytes: int = 64 * 1024 * 1024
    """Kept at most while a follower that still answers has not got it."""
    follower_silent_ms: int = 30_000
    """A follower silent for longer is no longer waited for."""
    step_bytes: int = 1024 * 1024
    """So much more than the last look left is worth another: memory is bounded by bytes, not by seconds."""


class Retention:
    """Decides up to which index the log's memory may be dropped."""

    def __init__(self, settings: RetentionSettings) -> None:
        self._settings = settings
        self._worth_a_look = 0

    def is_due(self, log_bytes: int) -> bool:
        """True if the log has grown enough since the last look to be looked at before its time."""
        return log_bytes >= self._worth_a_look

    def trim(self, raft: Raft, applied: int, now_ms: int) -> None:
        """Drop what is applied, durable here, and needed by nobody we wait for."""
        if raft.log_bytes > self._settings.tail_bytes:
            self._drop(raft, applied, now_ms)
        self._worth_a_look = max(raft.log_bytes, self._settings.tail_bytes) + self._settings.step_bytes

    def _drop(self, raft: Raft, applied: int, now_ms: int) -> None:
        settings = self._settings
        done = min(applied, raft.durable_index)
        safe = min(done, _last_beyond(raft, settings.tail_bytes))
        for progress in raft.progress.values():
            if now_ms - progress.last_ack_ms < settings.follower_silent_ms:
                safe = min(safe, progress.match)
        if raft.log_bytes > settings.follower_bytes:
            safe = max(safe, min(done, _last_beyond(raft, settings.follower_bytes)))
        if safe >= raft.first_index:
            raft.compact(safe)


def _last_beyond(raft: Raft, keep_bytes: int) -> int:
    """The last index that need not stay for the log in memory to keep its newest `keep_bytes`."""
    index, excess = raft.first_index - 1, raft.log_bytes - keep_bytes
    while excess > 0 and index < raft.last_index:
        for entry in raft.entries_between(index + 1, min(index + _STRIDE, raft.last_index)):
            excess -= len(entry.payload)
            if excess < 0:
                return index
            index = entry.index
    return index
