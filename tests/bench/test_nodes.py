"""Which node a link goes to, and how long one that failed is left alone."""

import socket

from trikv.bench.nodes import Node
from trikv.client.endpoint import Address, Endpoint

HERE = Address("localhost", 1)
SIX = Endpoint(socket.AF_INET6, ("::1", 1, 0, 0))
FOUR = Endpoint(socket.AF_INET, ("127.0.0.1", 1))


def test_the_same_failure_of_many_links_backs_off_once() -> None:
    """Back-off doubles a failure at a time, is bounded, and ends with the first reply."""
    node = Node(HERE, (FOUR,))
    for _ in range(50):
        node.failed(0)
    assert node.shunned_until_ns == 50_000_000
    for _ in range(20):
        node.failed(node.shunned_until_ns)
    assert node.backoff_ns == 1_000_000_000
    node.served()
    assert node.backoff_ns == 0


def test_after_a_failure_the_next_endpoint_of_a_name_is_tried() -> None:
    """A node may listen on 127.0.0.1 alone, and its name may stand for ::1 first."""
    node = Node(HERE, (SIX, FOUR))
    assert node.endpoint == SIX
    for _ in range(50):
        node.failed(0)
    assert node.endpoint == FOUR
    node.failed(node.shunned_until_ns)
    assert node.endpoint == SIX
