"""Every part's settings come from one configuration."""

from typing import Any

import attrs
import pytest

from trikv.config import NodeConfig, settings
from trikv.front.runtime_settings import RuntimeSettings
from trikv.host.seam import UnixAddress
from trikv.node.consensus.read_questions import ReadSettings
from trikv.node.settings import NodeSettings

PEERS = {1: "one:18081", 2: "two:18082", 3: "three:18083"}
ELSEWHERE = {
    "requirepass_file": "read while the configuration is",
    "secret_file": "opened by who starts the node",
    "load": "the same",
    "unix_socket_mode": "nothing without a Unix socket",
}
"""Settings whose change alone shows in no part's, with the reason of each."""
OTHER = {
    "listen": ("::1",),
    "peers": PEERS,
    "reads": "lease",
    "enable_debug_command": "local",
    "requirepass": "secret",
    "unix_socket": "/run/t.sock",
    "input_bytes_max": 64 << 20,
}
"""Another value where the next number will not do."""


def test_the_other_nodes_are_told_from_this_one() -> None:
    """Peers are dialled; a node does not dial itself, and knows at which address the others do."""
    made = NodeSettings.of(NodeConfig(node_id=2, peers=PEERS))
    assert (made.peers, made.own_address) == ({1: "one:18081", 3: "three:18083"}, "two:18082")
    assert made.configured == PEERS
    alone = NodeSettings.of(NodeConfig(listen=("127.0.0.1",), port=1, peer_port=2))
    assert (alone.peers, alone.own_address) == ({}, "127.0.0.1:2")


def test_clients_come_in_at_every_address() -> None:
    """The Unix socket, whose mode is octal, behind those of TCP."""
    plain = NodeConfig(listen=("127.0.0.1", "::1"), port=7)
    assert NodeSettings.of(plain).client_addresses == ("127.0.0.1:7", "[::1]:7")
    both = attrs.evolve(plain, unix_socket="/run/t.sock", unix_socket_mode="660")
    assert NodeSettings.of(both).client_addresses[2:] == (UnixAddress("/run/t.sock", 0o660),)


def test_what_one_setting_says_to_several_parts() -> None:
    """A command must fit an entry with its wrapping, and two messages fit a link's queue."""
    made = NodeSettings.of(
        NodeConfig(entry_bytes_max=16 << 20, peer_frame_bytes_max=20 << 20, command_deadline_ms=700)
    )
    assert made.proposals.entry_bytes_max == 16 << 20
    assert made.conversation.entry_bytes_max == 12 << 20
    assert (made.pieces.message_bytes_max, made.pieces.queue_bytes_max) == (20 << 20, 40 << 20)
    assert made.proposals.deadline_ms == made.reads.deadline_ms == 700
    assert made.stop.still_s == 10.0
    assert made.reads == ReadSettings(deadline_ms=700, by_lease=False)


def test_runtime_settings_are_each_nodes_own() -> None:
    """CONFIG SET at one node of a process changes no other's, made of the same configuration."""
    config = NodeConfig(timeout_s=5)
    first, second = NodeSettings.of(config), NodeSettings.of(config)
    first.runtime.timeout_s = 6
    assert second.runtime == RuntimeSettings(
        timeout_s=5,
        typed_timeout_s=config.typed_timeout_s,
        maxclients=config.maxclients,
        requirepass="",
        input_bytes_max=config.input_bytes_max,
        reads="linearizable",
    )


@pytest.mark.parametrize("name", [one.name for one in settings() if one.name not in ELSEWHERE])
def test_every_setting_reaches_a_part(name: str) -> None:
    """One that an operator may turn and that nobody reads would be a promise that nobody keeps."""
    config = NodeConfig()
    default = getattr(config, name)
    change: dict[str, Any] = {name: OTHER.get(name, "elsewhere")}
    if name not in OTHER and isinstance(default, int):
        one = next(one for one in settings() if one.name == name)
        assert one.about.high is not None
        change = {name: default + 1 if default < one.about.high else default - 1}
    assert NodeSettings.of(attrs.evolve(config, **change)) != NodeSettings.of(config)
