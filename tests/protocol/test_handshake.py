"""The peer handshake: which peers get in, which do not, and what each is told."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocol.links import DISKS, Options, all_pieces, end, established, link, received, sent
from trikv.protocol.handshake import (
    BLANK_CLUSTER,
    NEED_DATA,
    STRANGER_BYTES_MAX,
    PeerHandshake,
    PeerProtocolError,
    Send,
    password_mark,
)
from trikv.raft.messages import Heartbeat


def test_both_ends_learn_who_the_other_is() -> None:
    """After three messages each end knows the other's node, disk and cluster id, and messages flow."""
    listener, dialer = end("listener"), end("dialer", expected_peer=1, cluster=BLANK_CLUSTER)
    assert dialer.outgoing() == b""
    assert dialer.next_event() is NEED_DATA
    assert listener.next_event() is NEED_DATA
    dialer.receive(listener.outgoing())
    proof = sent(dialer)
    assert dialer.next_event() is NEED_DATA
    listener.receive(proof)
    answer = sent(listener)
    at_listener = established(listener)
    assert (at_listener.peer_id, at_listener.peer_disk) == (2, DISKS[2])
    # The listener's first messages may arrive together with its proof.
    assert at_listener.wire.sender.put(Heartbeat(1, 2, 3))
    dialer.receive(answer + at_listener.wire.sender.next_write())
    at_dialer = established(dialer)
    assert (at_dialer.peer_id, at_dialer.peer_disk) == (1, DISKS[1])
    assert received(at_dialer.wire) == [Heartbeat(1, 2, 3)]
    assert at_dialer.wire.sender.put(Heartbeat(4, 5, 6))
    at_listener.wire.receive(at_dialer.wire.sender.next_write())
    assert received(at_listener.wire) == [Heartbeat(4, 5, 6)]


def test_a_password_has_a_mark_that_tells_only_peers_something() -> None:
    """Equal if password and secret are equal. No password has a mark too; a secret may have any length."""
    mark = password_mark(b"s" * 1000, b"password")
    assert mark == password_mark(b"s" * 1000, b"password")
    others = {
        password_mark(b"s" * 1000, b""),
        password_mark(b"s" * 1000, b"Password"),
        password_mark(b"t", b"password"),
    }
    assert len(others | {mark}) == 4
    assert {len(one) for one in others} == {16}


def test_the_handshake_may_come_byte_by_byte() -> None:
    """Cut anywhere, the handshake is the same."""
    listener, dialer = end("listener"), end("dialer")

    def trickle(data: bytes, to: PeerHandshake) -> bytes:
        for at in range(len(data) - 1):
            to.receive(data[at : at + 1])
            assert to.next_event() is NEED_DATA
        to.receive(data[-1:])
        event = to.next_event()
        return event.data if isinstance(event, Send) else b""

    proof = trickle(listener.outgoing(), dialer)
    answer = trickle(proof, listener)
    assert established(listener).peer_id == 2
    assert trickle(answer, dialer) == b""


@pytest.mark.parametrize(
    ("of_listener", "of_dialer", "reason"),
    [
        ({}, {"expected_peer": 3}, "dialed node 3, reached node 1"),
        ({}, {"node_id": 1}, "own id"),
        ({}, {"disk": DISKS[1]}, "own disk id"),
        ({}, {"cluster": b"D" * 16}, "belongs to cluster"),
    ],
)
def test_a_dialer_does_not_prove_itself_to_the_wrong_node(
    of_listener: Options, of_dialer: Options, reason: str
) -> None:
    """Another node, this node itself, a copied disk and another cluster are refused, with a clear reason."""
    dialer = end("dialer", **of_dialer)
    dialer.receive(end("listener", **of_listener).outgoing())
    with pytest.raises(PeerProtocolError, match=reason):
        dialer.next_event()


def refused_by_listener(proof: bytes, reason: str, **options: object) -> None:
    """The listener raises, for `reason`, and has sent nothing."""
    listener = end("listener", **options)  # type: ignore[arg-type]  # each test passes what Options names
    listener.receive(proof)
    with pytest.raises(PeerProtocolError, match=reason):
        listener.next_event()
    with pytest.raises(AssertionError, match="failed"):
        listener.next_event()


def proof_of(dialer: PeerHandshake, listener: PeerHandshake | None = None) -> bytes:
    """The dialer's answer to a challenge."""
    dialer.receive((listener or end("listener")).outgoing())
    return sent(dialer)


def test_a_listener_refuses_a_wrong_secret() -> None:
    """Without the secret nobody gets past the challenge."""
    refused_by_listener(proof_of(end("dialer", secret=b"another")), "has another secret")


def test_a_dialer_notices_a_listener_without_the_secret() -> None:
    """A listener that cannot prove itself is dropped: whatever it sends is no proof."""
    dialer = end("dialer")
    proof_of(dialer)
    dialer.receive(bytes(32))
    with pytest.raises(PeerProtocolError, match="node 1 does not know this cluster's secret"):
        dialer.next_event()


def test_a_proof_cannot_be_replayed() -> None:
    """A proof recorded earlier answers another nonce."""
    refused_by_listener(proof_of(end("dialer")), "another secret", nonce=b"fresh" + bytes(27))


def test_a_proof_for_one_node_does_not_open_another() -> None:
    """The MAC covers the listener's node and disk id and cluster."""
    proof = proof_of(end("dialer"))
    refused_by_listener(proof, "another secret", node_id=3)
    refused_by_listener(proof, "another secret", disk=DISKS[3])
    refused_by_listener(proof, "another secret", cluster=BLANK_CLUSTER)


