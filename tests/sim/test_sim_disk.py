"""The simulated disk's faults, and what a crash in the middle of an operation leaves."""

import errno

import pytest
import trio

from trikv.sim.determinism import simulate
from trikv.sim.host import SimHost
from trikv.sim.life import Fenced
from trikv.sim.volume import Keep
from trikv.sim.world import SimWorld


def test_ordered_failures() -> None:
    """Operations fail as often as ordered, with the errno ordered; ENOSPC comes from the capacity too."""

    async def main() -> None:
        machine = SimWorld(1).machine("node1")
        disk = machine.boot().disk
        file = await disk.create("a")
        machine.disk_traits.fail("write", errno.ENOSPC, times=2)
        for _ in range(2):
            with pytest.raises(OSError, match="No space") as caught:
                await file.write(0, b"x")
            assert caught.value.errno == errno.ENOSPC
        await file.write(0, b"x")
        machine.disk_traits.fail("sync", errno.EIO)
        with pytest.raises(OSError, match="Input/output"):
            await file.write_and_sync(0, b"y")
        assert await file.read(0, 1) == b"y"
        machine.disk_traits.fail("create", errno.EMFILE)
        with pytest.raises(OSError, match="Too many"):
            await disk.create("b")
        machine.volume.capacity_bytes = 10
        await file.write(0, b"0123456789")
        with pytest.raises(OSError, match="No space"):
            await file.write(5, b"567890")
        await file.write(0, b"overwrite")
        machine.lose_power(Keep.ALL)
        assert (await (await machine.boot().disk.open("a")).read(0, 10)) == b"overwrite9"

    simulate(1, main)


def test_directories_and_files_do_not_mix() -> None:
    """A directory cannot be opened, removed or replaced by a file."""

    async def main() -> None:
        disk = SimWorld(1).machine("node1").boot().disk
        await disk.make_directory("d")
        await disk.create("f")
        for use in (disk.open("d"), disk.remove("d"), disk.rename("f", "d")):
            with pytest.raises(IsADirectoryError):
                await use
        with pytest.raises(NotADirectoryError):
            await disk.create("f/x")

    simulate(1, main)


@pytest.mark.parametrize("power", [False, True])
def test_crash_during_a_sync(power: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """A process that dies in a sync never sees it return; killed it keeps its bytes, unplugged it may not."""

    async def main() -> None:
        world = SimWorld(1)
        machine = world.machine("node1")
        machine.disk_traits.sync_ms_min = machine.disk_traits.sync_ms_max = 10
        returned = False

        async def node(host: SimHost) -> None:
            nonlocal returned
            file = await host.disk.create("wal")
            await host.disk.sync_directory("")
            await file.write_and_sync(0, b"first")
            await file.write_and_sync(0, b"other")
            returned = True

        async with trio.open_nursery() as nursery:
            nursery.start_soon(machine.run, node)
            await trio.sleep(0.025)
            if power:
                machine.lose_power(Keep.NONE)
            else:
                machine.kill()
        assert not returned
        file = await machine.boot().disk.open("wal")
        assert await file.read(0, 10) == (b"first" if power else b"other")

    simulate(1, main)


def test_dead_handles() -> None:
    """Every handle of a life that is over raises `Fenced`, in ``finally`` blocks and shielded scopes too."""

    async def main() -> None:
        world = SimWorld(1)
        machine = world.machine("node1")
        attempts = 0

        async def node(host: SimHost) -> None:
            nonlocal attempts
            file = await host.disk.create("a")
            try:
                await trio.sleep_forever()
            finally:
                with trio.CancelScope(shield=True):
                    for use in (file.write, file.write_and_sync):
                        with pytest.raises(Fenced):
                            await use(0, b"posthumous")
                        attempts += 1
                    for late in (
                        file.read(0, 1),
                        file.sync(),
                        host.disk.create("b"),
                        host.disk.names(""),
                        host.network.dial("node2:1"),
                    ):
                        with pytest.raises(Fenced):
                            await late
                        attempts += 1
                    file.close()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(machine.run, node)
            await trio.sleep(1)
            assert machine.is_running
            machine.kill()
            assert not machine.is_running
        assert attempts == 7
        assert await machine.boot().disk.names("") == ["a"]
        assert machine.volume.used_bytes() == 0

    simulate(1, main)


def test_living_errors_are_raised() -> None:
    """What a living process raises comes out of `Machine.run`; its machine is free for the next life."""

    async def main() -> None:
        machine = SimWorld(1).machine("node1")

        async def broken(_: SimHost) -> None:
            raise ValueError("a bug")

        with pytest.raises(ValueError, match="a bug"):
            await machine.run(broken)

        async def patient(_: SimHost) -> None:
            await trio.sleep_forever()

        with trio.move_on_after(1) as scope:
            await machine.run(patient)
        assert scope.cancelled_caught
        assert not machine.is_running

        async def dying(_: SimHost) -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                machine.kill()
                raise ValueError("on the way out")

        await machine.run(dying)
        assert machine.lives == 3

    simulate(1, main)


def test_renames_that_fail() -> None:
    """A directory does not go into itself or over what is in the way; an empty directory gives way."""

    async def main() -> None:
        disk = SimWorld(1).machine("node1").boot().disk
        await disk.make_directory("d/e")
        await disk.make_directory("full/x")
        await disk.make_directory("empty")
        (await disk.create("f")).close()
        for old, new, number in (
            ("d", "d/e/d", errno.EINVAL),
            ("d/e", "d", errno.ENOTEMPTY),
            ("d", "full", errno.ENOTEMPTY),
            ("d", "f", errno.ENOTDIR),
        ):
            with pytest.raises(OSError, match=new) as caught:
                await disk.rename(old, new)
            assert caught.value.errno == number
        await disk.rename("d", "d")
        await disk.rename("d", "empty")
        assert await disk.names("") == ["empty", "f", "full"]
        assert await disk.names("empty") == ["e"]
        for path in ("f", "f/deeper"):
            with pytest.raises(NotADirectoryError):
                await disk.names(path)

    simulate(1, main)
