"""A client that sends far more than a node takes at once."""

import contextlib
import socket
from pathlib import Path

import pytest

from tests.e2e.cluster import Cluster
from tests.perf.greedy import COMMANDS, pipeline, send

pytestmark = pytest.mark.e2e

SILENCE_S = 15.0
"""Longer than any deadline of a node: one that is silent so long has forgotten its client."""


def test_a_pipeline_of_100k_commands_is_answered_to_its_end(tmp_path: Path) -> None:
    """Nothing is left lying in a socket, wherever the bytes of the commands are cut by it."""
    with Cluster(tmp_path) as cluster:
        cluster.start_all()
        port = cluster.ports[cluster.wait_for_leader()]
        with contextlib.closing(socket.create_connection(("127.0.0.1", port))) as connection:
            connection.setblocking(False)
            answered = 0
            for answered in send(connection, pipeline(), patience_s=SILENCE_S):  # noqa: B007 - the last one
                pass
            assert answered == COMMANDS
