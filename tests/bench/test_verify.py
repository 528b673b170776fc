"""Reading back: an honest cluster passes, a liar is caught, an absent one is not called honest."""

from typing import Any

from tests.fake_server import FakeServer, Handler, Store, honest
from trikv.bench.ledger import Change, Kind, Ledger, stamp
from trikv.bench.loop import Loop
from trikv.bench.nodes import Node
from trikv.bench.options import COMMANDS, Options
from trikv.bench.verify import Findings, read_back
from trikv.bench.workload import Stamped
from trikv.client.endpoint import resolve

_ALL = tuple((name, 1.0) for name in COMMANDS)


def _run(handler: Handler, **changed: Any) -> Findings:
    """Load one server with everything, then read back from it."""
    with FakeServer(handler) as server:
        given: dict[str, Any] = {"nodes": (server.address,), "requests": 2000, "connections": 4, "mix": _ALL}
        options = Options(**(given | {"keys": 200, "verify": True} | changed))
        ledger = Ledger(options.keys, 9)
        nodes = [Node(server.address, resolve(server.address))]
        Loop(options, nodes, Stamped(options, 9), ledger=ledger).run()
        return read_back(ledger, options.nodes, password=None, give_up_s=0.2)


def test_an_honest_server_has_lost_nothing() -> None:
    """Every command of the mix at once, in pipelines: all keys check out, and none is a stranger's."""
    findings = _run(honest({}), pipeline=5)
    assert findings.nothing_lost
    assert findings.checked > 400
    assert findings.foreign == findings.unjudged == findings.unread == 0


def test_keys_of_an_earlier_run_do_no_harm() -> None:
    """Counters and strings that are there already are built upon, old values are told from new ones."""
    store: Store = {b"counter:%012d" % slot: b"41" for slot in range(200)}
    store.update({b"tail:%012d" % slot: b"old" for slot in range(200)})
    store.update({b"key:%012d" % slot: stamp(8, slot) for slot in range(200)})
    assert _run(honest(store)).nothing_lost


def _forgetting(name: bytes, reply: bytes) -> Handler:
    """Acknowledge every third command `name` and do nothing: the lie verification exists for.

    So often that some of two hundred keys are never written again, whatever the order of the clients.
    """
    behave = honest({})
    count = 0

    def handle(args: list[bytes]) -> bytes | None:
        nonlocal count
        count += args[0] == name
        return reply if args[0] == name and count % 3 == 0 else behave(args)

    return handle


def test_a_server_that_acknowledges_without_writing_is_caught() -> None:
    """SETs and DELs that were acknowledged and not done are found, and the keys named."""
    for name, reply in ((b"SET", b"+OK\r\n"), (b"DEL", b":1\r\n")):
        findings = _run(_forgetting(name, reply), mix=(("set", 1.0), ("del", 1.0)))
        assert findings.lost > 0
        assert not findings.nothing_lost
        assert all(key.startswith("key:") for key in findings.samples)
        assert len(findings.samples) == min(findings.lost, 10)


def test_a_lost_increment_or_append_is_caught() -> None:
    """An INCR or APPEND whose effect is undone shows, because its replies must rise."""
    for name in (b"INCR", b"APPEND"):
        store: Store = {}
        behave = honest(store)
        count = 0

        def undoing(
            args: list[bytes], name: bytes = name, store: Store = store, behave: Handler = behave
        ) -> bytes | None:
            nonlocal count
            before = store.get(args[1]) if len(args) > 1 else None
            reply = behave(args)
            if args[0] == name and (count := count + 1) % 20 == 0:
                store.pop(args[1])
                if before is not None:
                    store[args[1]] = before
            return reply

        assert _run(undoing, mix=((name.decode().lower(), 1.0),)).lost > 0


def test_somebody_elses_values_are_no_verdict() -> None:
    """A key that holds what this run never wrote is reported, but not as lost."""
    store: Store = {}
    ledger = Ledger(2, 9)
    for slot in range(2):
        ledger.acknowledge(Change(Kind.REGISTER, (slot,), 1), "OK")
        store[b"key:%012d" % slot] = stamp(10, 1)
    with FakeServer(honest(store)) as server:
        findings = read_back(ledger, (server.address,), password=None, give_up_s=0.2)
    assert (findings.checked, findings.foreign, findings.lost) == (2, 2, 0)


def _promise(keys: int) -> tuple[Ledger, Store]:
    ledger, store = Ledger(keys, 9), Store()
    for slot in range(keys):
        ledger.acknowledge(Change(Kind.REGISTER, (slot,), slot + 1), "OK")
        store[b"key:%012d" % slot] = stamp(9, slot + 1)
    return ledger, store


def test_reading_back_goes_on_when_a_node_dies() -> None:
    """A node that dies while it is read from is left for the others; every key is read once."""
    ledger, store = _promise(1000)
    with FakeServer(honest(store), die_after=250) as dying, FakeServer(honest(store)) as living:
        nodes = (dying.address, living.address)
        findings = read_back(ledger, nodes, password=None, give_up_s=2)
    assert findings.nothing_lost
    assert findings.checked == 1000


def test_errors_while_reading_back_are_asked_again() -> None:
    """CLUSTERDOWN just after a failover is no verdict: the chunk is asked for again."""
    ledger, store = _promise(300)
    behave = honest(store)
    errors = iter([b"-CLUSTERDOWN no leader\r\n"] * 3)
    with FakeServer(lambda args: next(errors, None) or behave(args)) as server:
        findings = read_back(ledger, (server.address,), password=None, give_up_s=5)
    assert findings.nothing_lost
    assert findings.checked == 300


def test_nobody_to_ask_is_not_nothing_lost() -> None:
    """With no node left the acknowledged keys are unread, and that is no clean bill."""
    ledger, store = _promise(500)
    with FakeServer(honest(store), die_after=200) as dying:
        findings = read_back(ledger, (dying.address,), password=None, give_up_s=0.1)
    assert (findings.checked, findings.unread, findings.lost) == (200, 300, 0)
    assert not findings.nothing_lost