def test_a_dialers_own_proof_is_not_accepted_as_the_listeners() -> None:
    """Reflection fails: the roles' MACs differ."""
    dialer = end("dialer")
    proof = proof_of(dialer)
    dialer.receive(proof[-32:])
    with pytest.raises(PeerProtocolError, match="does not know"):
        dialer.next_event()


def test_a_challenge_sent_back_is_not_an_introduction() -> None:
    """A stranger that sends the challenge back to its sender proves nothing."""
    listener = end("listener")
    listener.receive(listener.outgoing() + bytes(32))
    with pytest.raises(PeerProtocolError, match="another secret"):
        listener.next_event()


def test_a_listener_checks_who_dials_after_the_proof() -> None:
    """A member that proves itself is still refused if it is the wrong node."""
    refused_by_listener(proof_of(end("dialer")), "expected node 3, got node 2", expected_peer=3)
    # A dialer would not send this proof; the listener does not count on that.
    listener = end("listener")
    impostor = end("dialer", node_id=4, disk=DISKS[3])
    proof = proof_of(impostor, listener)
    listener.receive(proof)
    assert sent(listener)
    assert established(listener).peer_id == 4


def test_listeners_refuse_other_clusters_and_copied_data() -> None:
    """Checks that a well-behaved dialer makes first are made by the listener too."""
    for options, reason in [
        (Options(cluster=b"D" * 16), "belongs to cluster"),
        (Options(node_id=1), "own id"),
        (Options(disk=DISKS[1]), "was its data copied"),
    ]:
        listener, dialer = end("listener"), end("dialer", **options)
        dialer._check_peer = lambda peer: None  # type: ignore[method-assign]  # noqa: ARG005 - it does not look
        dialer.receive(listener.outgoing())
        listener.receive(sent(dialer))
        with pytest.raises(PeerProtocolError, match=reason):
            listener.next_event()


@pytest.mark.parametrize("role", ["listener", "dialer"])
def test_strangers_are_told_apart_by_their_first_bytes(role: str) -> None:
    """A Redis client or a browser on the peer port is recognised at once."""
    for data in (b"GET / HTTP/1.1\r\n", b"*1\r\n", b"\x16\x03\x01", b"trikvX"):
        handshake = end("listener") if role == "listener" else end("dialer")
        handshake.receive(data)
        with pytest.raises(PeerProtocolError, match="not a trikv peer"):
            handshake.next_event()


def test_another_version_is_named() -> None:
    """A node of another protocol version is refused by its first ten bytes, with both versions."""
    dialer = end("dialer")
    dialer.receive(b"trikvpr\n\x00\x07")
    with pytest.raises(PeerProtocolError, match="speaks version 7 of the peer protocol, this node 1"):
        dialer.next_event()


def test_a_stranger_costs_at_most_four_kib() -> None:
    """However much is thrown at a listener, it keeps 4 KiB and hangs up."""
    listener = end("listener")
    for _ in range(10):
        listener.receive(b"trikvpr\n" + b"x" * 100_000)
    assert len(listener._buffer) == STRANGER_BYTES_MAX + 1
    with pytest.raises(PeerProtocolError, match="4096 bytes before the proof"):
        listener.next_event()


def test_a_dialer_must_wait_for_its_turn() -> None:
    """What comes with a proof, before the listener's own, is refused: it would be unauthenticated."""
    refused_by_listener(proof_of(end("dialer")) + b"x", "before its turn")


def test_after_the_handshake_its_object_is_done() -> None:
    """Feeding the handshake instead of the wire is a bug, and says so."""
    listener, dialer = end("listener"), end("dialer")
    listener.receive(proof_of(dialer, listener))
    sent(listener)
    established(listener)
    with pytest.raises(AssertionError, match="PeerWire"):
        listener.next_event()


def test_each_link_has_its_own_keys() -> None:
    """A piece of one link means nothing on another, nor when sent back."""
    one, two = link()
    listener, dialer = end("listener", nonce=b"x" * 32), end("dialer")
    listener.receive(proof_of(dialer, listener))
    dialer.receive(sent(listener))
    other = established(dialer).wire
    assert one.sender.put(Heartbeat(1, 2, 3))
    (piece,) = all_pieces(one)
    for wire in (other, one):
        wire.receive(piece)
        with pytest.raises(PeerProtocolError, match="not authentic"):
            wire.next_event()
    two.receive(piece)
    assert received(two) == [Heartbeat(1, 2, 3)]


@settings(max_examples=200)
@given(st.data())
def test_a_tampered_handshake_never_succeeds(data: st.DataObject) -> None:
    """Flip any bit of any handshake message: no side establishes on what was altered."""
    listener, dialer = end("listener"), end("dialer")
    victim = data.draw(st.integers(0, 2))

    def flipped(message: bytes, turn: int) -> bytes:
        if turn != victim:
            return message
        at = data.draw(st.integers(0, len(message) * 8 - 1))
        altered = bytearray(message)
        altered[at // 8] ^= 1 << at % 8
        return bytes(altered)

    def shake_hands() -> None:
        dialer.receive(flipped(listener.outgoing(), 0))
        listener.receive(flipped(sent(dialer), 1))
        dialer.receive(flipped(sent(listener), 2))
        dialer.next_event()

    with pytest.raises(PeerProtocolError):
        shake_hands()


@settings(max_examples=100)
@given(st.binary(max_size=200), st.booleans())
def test_random_bytes_only_raise_the_documented_error(
    data: bytes,
    plausible: bool,  # noqa: FBT001 - Hypothesis gives it
) -> None:
    """Noise gives NEED_DATA or PeerProtocolError, at either end."""
    noise = b"trikvpr\n\x00\x01" + data if plausible else data
    for handshake in (end("listener"), end("dialer")):
        handshake.receive(noise)
        with contextlib.suppress(PeerProtocolError):
            while handshake.next_event() is not NEED_DATA:
                pass
