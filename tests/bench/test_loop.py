"""The loop against small servers that behave, stall, refuse, babble and die."""

import threading
import time
from typing import Any

import pytest

from tests.fake_server import FakeServer, Handler, Store, honest
from trikv.bench.ledger import Ledger
from trikv.bench.loop import Loop, NothingAnswers
from trikv.bench.nodes import Node
from trikv.bench.options import Options
from trikv.bench.tally import Tally
from trikv.bench.workload import Ring, Stamped
from trikv.client.endpoint import resolve

_SET = (("set", 1.0),)


def _loop(servers: list[FakeServer], *, ledger: Ledger | None = None, **changed: Any) -> Loop:
    given: dict[str, Any] = {
        "nodes": tuple(server.address for server in servers),
        "connections": 5,
        "mix": _SET,
    }
    options = Options(**(given | changed))
    nodes = [Node(address, resolve(address)) for address in options.nodes]
    source = Ring(options) if ledger is None else Stamped(options, ledger.run)
    return Loop(options, nodes, source, ledger=ledger)


def _accounted(tally: Tally) -> int:
    return tally.answered + tally.refused + tally.unknown_writes + tally.unread


@pytest.mark.parametrize("pipeline", [1, 10])
def test_every_request_is_sent_and_answered_once(pipeline: int) -> None:
    """A closed loop sends exactly --requests and has a latency for every reply."""
    with FakeServer(honest({})) as server:
        tally = _loop([server], requests=1000, pipeline=pipeline, mix=(("set", 1.0), ("mget", 1.0))).run()
        assert tally.sent == tally.answered == tally.latency_ns.count == server.served == 1000
        assert 400 < tally.answered_writes < 600
        assert tally.latency_ns.highest <= tally.elapsed_ns
        assert tally.refused == tally.unknown_writes == tally.unread == tally.reconnects == 0


def test_requests_are_rounded_up_to_whole_pipelines() -> None:
    """A pipeline is sent whole: 25 requests in pipelines of 10 are 30."""
    with FakeServer(honest({})) as server:
        assert _loop([server], requests=25, pipeline=10).run().sent == 30
        assert _loop([server], requests=2).run().sent == 2


def test_connections_are_spread_evenly() -> None:
    """Six connections over three nodes are two each."""
    store: Store = {}
    with (
        FakeServer(honest(store)) as one,
        FakeServer(honest(store)) as two,
        FakeServer(honest(store)) as three,
    ):
        _loop([one, two, three], requests=600, connections=6).run()
        assert [one.accepted, two.accepted, three.accepted] == [2, 2, 2]


def test_more_than_a_socket_takes_is_sent_in_pieces() -> None:
    """Batches larger than the socket buffers arrive whole."""
    with FakeServer(honest({})) as server:
        tally = _loop([server], requests=20, pipeline=2, value_bytes=3_000_000, connections=2).run()
        assert tally.answered == 20


def test_seconds_end_the_run() -> None:
    """A run of 0.2 s takes about that, however fast the server is."""
    with FakeServer(honest({})) as server:
        tally = _loop([server], seconds=0.2).run()
        assert 0.1e9 < tally.elapsed_ns < 2e9
        assert tally.sent == tally.answered > 0


def test_errors_are_counted_by_code_and_are_no_acknowledgement() -> None:
    """Error replies count under their first word; they are answered, but acknowledge nothing."""
    replies = iter([b"-OOM no room\r\n", b"-ERR what\r\n", b"-strange words\r\n"] + [b"+OK\r\n"] * 7)
    with FakeServer(lambda _: next(replies)) as server:
        tally = _loop([server], requests=10, connections=1).run()
    assert tally.errors == {"OOM": 1, "ERR": 2}
    assert (tally.answered, tally.answered_writes, tally.latency_ns.count) == (7, 7, 10)


