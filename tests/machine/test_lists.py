"""Lists: elements in an order, at both ends and in between; in one part and in many."""

from tests.machine.dialogue import check, words
from tests.machine.driving import Driver
from trikv.machine.replies import Streamed


def test_both_ends() -> None:
    """Each element of a push is put before or behind the last one; a list goes with its last element."""
    check("""
        RPUSH l a b c -> 3
        LPUSH l x y -> 5
        LRANGE l 0 -1 -> [y x a b c]
        LPUSHX absent a -> 0
        RPUSHX absent a -> 0
        LPUSHX l z -> 6
        RPUSHX l d -> 7
        LPOP l -> z
        RPOP l -> d
        LPOP l 2 -> [y x]
        RPOP l 2 -> [c b]
        LPOP l 0 -> []
        RPOP l 9 -> [a]
        EXISTS l -> 0
        LPOP l -> nil
        LPOP l 2 -> nil
        LPOP l -1 -> ERR value is out of range, must be positive
        LPOP l x -> ERR value is out of range, must be positive
        LPOP l 1 2 -> ERR wrong number of arguments for 'lpop' command
        RPOP l 1 2 -> ERR wrong number of arguments for 'rpop' command
    """)


def test_places() -> None:
    """From 0 on, or from the end on below 0."""
    check("""
        RPUSH l a b c d e -> 5
        LINDEX l 0 -> a
        LINDEX l -1 -> e
        LINDEX l 5 -> nil
        LINDEX l -6 -> nil
        LINDEX l x -> ERR value is not an integer or out of range
        LINDEX absent x -> nil
        LSET l 1 B -> OK
        LSET l -1 E -> OK
        LSET l 5 x -> ERR index out of range
        LSET l x x -> ERR value is not an integer or out of range
        LSET absent 0 x -> ERR no such key
        LRANGE l 1 3 -> [B c d]
        LRANGE l -2 99 -> [d E]
        LRANGE l 3 1 -> []
        LRANGE l x 1 -> ERR value is not an integer or out of range
        LRANGE absent 0 1 -> []
        LLEN l -> 5
        LLEN absent -> 0
        LTRIM l 1 -2 -> OK
        LTRIM l 0 -1 -> OK
        LRANGE l 0 -1 -> [B c d]
        LTRIM l x 1 -> ERR value is not an integer or out of range
        LTRIM absent 0 1 -> OK
        LTRIM l 5 9 -> OK
        EXISTS l -> 0
    """)


def test_elements_in_between() -> None:
    """Put before or behind another one, taken out by what they are, and found."""
    check("""
        RPUSH l a b a c a b -> 6
        LINSERT l BEFORE b x -> 7
        LINSERT l AFTER b y -> 8
        LINSERT l after none y -> -1
        LINSERT absent AFTER b y -> 0
        LINSERT l foo b y -> ERR syntax error
        LRANGE l 0 -1 -> [a x b y a c a b]
        LREM l 1 a -> 1
        LREM l -1 b -> 1
        LREM l 0 a -> 2
        LREM l 0 none -> 0
        LREM absent 0 a -> 0
        LREM l x a -> ERR value is not an integer or out of range
        LRANGE l 0 -1 -> [x b y c]
        LINSERT l AFTER c end -> 5
        LREM l -9 end -> 1
        RPUSH one a -> 1
        LREM one 1 a -> 1
        EXISTS one -> 0
    """)


