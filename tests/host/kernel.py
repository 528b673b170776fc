"""Watches what reaches the kernel: the `os` functions are wrapped, and a module is loaded again over them.

The part in C that writes (`trikv.host.handoff`) calls none of them, so the one in Python stands in for it.
`tests/e2e/test_kernel_calls.py` watches the other from outside.

It is loaded again because a module may have bound a function when it was imported. The copy is made by the
module's own loader, so that a seeded mistake is in it, too.
"""

import fcntl
import functools
import importlib.util
import os
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import pytest

from trikv.host.handoff import PythonHandoff

WATCHED = (
    *("open", "close", "pwrite", "pwritev", "write", "pread", "ftruncate", "fsync", "fdatasync"),
    *("mkdir", "rename", "replace", "unlink", "remove"),
)
ALIASES = {"replace": "rename", "remove": "unlink"}


@attrs.frozen
class Call:
    """A call that has returned."""

    name: str
    path: str
    """The path of its descriptor, or the (last) name in its arguments."""
    args: tuple[Any, ...]


class Kernel:
    """Every watched call of this process, in the order in which they returned."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[Call] = []
        monkeypatch.setattr("trikv.host.worker.new_handoff", PythonHandoff)
        for name in WATCHED:
            monkeypatch.setattr(os, name, self._watch(name, getattr(os, name)))
        monkeypatch.setattr(fcntl, "flock", self._watch("flock", fcntl.flock))

    def _watch(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def watched(*args: Any, **more: Any) -> Any:
            path = _path_of(args[1] if name in {"rename", "replace"} else args[0])
            outcome = function(*args, **more)
            if path.startswith("/"):  # neither a pipe, by which threads answer, nor a socket
                self.calls.append(Call(ALIASES.get(name, name), path, (*args, *more.values())))
            return outcome

        return watched

    def forget(self) -> None:
        """Forget all calls so far."""
        self.calls.clear()

    def named(self, *names: str) -> list[Call]:
        """Calls of these names."""
        return [call for call in self.calls if call.name in names]

    def order(self, *steps: tuple[str, Path]) -> None:
        """Demand that these (name, path) have returned in this order, with any others between them."""
        calls = iter(self.calls)
        for name, path in steps:
            wanted = SYNCS if name == "sync" else (name,)
            found = any(call.name in wanted and call.path == str(path) for call in calls)
            assert found, f"no {name} of {path} in its place: {[(c.name, c.path) for c in self.calls]}"


SYNCS = ("fsync", "fdatasync")


def _path_of(what: Any) -> str:
    if isinstance(what, int):
        try:
            return target_of(what)
        except OSError:
            return "?"
    return os.path.abspath(os.fsdecode(what))  # noqa: PTH100 - what the call itself would make of it


def loaded_anew(name: str) -> ModuleType:
    """A private copy of a module, over the functions that `os` and others have at present."""
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def target_of(fd: int) -> str:
    """The target of a descriptor: a path, or ``socket:[4711]``."""
    return os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115 - no path but the kernel's text


def descriptors() -> set[int]:
    """The open descriptors of this process."""
    return {int(name) for name in os.listdir("/proc/self/fd") if _is_open(int(name))}  # noqa: PTH208 - numbers


def _is_open(fd: int) -> bool:
    try:
        fcntl.fcntl(fd, fcntl.F_GETFD)
    except OSError:
        return False
    return True


def leaks_to_children(fd: int) -> bool:
    """Whether a program that is started from here would inherit a descriptor."""
    return not fcntl.fcntl(fd, fcntl.F_GETFD) & fcntl.FD_CLOEXEC


def blocks(fd: int) -> bool:
    """Whether a call on a descriptor may wait."""
    return not fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK


def sockets() -> Iterator[tuple[int, socket.socket]]:
    """Each TCP socket of this process: its descriptor, and a copy to ask."""
    for fd in sorted(descriptors()):
        if target_of(fd).startswith("socket:"):
            with socket.socket(fileno=os.dup(fd)) as copy:
                if copy.family in {socket.AF_INET, socket.AF_INET6} and copy.type == socket.SOCK_STREAM:
                    yield fd, copy


def option(sock: socket.socket, level: int, name: int) -> int:
    """One option, as a number."""
    return int(struct.unpack("i", sock.getsockopt(level, name, 4))[0])
