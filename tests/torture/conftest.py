"""Ports that are free, and ports that are not."""

import socket
from collections.abc import Iterator

import pytest

from tests.ports import unanswered_port


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port that somebody listens on, low enough to have a peer port."""
    with socket.socket() as taken:
        for port in range(18290, 18299):
            try:
                taken.bind(("127.0.0.1", port))
            except OSError:
                continue
            taken.listen()
            yield port
            return
    raise OSError("no port can be taken from 18290 to 18298")


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that nobody listens on."""
    with unanswered_port() as port:
        yield port