def test_elements_are_found() -> None:
    """The first, one of a rank, several, from either end, among so many."""
    check("""
        RPUSH l a b c 1 2 3 c c -> 8
        LPOS l c -> 2
        LPOS l c RANK 2 -> 6
        LPOS l c RANK -1 -> 7
        LPOS l c COUNT 2 -> [2 6]
        LPOS l c RANK -1 COUNT 2 -> [7 6]
        LPOS l c COUNT 0 -> [2 6 7]
        LPOS l c RANK 4 -> nil
        LPOS l c RANK 4 COUNT 0 -> []
        LPOS l c MAXLEN 2 -> nil
        LPOS l c rank 2 maxlen 7 -> 6
        LPOS l none -> nil
        LPOS l none COUNT 1 -> []
        LPOS absent c -> nil
        LPOS absent c COUNT 1 -> []
        LPOS l c RANK 0 -> ERR RANK can't be zero: use 1 to start from the first match, 2 from...
        LPOS l c RANK x -> ERR value is not an integer or out of range
        LPOS l c RANK -9223372036854775808 -> ERR value is out of range, value must between...
        LPOS l c COUNT -1 -> ERR COUNT can't be negative
        LPOS l c MAXLEN -1 -> ERR MAXLEN can't be negative
        LPOS l c RANK -> ERR syntax error
        LPOS l c foo 1 -> ERR syntax error
    """)


def test_elements_move() -> None:
    """From an end of one list to an end of another or of the same; of several lists from the first."""
    check("""
        RPUSH a 1 2 3 -> 3
        RPOPLPUSH a b -> 3
        LMOVE a b LEFT RIGHT -> 1
        LMOVE b b left right -> 3
        LRANGE b 0 -1 -> [1 3]
        LMOVE a b RIGHT LEFT -> 2
        EXISTS a -> 0
        LMOVE a b RIGHT LEFT -> nil
        LMOVE a b foo LEFT -> ERR syntax error
        LMOVE a b LEFT foo -> ERR syntax error
        SET s text -> OK
        RPOPLPUSH b s -> WRONGTYPE Operation against a key holding the wrong kind of value
        LLEN b -> 3
        LMPOP 2 a b LEFT -> [b [2]]
        LMPOP 2 a b RIGHT COUNT 5 -> [b [3 1]]
        LMPOP 1 a LEFT -> nil
        LMPOP 0 a LEFT -> ERR numkeys should be greater than 0
        LMPOP x a LEFT -> ERR numkeys should be greater than 0
        LMPOP 1 a foo -> ERR syntax error
        LMPOP 2 a LEFT -> ERR syntax error
        LMPOP 1 a LEFT foo 1 -> ERR syntax error
        LMPOP 1 a LEFT COUNT -> ERR syntax error
        LMPOP 1 a LEFT COUNT 0 foo -> ERR count should be greater than 0
        LMPOP 1 a LEFT COUNT 1 foo -> ERR syntax error
        LMPOP 1 s LEFT -> WRONGTYPE Operation against a key holding the wrong kind of value
    """)


def test_a_long_list_in_the_middle() -> None:
    """Elements of parts that are sealed are set, put, found and taken out as those at the ends are."""
    check("""
        RPUSH l e1..1000 -> 1000
        LINSERT l BEFORE e500 new -> 1001
        LINSERT l AFTER e1000 last -> 1002
        LINSERT l AFTER none x -> -1
        LINDEX l 499 -> new
        LINDEX l -1 -> last
        LSET l 300 other -> OK
        LPOS l other -> 1 rows
        LPOS l e1000 RANK -1 -> 1 rows
        LREM l 0 none -> 0
        LREM l -1 e400 -> 1
        LRANGE l 398 401 -> [e399 e401 e402 e403]
        LRANGE l 298 302 -> [e299 e300 other e302 e303]
        LPOS l e401 -> 1 rows
        LSET l 600 long*20000 -> OK
        LSET l 601 x*20000 -> OK
        LINDEX l 602 -> e603
        LTRIM l 130 -130 -> OK
        LLEN l -> 742
        LINDEX l 0 -> e131
        LINDEX l -1 -> e872
    """)


def test_many_elements_put_at_one_place() -> None:
    """A part in the middle is divided; order and places stay."""
    driver = Driver()
    model = [b"e%d" % number for number in range(600)]
    driver.one([b"RPUSH", b"l", *model])
    for number in range(400):
        model.insert(model.index(b"e300"), b"n%d" % number)
        driver.one(f"LINSERT l BEFORE e300 n{number}")
    assert driver.read("LRANGE l 0 -1") == model
    for at in (0, 299, 300, 500, 699, 700, 999):
        assert driver.read(f"LINDEX l {at}") == model[at]
    assert driver.one("LREM l 0 e300") == 1
    driver.run(*[f"LREM l 1 n{number}" for number in range(400)])
    assert driver.read("LRANGE l 0 -1") == [b"e%d" % number for number in range(600) if number != 300]


