"""Every test here starts real processes: it is marked `e2e`, and its cluster is always cleared away."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cluster import Cluster

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies in this folder."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Three nodes that have a leader and serve."""
    with Cluster(tmp_path) as started:
        started.start_all()
        started.wait_for_leader()
        yield started