def test_a_node_that_dies_is_left_for_the_others() -> None:
    """One of two nodes dies mid-run: the run goes on, and each command is accounted for exactly once."""
    store: Store = {}
    with FakeServer(honest(store), die_after=100) as dying, FakeServer(honest(store)) as living:
        tally = _loop([dying, living], requests=2000, pipeline=4, mix=(("set", 1.0), ("get", 1.0))).run()
        assert tally.sent == 2000 == _accounted(tally)
        assert dying.served == 100
        assert tally.unknown_writes + tally.unread > 0
        assert tally.reconnects >= 2
        assert not tally.gave_up


def test_a_node_that_comes_back_is_used_again() -> None:
    """The only node dies and is started again: bounded back-off finds it, and the run completes."""
    store: Store = {}
    dying = FakeServer(honest(store), die_after=50)
    loop = _loop([dying], requests=500)
    runner = threading.Thread(target=loop.run)
    runner.start()
    dying._thread.join(5)
    dying.close()
    with FakeServer(honest(store), port=dying.address.port):
        runner.join(10)
        assert not runner.is_alive()
    assert loop.tally.sent == 500 == _accounted(loop.tally)
    assert loop.tally.reconnects == 5


def test_a_run_without_nodes_left_gives_up() -> None:
    """All nodes die for good: the run ends by itself and says so."""
    with FakeServer(honest({}), die_after=50) as dying:
        tally = _loop([dying], requests=10_000, give_up_s=0.3).run()
    assert tally.gave_up
    assert tally.sent == _accounted(tally)


def test_nothing_answering_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """With no node at all the run does not begin, and the line says where it was tried."""
    monkeypatch.setattr("trikv.bench.loop._OPEN_NS_MAX", 100_000_000)
    with FakeServer(honest({})) as server:
        address = server.address
    options = Options(nodes=(address,), requests=1, connections=1)
    loop = Loop(options, [Node(address, resolve(address))], Ring(options))
    with pytest.raises(NothingAnswers, match=str(address.port)):
        loop.run()


def test_a_reply_that_never_comes_is_given_up() -> None:
    """A silent node costs its connections after the time-out; their writes are of unknown outcome."""
    with FakeServer(lambda _: None) as server:
        tally = _loop([server], requests=5, reply_timeout_s=0.2).run()
    assert (tally.sent, tally.answered, tally.unknown_writes) == (5, 0, 5)


@pytest.mark.parametrize("said", [b"+OK\r\n+OK\r\n", b"garbage\r\n"])
def test_a_server_that_babbles_loses_the_connection(said: bytes) -> None:
    """A reply nobody asked for, or bytes that are none, end a connection: no later reply could be paired."""
    with FakeServer(lambda _: said) as server:
        tally = _loop([server], requests=3, connections=1).run()
    assert tally.sent == 3 == _accounted(tally)
    assert tally.reconnects >= 2


def test_stop_ends_a_run_early() -> None:
    """`stop`, which Ctrl-C calls, ends the run with everything accounted for."""
    with FakeServer(honest({})) as server:
        loop = _loop([server], seconds=60)
        timer = threading.Timer(0.1, loop.stop)
        timer.start()
        tally = loop.run()
        timer.join()
    assert tally.elapsed_ns < 10e9
    assert tally.sent == _accounted(tally) > 0


def test_an_open_loop_keeps_its_rate() -> None:
    """2,000 commands a second for half a second are 1,000 commands, whatever the connections are doing."""
    with FakeServer(honest({})) as server:
        tally = _loop([server], seconds=0.5, rate=2000.0, connections=20).run()
    assert tally.sent + tally.unsent == 1000
    assert tally.sent == tally.answered
    assert tally.elapsed_ns > 0.45e9


def test_an_open_loop_sees_a_stall_that_a_closed_loop_hides() -> None:
    """A server that stalls 0.3 s once: on schedule, every command due meanwhile counts its whole wait."""
    store: Store = {}
    behave = honest(store)
    served = 0

    def stalls(args: list[bytes]) -> bytes | None:
        nonlocal served
        served += 1
        if served == 50:
            time.sleep(0.3)
        return behave(args)

    with FakeServer(stalls) as server:
        tally = _loop([server], seconds=0.6, rate=500.0, connections=1).run()
    # 150 of 300 commands fell due during the stall; half of those waited for more than half of it.
    assert tally.latency_ns.percentile(60) > 50_000_000
    assert tally.latency_ns.highest >= 290_000_000