def test_long_work_goes_on_in_slices() -> None:
    """Pops of thousands, and a search through all parts, give what they give of a short list."""
    driver = Driver()
    driver.run(
        *[
            [b"RPUSH", b"l", *[b"%d" % number for number in range(at, at + 1000)]]
            for at in range(0, 20_000, 1000)
        ]
    )
    assert driver.one("LREM l 1 19999") == 1
    assert driver.one("LREM l 0 none") == 0
    assert driver.one("LINSERT l BEFORE none x") == -1
    assert driver.one("LINSERT l BEFORE 19990 x") == 20_000
    assert driver.one("LPOP l 1000") == [b"%d" % number for number in range(1000)]
    behind, before = range(19_998, 19_989, -1), range(19_989, 19_399, -1)
    popped = [*(b"%d" % number for number in behind), b"x", *(b"%d" % number for number in before)]
    assert driver.one("LMPOP 1 l RIGHT COUNT 600") == [b"l", popped]
    reply = driver.read("LPOS l 19000")
    assert isinstance(reply, Streamed)
    reply.close()
    assert driver.one("RPOP l 99999") == [b"%d" % number for number in range(19_399, 999, -1)]
    assert driver.one("EXISTS l") == 0


def test_no_room() -> None:
    """Each command that adds is refused before it does anything: to a short list, or one in parts."""
    full = "OOM command not allowed when used memory > 'maxmemory'."
    for count in (5, 300):
        driver = Driver()
        driver.one([b"RPUSH", b"a", *[b"%d" % number for number in range(count)]])
        driver.run("COPY a b", words("RPUSH long x*400"), "COPY a before")
        driver.one(f"CONFIG SET maxmemory {driver.machine.used_memory + 100}")
        for line in (
            "RPUSH a x*400",
            "LPUSH a x*400",
            "RPUSHX a x*400",
            "LSET a 0 x*400",
            "LINSERT a BEFORE 2 x*400",
            "RPOPLPUSH long a",
            "LMOVE long a LEFT RIGHT",
        ):
            check(f"{line} -> {full}", driver)
        assert driver.read("LRANGE a 0 -1") == driver.read("LRANGE before 0 -1")
        check("LLEN long -> 1\nLPOP a -> 0", driver)


def test_all_of_a_kind_are_taken_out() -> None:
    """Whole parts of them, in the middle: what was on both sides is side by side."""
    driver = Driver()
    for element, count in (("x", 150), ("a", 400), ("y", 150)):
        driver.one(f"RPUSH l {' '.join([element] * count)}")
    check("LPOS l y MAXLEN 300 -> nil\nLPOS l x RANK -1 MAXLEN 300 -> nil\nLREM l 0 a -> 400", driver)
    assert driver.read("LRANGE l 0 -1") == [b"x"] * 150 + [b"y"] * 150
    check("LREM l -149 x -> 149\nLREM l 149 y -> 149\nLRANGE l 0 -1 -> [x y]", driver)


def test_another_type() -> None:
    """Each command on a list is refused for a key that holds something else."""
    wrong = "WRONGTYPE Operation against a key holding the wrong kind of value"
    commands = """LPUSH k a|RPUSH k a|LPUSHX k a|RPUSHX k a|LPOP k|RPOP k 2|LLEN k|LINDEX k 0|LSET k 0 a
        LRANGE k 0 1|LTRIM k 0 1|LINSERT k BEFORE a b|LREM k 0 a|LPOS k a|RPOPLPUSH k a|LMOVE k a LEFT LEFT
        LMPOP 1 k LEFT"""
    lines = [f"{line.strip()} -> {wrong}" for line in commands.replace("\n", "|").split("|")]
    check("\n".join(["HSET k f v -> 1", *lines]))
