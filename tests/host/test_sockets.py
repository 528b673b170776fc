"""Listening and dialling: which addresses are one, and what is said of those that cannot be had."""

import errno
import socket
from pathlib import Path

import pytest
import trio

from tests.host.kernel import descriptors
from tests.tools import needs
from trikv.host.seam import UnixAddress
from trikv.host.sockets import dial, listen_on, listener_at


async def bound(*addresses: str | UnixAddress) -> list[str]:
    """Listen on these, and close them: what they were bound to."""
    listeners = await listen_on(addresses)
    for listener in listeners:
        listener.close()
        listener.close()
    return [listener.address for listener in listeners]


async def test_one_address_under_two_names_is_listened_on_once() -> None:
    """A second bind would fail for no fault of the operator's; so would one that is part of all."""
    (only,) = await bound("127.0.0.1:0", "localhost:0")
    assert only.startswith("127.0.0.1:")
    (only,) = await bound("127.0.0.1:0", "0.0.0.0:0", "127.0.0.1:0")
    assert only.startswith("0.0.0.0:")


async def test_a_port_that_the_system_chooses_is_the_same_for_all() -> None:
    """Clients are told one port; what listens at a Unix socket beside it has none."""
    first, second = await bound("127.0.0.1:0", "127.0.0.2:0")
    assert first.rpartition(":")[2] == second.rpartition(":")[2]


async def test_where_one_address_cannot_be_had_none_is_kept(tmp_path: Path) -> None:
    """The error names it; the others are free again, a Unix socket's file included."""
    path = tmp_path / "s"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
            await listen_on((UnixAddress(str(path), 0o700), f"127.0.0.1:{port}"))
    assert not path.exists()


@pytest.mark.parametrize("address", ["no.such.host.invalid:1", "\udcff:1", "x" * 300 + ":1"])
async def test_what_is_no_host_is_told_in_one_line(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the resolver would raise: an OSError that says what was tried, for both directions."""

    async def nowhere(*_: object, **__: object) -> list[object]:
        await trio.lowlevel.checkpoint()
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(trio.socket, "getaddrinfo", nowhere)
    with pytest.raises(OSError, match=r"^\[Errno -?\d+\] cannot listen on [^\n]+: [^\n]+$"):
        await listen_on((address,))
    with pytest.raises(OSError, match=r"^\[Errno -?\d+\] cannot listen on [^\n]+: [^\n]+$"):
        await listener_at(address)
    with pytest.raises(OSError, match=r"^\[Errno -?\d+\] cannot reach [^\n]+: [^\n]+$"):
        await dial(address)


@pytest.mark.parametrize(
    ("problem", "number", "said"),
    [
        (RuntimeError("can't start new thread"), errno.EAGAIN, "a name is looked up in one"),
        (UnicodeError("label too long"), errno.EINVAL, "is no host name"),
    ],
)
async def test_a_look_up_that_cannot_be_made_is_an_error_of_the_system(
    monkeypatch: pytest.MonkeyPatch, problem: Exception, number: int, said: str
) -> None:
    """A thread that cannot be started, a name that cannot be encoded: no crash, and a link tries again."""

    async def fail(*_: object, **__: object) -> list[object]:
        await trio.lowlevel.checkpoint()
        raise problem

    monkeypatch.setattr(trio.socket, "getaddrinfo", fail)
    with pytest.raises(OSError, match=said) as raised:
        await dial("some.name:1")
    assert raised.value.errno == number


async def test_of_a_names_addresses_ipv4_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """On most machines ``localhost`` is both: nodes that chose differently would not find each other."""

    async def both(*_: object, **__: object) -> list[object]:
        await trio.lowlevel.checkpoint()
        six = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0))
        return [six, (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]

    monkeypatch.setattr(trio.socket, "getaddrinfo", both)
    (only,) = await bound("some.name:0")
    assert only.startswith("127.0.0.1:")


@needs(Path("/proc/self/fd").exists(), "looks at /proc")
async def test_a_dial_that_is_cut_short_leaves_no_socket_behind() -> None:
    """Cancelled in the middle: its descriptor is free again."""
    before = set(descriptors())
    with trio.CancelScope() as scope:
        scope.cancel()
        await dial("127.0.0.1:1")
    assert scope.cancelled_caught
    assert set(descriptors()) == before
