"""The language of the scenario files: a verb a line, and under it what the group did.

    # A comment stands before the verb it explains.
    propose 1 aa
    ----
    1 job 3: entries 2/1
    1 to 2: AppendEntries t1 prev 1/1 commit 1 entries 2/1

Verbs that do one thing show what left the nodes. Verbs that do much (elect, flow, run) show the nodes' state
after it. The output is compared literally. TRIKV_REWRITE=1 writes it again; read the difference then.

    cluster voters=3 [blank=1] [limit=value …]   a group; limits are those of RaftSettings
    elect N [among A B …] [hops=H]               N asks until it leads; 4 hops leave its no-op undelivered
    flow [among A B …] [hops=H]                  deliver and write until quiet
    run MS [among A B …]                         the same, while time passes
    sleep MS                                     time passes, nobody looks
    drift N PERCENT                              from now on N's clock runs at so much of true speed
    tick N | write N [JOBS] | propose N TEXT | read N [lease] | transfer N TO | stepdown N
    lease N                                      where N would serve a read by its lease
    deliver FROM TO KIND | copy FROM TO KIND     the oldest such letter; `copy` leaves it in the soup
    drop FROM TO [KIND] | hold FROM TO [KIND]    lose all such letters; or set them aside
    release                                      put what was held back into the soup
    link N PEER up|down                          what N hears of its link to PEER
    crash N | restart N | swap N GENERATION      `swap`: back with a blank disk
    member N add|promote|demote|remove X         ask N for a change of members
    snapshot N                                   take one, and compact the log behind it
    log N | show                                 entries (index/term) in memory and on disk | where all stand
"""

from collections.abc import Callable, Iterator

import attrs

from tests.raft.cluster import Cluster, Letter, Snapshot, membership_of
from trikv.raft.messages import AppendEntries, Message
from trikv.raft.ready import Ready, WriteJob
from trikv.raft.settings import RaftSettings
from trikv.raft.types import Entry, Member, Membership


def _entries(entries: tuple[Entry, ...] | list[Entry]) -> str:
    return " ".join(f"{entry.index}/{entry.term}" for entry in entries)


def _message(message: Message) -> str:
    fields = {name: getattr(message, name) for name in message.__struct_fields__ if name != "wall_ms"}
    term = fields.pop("term")
    if isinstance(message, AppendEntries):
        text = f"prev {message.prev_index}/{message.prev_term} commit {message.commit}"
        text += f" entries {_entries(message.entries)}" if message.entries else ""
    else:
        text = " ".join(f"{name} {value}" for name, value in fields.items())
    return f"{type(message).__name__} t{term} {text}".rstrip()


def _job(job: WriteJob) -> str:
    parts = []
    if job.reset is not None:
        parts.append(f"reset {job.reset.index}/{job.reset.term}")
    if job.truncate_from is not None:
        parts.append(f"truncate {job.truncate_from}")
    if job.entries:
        parts.append(f"entries {_entries(job.entries)}")
    if job.hard_state is not None:
        vote = job.hard_state.vote
        parts.append(f"term {job.hard_state.term} vote {'none' if vote is None else vote[0]}")
    return f"job {job.number}: " + ", ".join(parts)


def _ready(node: int, ready: Ready) -> Iterator[str]:
    if ready.job is not None:
        yield f"{node} {_job(ready.job)}"
    for to, message in ready.messages:
        yield f"{node} to {to}: {_message(message)}"
    if ready.committed:
        yield f"{node} commits {_entries(ready.committed)}"
    for read in ready.reads:
        yield f"{node} read {read.read.counter} at {read.index}"
    if ready.install is not None:
        yield f"{node} installs {ready.install.index}/{ready.install.term}"
    for peer in ready.snapshots_wanted:
        yield f"{node} snapshot to {peer}"


