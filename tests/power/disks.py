"""Disks that lose power: ext4 on loop files, whose copies hold what the file system had sent down."""

import fcntl
import os
import shutil
import struct
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Final, Self

SIZE_MB: Final = 96
"""Room for a log of 1 MiB segments, snapshots of a few megabytes, and ext4's journal."""
MODES: Final = ("ordered", "writeback")
"""ext4's data modes, in turn. In the second, blocks of a file may be old garbage where nothing was synced."""
_SHUTDOWN: Final = 0x8004587D
"""FS_IOC_SHUTDOWN, `_IOR('X', 125, __u32)` in linux/fs.h and fs/ext4/ext4.h."""
_WITHOUT_FLUSHING_THE_JOURNAL: Final = struct.pack("I", 2)
SYNCED, UNSYNCED = "canary.synced", "canary.unsynced"
_CANARY: Final = b"tweet " * 4096


class PowerError(Exception):
    """The machine cannot do this, or the rig itself is wrong: nothing is said about trikv."""


def unable() -> str | None:
    """Why no disk can lose power here; None where it can."""
    if os.geteuid() != 0:
        return "power cuts mount file systems: only root may"
    for tool in ("mkfs.ext4", "dumpe2fs", "mount", "umount", "cp"):
        if shutil.which(tool) is None:
            return f"power cuts need {tool}"
    if not Path("/dev/loop-control").exists():
        return "power cuts need loop devices, and /dev/loop-control is not there"
    return None


def _run(*words: str | Path) -> str:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise PowerError(f"{' '.join(map(str, words))}: {done.stderr.strip() or done.returncode}")
    return done.stdout


class Disks:
    """Some disks, each an image and where it is mounted. A context manager: nothing stays mounted."""

    def __init__(self, directory: Path, places: list[Path]) -> None:
        self._places = places
        self._images = [directory / f"{place.name}.img" for place in places]
        self._mounted: list[Path] = []

    def __enter__(self) -> Self:
        """Make them, and mount them."""
        try:
            for image, place in zip(self._images, self._places, strict=True):
                with image.open("wb") as file:
                    file.truncate(SIZE_MB << 20)
                # All is laid out now, so that nothing in the background writes later.
                _run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", image)
                place.mkdir(parents=True)
            self._mount(MODES[0])
        except BaseException:
            self._unmount()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unmount()

    def release_canaries(self) -> None:
        """Write one file that is synced to each disk."""
        for place in self._places:
            (place / UNSYNCED).unlink(missing_ok=True)
            with (place / SYNCED).open("wb") as file:
                file.write(_CANARY)
                file.flush()
                os.fsync(file.fileno())
            descriptor = os.open(place, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)

    def release_doomed_canaries(self) -> None:
        """Write one file that is not synced to each disk: a power cut loses it, or it is none."""
        for place in self._places:
            (place / UNSYNCED).write_bytes(_CANARY)

    def die(self) -> None:
        """Stop sending anything down, this instant; a sync under way fails. Harmless twice.

        ext4's own switch for tests of its journal. Without it the kernel would finish the sync that a killed
        process waits in, and no cut would ever fall into one.
        """
        for place in self._places:
            descriptor = os.open(place, os.O_RDONLY)
            try:
                fcntl.ioctl(descriptor, _SHUTDOWN, _WITHOUT_FLUSHING_THE_JOURNAL)
            finally:
                os.close(descriptor)

    def cut(self, mode: str) -> "Cut":
        """Lose what was not sent down, and mount again, in data mode `mode`. No process may use the disks.

        The image is copied while it is mounted: unmounting could write what the power cut is to lose. A loop
        device completes a write in the page cache of the image, so that the copy has it; what only the
        mounted file system's own cache has, it cannot have.
        """
        self.die()
        copies = [image.with_suffix(".cut") for image in self._images]
        for image, copy in zip(self._images, copies, strict=True):
            _run("cp", "--sparse=always", image, copy)
        self._unmount()
        replays = 0
        for image, copy in zip(self._images, copies, strict=True):
            copy.replace(image)
            replays += "needs_recovery" in _run("dumpe2fs", "-h", image)
        self._mount(mode)
        return Cut(
            replays,
            survived=sum(_holds(place / SYNCED) for place in self._places),
            died=sum(not _holds(place / UNSYNCED) for place in self._places),
        )

    def _mount(self, mode: str) -> None:
        for image, place in zip(self._images, self._places, strict=True):
            _run("mount", "-t", "ext4", "-o", f"loop,data={mode}", image, place)
            self._mounted.append(place)

    def _unmount(self) -> None:
        for place in reversed(self._mounted):
            _run("umount", place)
        self._mounted.clear()


class Cut:
    """What a power cut did to the disks, and to the canaries on them."""

    def __init__(self, replays: int, *, survived: int, died: int) -> None:
        self.replays = replays
        """Disks whose journal has to be replayed: they were cut off in the middle of something."""
        self.survived = survived
        """Synced canaries that are there, as they must be."""
        self.died = died
        """Unsynced canaries that are gone, as they should be: the cut was one."""


def _holds(file: Path) -> bool:
    return file.exists() and file.read_bytes() == _CANARY
