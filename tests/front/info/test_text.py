"""How INFO is spelt."""

import pytest

from trikv.front.info.text import DEFAULT, HEADINGS, chosen, human, info_text, kib, ratio


def test_default_sections_are_those_of_redis() -> None:
    """Command and latency statistics only on demand; unknown words show nothing; words may be combined."""
    assert (
        frozenset(HEADINGS) - {"commandstats", "latencystats"} == DEFAULT == chosen([]) == chosen(["default"])
    )
    assert chosen(["all"]) == chosen(["everything"]) == frozenset(HEADINGS)
    assert chosen(["default", "commandstats"]) == DEFAULT | {"commandstats"}
    assert chosen(["cpu", "nonsense"]) == {"cpu"}
    assert chosen(["nonsense"]) == frozenset()


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0B"), (1023, "1023B"), (1536, "1.50K"), (5 << 30, "5.00G"), (3 << 40, "3.00T")]
)
def test_bytes_for_people(count: int, text: str) -> None:
    """As Redis writes them."""
    assert human(count) == text


def test_small_numbers_in_their_spellings() -> None:
    """KiB with two decimals; nothing of nothing is 0."""
    assert (kib(1536), ratio(1, 4), ratio(0, 0)) == ("1.50", 0.25, 0.0)


def test_only_what_is_wanted_is_asked_and_shown_in_order() -> None:
    """Sections come in Redis' order, an empty line between two; no other is even asked for its fields."""
    asked: list[str] = []

    def section(name: str) -> list[tuple[str, object]]:
        asked.append(name)
        return [("field_of", name), ("number", 7)]

    names = ("raft", "server", "memory")
    sections = {name: lambda name=name: section(name) for name in names}
    assert info_text(sections, ["raft", "server", "keyspace"]) == (
        "# Server\r\nfield_of:server\r\nnumber:7\r\n\r\n# Raft\r\nfield_of:raft\r\nnumber:7\r\n"
    )
    assert asked == ["server", "raft"]