@attrs.define
class Line:
    """One verb, taken apart: words, options (k=v) and the nodes after `among`."""

    words: list[str]
    options: dict[str, int]
    among: frozenset[int] | None

    @classmethod
    def parse(cls, text: str) -> "Line":
        """Read a line of a scenario."""
        head, _, tail = text.partition(" among ")
        words, options = [], {}
        for word in f"{head} {' '.join(w for w in tail.split() if '=' in w)}".split():
            key, equals, value = word.partition("=")
            if equals:
                options[key] = int(value)
            else:
                words.append(word)
        nodes = frozenset(int(word) for word in tail.split() if "=" not in word)
        return cls(words, options, nodes or None)


class Scenario:
    """Runs the verbs of one file."""

    def __init__(self) -> None:
        self.group = Cluster(1)
        self.aside: list[Letter] = []
        self.shown: dict[int, int] = {}

    def run(self, text: str) -> list[str]:
        """Carry out one line; what it shows."""
        line = Line.parse(text)
        verb = line.words[0]
        handler: Callable[[Line], list[str] | None] = getattr(self, f"do_{verb}")
        shown = handler(line)
        events = list(self.events())
        if verb in {"elect", "flow", "run", "cluster", "restart", "swap"}:
            return self.do_show(line)
        return (shown or []) + events or ["nothing"]

    def events(self) -> Iterator[str]:
        """What the nodes have done since the last call."""
        for node in self.group.nodes.values():
            for ready in node.log:
                yield from _ready(node.id, ready)
            node.log.clear()

    def matching(self, line: Line) -> list[Letter]:
        """Letters FROM TO [KIND]."""
        sender, to = int(line.words[1]), int(line.words[2])
        kind = line.words[3] if len(line.words) > 3 else None
        return [
            letter
            for letter in self.group.soup
            if (letter.sender, letter.to) == (sender, to) and kind in (None, type(letter.content).__name__)
        ]

    def do_cluster(self, line: Line) -> None:
        """Start a group."""
        voters, blank = line.options.pop("voters"), line.options.pop("blank", 0)
        self.group = Cluster(
            voters,
            settings=RaftSettings(**line.options),
            blank=tuple(range(voters + 1, voters + 1 + blank)),
        )

    def do_elect(self, line: Line) -> None:
        """An election."""
        self.group.elect(int(line.words[1]), line.among, line.options.get("hops", 100))

    def do_flow(self, line: Line) -> None:
        """Good weather."""
        self.group.flow(line.among, line.options.get("hops", 100))

    def do_run(self, line: Line) -> None:
        """Time passes, in good weather."""
        self.group.run(int(line.words[1]), line.among)

    def do_sleep(self, line: Line) -> None:
        """Time passes."""
        self.group.now_ms += int(line.words[1])

    def do_drift(self, line: Line) -> None:
        """A clock that runs wrong."""
        self.group.drift(int(line.words[1]), int(line.words[2]))

    def do_tick(self, line: Line) -> None:
        """Timers."""
        self.group.tick(int(line.words[1]))

    def do_write(self, line: Line) -> None:
        """Syncs return."""
        self.group.write(int(line.words[1]), int(line.words[2]) if len(line.words) > 2 else 1_000)

    def do_propose(self, line: Line) -> list[str]:
        """A proposal."""
        index = self.group.propose(int(line.words[1]), line.words[2].encode())
        return [] if index else ["refused"]

    def do_read(self, line: Line) -> list[str]:
        """A read."""
        by_lease = line.words[2:] == ["lease"]
        return [] if self.group.read(int(line.words[1]), by_lease=by_lease) else ["refused"]

    def do_lease(self, line: Line) -> list[str]:
        """A look at a lease."""
        node = int(line.words[1])
        index = self.group.lease_index(node)
        return [f"{node} no lease" if index is None else f"{node} lease at {index}"]

    def do_transfer(self, line: Line) -> list[str]:
        """A transfer of leadership."""
        node = int(line.words[1])
        accepted = self.group.turn(node).transfer(int(line.words[2]))
        self.group.settle(node)
        return [] if accepted else ["refused"]

    def do_link(self, line: Line) -> None:
        """A link breaks or comes up."""
        node = int(line.words[1])
        raft = self.group.turn(node)
        (raft.reachable if line.words[3] == "up" else raft.unreachable)(int(line.words[2]))
        self.group.settle(node)

    def do_stepdown(self, line: Line) -> None:
        """A leader with a full disk."""
        node = int(line.words[1])
        self.group.turn(node).step_down()
        self.group.settle(node)

    def do_deliver(self, line: Line) -> list[str]:
        """The oldest matching letter arrives."""
        letters = self.matching(line)
        self.group.soup = [letter for letter in self.group.soup if letter not in letters[:1]]
        return self.do_arrive(letters)

    def do_copy(self, line: Line) -> list[str]:
        """It arrives, and will again."""
        return self.do_arrive(self.matching(line))

    def do_arrive(self, letters: list[Letter]) -> list[str]:
        """The first of these letters arrives."""
        for letter in letters[:1]:
            self.group.deliver(letter)
        return [] if letters else ["no such letter"]

    def do_drop(self, line: Line) -> None:
        """All matching letters are lost."""
        for letter in self.matching(line):
            self.group.soup.remove(letter)
            self.group.drop(letter)

    def do_hold(self, line: Line) -> None:
        """All matching letters are delayed."""
        letters = self.matching(line)
        self.aside += letters
        self.group.soup = [letter for letter in self.group.soup if letter not in letters]

    def do_release(self, line: Line) -> None:
        """Delayed letters travel on."""
        del line
        self.group.soup += self.aside
        self.aside = []

    def do_crash(self, line: Line) -> None:
        """Power off."""
        self.group.crash(int(line.words[1]))

    def do_restart(self, line: Line) -> None:
        """Power on."""
        self.group.restart(int(line.words[1]))

    def do_swap(self, line: Line) -> None:
        """A blank disk under an old id."""
        self.group.swap_disk(int(line.words[1]), int(line.words[2]))

    def do_member(self, line: Line) -> list[str]:
        """A change of members."""
        node, what, whom = int(line.words[1]), line.words[2], int(line.words[3])
        raft = self.group.turn(node)
        members = [member for member in raft.membership.members if member.id != whom]
        if what != "remove":
            (member,) = membership_of(whom).members
            disk = self.group.nodes[whom].disk
            members.append(Member(whom, disk, what == "promote", member.address))
        index = raft.propose_membership(Membership(tuple(sorted(members, key=lambda m: m.id))))
        self.group.settle(node)
        return [] if index else ["refused"]

    def do_snapshot(self, line: Line) -> None:
        """A snapshot, and the log behind it dropped."""
        node = int(line.words[1])
        self.group.take_snapshot(node)
        self.group.compact(node)

    def do_log(self, line: Line) -> list[str]:
        """One node's entries."""
        node = self.group.nodes[int(line.words[1])]
        raft = node.raft
        memory = _entries(raft.entries_between(raft.first_index, raft.last_index))
        return [f"memory {memory}".rstrip(), f"disk {_entries(node.entries)}".rstrip()]

    def do_soup(self, line: Line) -> list[str]:
        """Letters on their way."""
        del line
        return [
            f"{letter.sender} to {letter.to}: "
            + ("snapshot" if isinstance(letter.content, Snapshot) else _message(letter.content))
            for letter in self.group.soup
        ]

    def do_show(self, line: Line) -> list[str]:
        """Where the nodes stand."""
        del line
        lines = []
        for node in self.group.nodes.values():
            raft = node.raft
            members = " ".join(
                f"{member.id}{'' if member.voter else '(learner)'}" for member in raft.membership.members
            )
            lines.append(
                f"{node.id} {raft.role.name.lower() if node.up else 'down'} t{raft.term}"
                f" last {raft.last_index}/{raft.last_term} durable {raft.durable_index}"
                f" commit {raft.commit} members {members}".rstrip()
            )
        return lines
