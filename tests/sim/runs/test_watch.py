"""A watched node is the node that ships."""

import attrs

from trikv.node.assembly import SHIPPED, Ports
from trikv.node.settings import NodeSettings
from trikv.sim.knobs import Knobs
from trikv.sim.watch import Watch


def ports(knobs: Knobs) -> Ports:
    """What a run's node is assembled of."""
    return Watch(1, knobs, observer=None).ports()  # type: ignore[arg-type] # nothing is seen before there is a node


def test_only_methods_that_the_parts_have_are_watched() -> None:
    """A method that has another name now would be watched no more, and no checker would say so."""
    watched = 0
    for field in attrs.fields(Ports):
        part, shipped = getattr(ports(Knobs()), field.name), getattr(SHIPPED, field.name)
        if isinstance(part, type) and part is not shipped:
            assert part.__bases__ == (shipped,)
            own = {name for name in vars(part) if not name.startswith("__")}
            assert not {name for name in own if not hasattr(shipped, name)}, field.name
            watched += len(own)
    assert watched >= 12


def test_a_node_gets_the_knobs_that_no_configuration_offers() -> None:
    """All the rest is what the configuration says."""
    knobs = Knobs(append_bytes_max=1, window_proposals_max=2, segment_bytes=4096, snapshot_log_bytes=1024)
    config = knobs.config(1)
    settings = ports(knobs).settings(config)
    assert settings.raft.append_bytes_max == 1
    assert settings.proposals.window_proposals_max == 2
    assert (settings.wal.segment_bytes, settings.snapshots.log_bytes) == (4096, 1024)
    turned = {name: getattr(settings, name) for name in ("raft", "proposals", "wal", "snapshots")}
    assert settings == attrs.evolve(NodeSettings.of(config), **turned)
    assert ports(Knobs(slice_ms=0)).applier.SLICE_MS == 0