def test_what_fell_due_and_was_not_sent_is_reported() -> None:
    """A server that never answers holds the only connection: the commands due meanwhile count as unsent."""
    with FakeServer(lambda _: None) as server:
        tally = _loop([server], seconds=0.2, rate=100.0, connections=1, reply_timeout_s=0.5).run()
    assert (tally.sent, tally.unsent) == (1, 19)


def test_a_password_is_sent_before_anything_else() -> None:
    """Each connection authenticates first; a refused password shows as its error, not as a reply."""
    seen: list[bytes] = []

    def guarded(args: list[bytes]) -> bytes:
        seen.append(args[0])
        return b"+OK\r\n" if args != [b"AUTH", b"wrong"] else b"-WRONGPASS no\r\n"

    with FakeServer(guarded) as server:
        assert _loop([server], requests=10, connections=2, password=b"right").run().answered == 10
        assert seen.count(b"AUTH") == 2
        assert seen[0] == b"AUTH"
        loop = _loop([server], requests=10, connections=1, password=b"wrong")
        threading.Timer(0.1, loop.stop).start()
        with pytest.raises(NothingAnswers, match="stopped before"):
            loop.run()
        assert loop.tally.errors["WRONGPASS"] >= 1


def test_the_ledger_knows_what_was_acknowledged_when_a_node_dies() -> None:
    """Through a death mid-pipeline the ledger's promises are what the honest store holds."""
    store: Store = {}
    ledger = Ledger(100, 5)
    with FakeServer(honest(store), die_after=99) as dying, FakeServer(honest(store)) as living:
        tally = _loop([dying, living], requests=3000, pipeline=7, keys=100, verify=True, ledger=ledger).run()
    assert ledger.acknowledged_writes == tally.answered_writes > 0
    promised = list(ledger.promises())
    assert promised
    verdicts = {ledger.judge(kind, slot, store.get(b"key:%012d" % slot)).value for kind, slot in promised}
    assert verdicts == {"kept"}


def test_an_indeterminate_reply_is_a_doubt_and_a_refusal_is_none() -> None:
    """INDETERMINATE leaves the write in doubt: what it wrote may stand there. OOM did not happen."""
    for code, verdict in ((b"INDETERMINATE", "kept"), (b"OOM", "lost")):
        store: Store = {}
        behave = honest(store)
        ledger = Ledger(1, 5)
        count = 0

        def grudging(args: list[bytes], code: bytes = code, behave: Handler = behave) -> bytes | None:
            nonlocal count
            count += 1
            reply = behave(args)
            return reply if count == 1 else b"-%b says no\r\n" % code

        with FakeServer(grudging) as server:
            _loop([server], requests=2, connections=1, keys=1, verify=True, ledger=ledger).run()
        ((kind, slot),) = ledger.promises()
        assert ledger.judge(kind, slot, store[b"key:%012d" % slot]).value == verdict


def test_an_idle_connection_that_ends_is_replaced() -> None:
    """In an open loop a connection may end while it rests: nothing is lost with it, and it comes back."""
    store: Store = {}
    with FakeServer(honest(store), die_after=10) as dying, FakeServer(honest(store)) as living:
        tally = _loop([dying, living], seconds=0.5, rate=200.0, connections=10).run()
    assert tally.reconnects >= 4
    assert tally.sent + tally.unsent == 100
    assert _accounted(tally) == tally.sent


def test_progress_is_shown_while_it_runs() -> None:
    """The progress callback is called with the tally and the seconds passed."""
    shown: list[float] = []
    with FakeServer(honest({})) as server:
        options = Options(nodes=(server.address,), seconds=0.6, connections=1, mix=_SET)
        nodes = [Node(server.address, resolve(server.address))]
        Loop(options, nodes, Ring(options), progress=lambda _, elapsed_s: shown.append(elapsed_s)).run()
    assert shown
    assert shown == sorted(shown)
