"""Ports for clusters that are planned and do not come to their nodes."""

from collections.abc import Iterator

import pytest

from tests.ports import PortBlock


@pytest.fixture
def first_port() -> Iterator[int]:
    """The first of three that are free, with their peer ports, and that no program is given by chance."""
    block = PortBlock()
    yield block.first
    block.release()
