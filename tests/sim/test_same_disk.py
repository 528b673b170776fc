"""The simulated disk against the real one: any sequence of operations has the same outcome on both."""

import tempfile
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from trikv.host.real import RealHost
from trikv.sim.determinism import simulate
from trikv.sim.world import SimWorld
from trikv.storage.disk import Disk, DiskFile

PATHS = st.sampled_from(["a", "b", "d", "d/a", "d/b", "d/e", "d/e/a", "x/y"])
OPERATION = st.one_of(
    st.tuples(
        st.sampled_from(
            ["create", "open", "make_directory", "names", "exists", "remove", "sync_directory", "close"]
        ),
        PATHS,
    ),
    st.tuples(st.just("rename"), PATHS, PATHS),
    st.tuples(st.sampled_from(["write", "write_and_sync"]), st.integers(0, 50), st.binary(max_size=50)),
    st.tuples(st.just("read"), st.integers(0, 60), st.integers(0, 60)),
    st.tuples(st.sampled_from(["sync", "size"])),
)
Operation: TypeAlias = tuple[str | int | bytes, ...]


async def carry_out(disk: Disk, operations: list[Operation]) -> list[object]:
    """What each operation returned or raised; file operations go to the file opened last."""
    outcomes: list[object] = []
    files: list[DiskFile] = []
    for name, *args in operations:
        assert isinstance(name, str)
        on_file = name in ("write", "write_and_sync", "read", "sync", "size", "close")
        if on_file and not files:
            continue
        if name == "close":
            files.pop().close()
            continue
        try:
            outcome = getattr(files[-1] if on_file else disk, name)(*args)
            if name != "size":
                outcome = await outcome
            if name in ("create", "open"):
                files.append(outcome)
                outcome = name
            outcomes.append(outcome)
        except OSError as error:
            outcomes.append(type(error))
    for file in files:
        file.close()
    return outcomes


@settings(max_examples=25, deadline=None)
@given(st.lists(OPERATION, max_size=30))
def test_same_outcomes(operations: list[Operation]) -> None:
    """Results and kinds of errors agree."""
    make: Callable[[Disk], Awaitable[list[object]]] = lambda disk: carry_out(disk, operations)  # noqa: E731

    async def simulated() -> list[object]:
        return await make(SimWorld(0).machine("node1").boot().disk)

    with tempfile.TemporaryDirectory() as directory, RealHost(directory) as host:
        assert trio.run(make, host.disk) == simulate(0, simulated)
