"""The node as its conversations see it, before and after its log is open."""

from typing import Any

import attrs
import pytest

from tests.node.driver_rig import CONFIG, DeskHost
from tests.node.test_assembly import assembled
from trikv.front.seam import Operation, Save, Work
from trikv.machine.replies import Reply
from trikv.node.assembly import Groundwork, lay_groundwork
from trikv.node.service import NOT_A_MEMBER, Member


def joined(**settings: Any) -> tuple[Groundwork, Member]:
    """A member, and what it stands on."""
    config = attrs.evolve(CONFIG, **settings)
    ground = lay_groundwork(config, DeskHost(), b"secret", stop=lambda: None)
    member = assembled(ground).member
    ground.service.joined(member)
    return ground, member


def read() -> Work:
    """A read that nobody waits for."""
    return Work(0, ((b"GET", b"a"),), (), False, lambda _: None, lambda _: None)


def test_before_the_log_is_open_operations_are_refused_but_never_at_once() -> None:
    """The answer comes by the inbox, as for any command: nobody is called back within his own call."""
    ground = lay_groundwork(CONFIG, DeskHost(), b"secret", stop=lambda: None)
    answers: list[Reply] = []
    ground.service.act(Operation("SAVE", Save(in_background=False), answers.append))
    assert answers == []
    (work,) = ground.inbox.take_at_once()
    assert isinstance(work, Work)
    work.failed(NOT_A_MEMBER)
    assert answers == [NOT_A_MEMBER]
    assert (ground.service.works, ground.service.value_bytes(b"a"), ground.service.cap(5)) == (0, 0, 5)
    with pytest.raises(AssertionError, match="only a member"):
        ground.service.write_token()


def test_a_member_answers_from_its_parts() -> None:
    """Figures, cap and the index of the write that is being answered are the applier's."""
    ground, member = joined()
    service = ground.service
    assert service.figures.member is member.figures
    assert (service.cap(5), service.write_token()) == (0, 2)
    assert service.value_bytes(b"a") == 0
    assert service.boot_us() == 1000 * service.boot_ms()


def test_what_a_lease_does_not_answer_goes_to_the_driver() -> None:
    """A follower has none: the read waits its turn, as without the setting."""
    for settings in ({}, {"reads": "lease"}):
        ground, _ = joined(**settings)
        work = read()
        assert ground.service.submit(work) is None
        assert ground.inbox.take_at_once() == [work]
        assert ground.service.works == 0


def test_connections_are_numbered_from_1() -> None:
    """CLIENT ID counts up, and no number comes twice."""
    ground, _ = joined()
    assert [ground.service.next_connection_id() for _ in range(3)] == [1, 2, 3]
