"""What bench refuses, and that it says what would be right."""

from typing import Any

import pytest

from trikv.bench.options import OptionError, Options, parse_mix, parse_nodes
from trikv.client.endpoint import Address

_NODE = (Address("127.0.0.1", 8080),)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"requests": 1, "seconds": 1.0}, "either --requests or --seconds"),
        ({"requests": None}, "either --requests or --seconds"),
        ({"requests": 0}, "--requests must be from 1"),
        ({"connections": 0}, "--connections must be from 1"),
        ({"connections": 10_001}, "10,000"),
        ({"pipeline": 0}, "--pipeline"),
        ({"value_bytes": 0}, "--value-bytes"),
        ({"keys": 0}, "--keys"),
        ({"rate": 0.0}, "--rate"),
        ({"rate": float("nan")}, "--rate"),
        ({"nodes": ()}, "names no node"),
        ({"pipeline": 10_000, "value_bytes": 8 << 20}, "lower one"),
        ({"verify": True, "value_bytes": 23}, "24 or more"),
        ({"verify": True, "keys": 49}, "--connections or more"),
    ],
)
def test_nonsense_is_refused_in_one_line(changed: dict[str, Any], said: str) -> None:
    """Options that cannot be run raise one line that names the option."""
    given: dict[str, Any] = {"nodes": _NODE, "requests": 1}
    with pytest.raises(OptionError) as caught:
        Options(**(given | changed))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nodes_are_read_in_every_usual_spelling() -> None:
    """host:port, :port, a bare port and [v6]:port are understood; a node named twice counts once."""
    assert parse_nodes("a:1, :2,3,[::1]:4,a:1") == (
        Address("a", 1),
        Address("127.0.0.1", 2),
        Address("127.0.0.1", 3),
        Address("::1", 4),
    )


def test_a_node_may_be_the_path_of_a_unix_socket() -> None:
    """Whatever has a slash in it; it is shown as it was written."""
    nodes = parse_nodes("/run/trikv.sock,./node2.sock")
    assert nodes == (Address("/run/trikv.sock", 0), Address("./node2.sock", 0))
    assert [str(node) for node in nodes] == ["/run/trikv.sock", "./node2.sock"]


def test_without_nodes_the_ports_of_run_cluster_are_meant() -> None:
    """No --nodes means the three client ports `run_cluster.sh` takes by default."""
    assert [str(address) for address in parse_nodes(None)] == [
        f"127.0.0.1:{port}" for port in (8080, 8081, 8082)
    ]


@pytest.mark.parametrize(
    "text",
    ["host", "host:", "host:0", "host:65536", "host:x", "host:²", "::1", "::1:80", "[::1]", "a b:1", "[:1"],
)
def test_a_node_without_a_port_is_refused(text: str) -> None:
    """What is not host:port is refused by name."""
    with pytest.raises(OptionError, match="is not host:port"):
        parse_nodes(text)


def test_a_mix_gives_weights() -> None:
    """Commands carry weights, 1 where none is written, in any case."""
    assert parse_mix("SET=1, get=2.5,ping") == (("set", 1.0), ("get", 2.5), ("ping", 1.0))


@pytest.mark.parametrize("text", ["", "flushall", "set=x", "set=-1", "set=nan", "set=1,set=2", "set=0"])
def test_a_mix_that_means_nothing_is_refused(text: str) -> None:
    """Unknown commands, weights that are no weights, doubles and all-zero mixes are refused."""
    with pytest.raises(OptionError, match="--mix"):
        parse_mix(text)
