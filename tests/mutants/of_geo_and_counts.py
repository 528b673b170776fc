"""Mistakes in what is estimated, in places on the earth, and in sorting."""

from tests.mutants.mutant import Mutant, mutant

_COUNTS = "machine/test_hyperloglogs.py"
_GEO = "machine/test_geo.py"
_SORTING = "machine/test_sorting.py"

MUTANTS: tuple[Mutant, ...] = (
    mutant(
        "a count that is known stays so when registers have changed",
        "trikv.machine.hyperloglog",
        "bytes((value[last] | _OUTDATED,))",
        "bytes((value[last],))",
        f"{_COUNTS}::test_a_value_is_a_string",
    ),
    mutant(
        "a read writes: the count of a HyperLogLog is not looked for in its registers",
        "trikv.machine.hyperloglog",
        "    if value[HEADER_BYTES - 1] & _OUTDATED:\n",
        "    if False:\n",
        f"{_COUNTS}::test_elements_are_counted",
    ),
    mutant(
        "a register's value is one too small",
        "trikv.machine.hyperloglog",
        "(rank_bits & -rank_bits).bit_length()\n",
        "(rank_bits & -rank_bits).bit_length() - 1\n",
        f"{_COUNTS}::test_bytes_and_counts_are_those_of_a_naive_model",
    ),
    mutant(
        "neighbours of one value stay apart",
        "trikv.machine.sparse_registers",
        "        self._join(max(place - 1, 0))\n",
        "        self._join(place)\n",
        f"{_COUNTS}::test_neighbours_become_one",
    ),
    mutant(
        "of two registers the lesser is kept",
        "trikv.machine.registers",
        "(second ^ (first ^ second) & of_first)",
        "(first ^ (first ^ second) & of_first)",
        f"{_COUNTS}::test_registers_are_packed_by_six_bits",
    ),
    mutant(
        "corrupted runs are counted as they are",
        "trikv.machine.sparse_registers",
        '    if left:\n        raise CorruptedError\n    return b"".join(pieces)\n',
        '    return b"".join(pieces).ljust(REGISTERS, b"\\0")[:REGISTERS]\n',
        f"{_COUNTS}::test_runs_that_are_too_few_or_too_many_are_corrupted",
    ),
    mutant(
        "a geohash is rounded to the nearest cell",
        "trikv.machine.geohash",
        "    return Cell(int(of_latitude * count), int(of_longitude * count), step)\n",
        "    return Cell(round(of_latitude * count), round(of_longitude * count), step)\n",
        f"{_GEO}::test_places_are_scores",
    ),
    mutant(
        "distances are those of the machine's library",
        "trikv.machine.great_circle",
        "from trikv.machine.trigonometry import PI, arcsine, cosine, sine\n",
        "from math import asin as arcsine, cos as cosine, sin as sine\n"
        "from trikv.machine.trigonometry import PI\n",
        f"{_GEO}::test_the_last_digit_of_a_distance_is_no_librarys",
    ),
    mutant(
        "a search looks at its own cell alone",
        "trikv.machine.great_circle",
        "    for north, east in sides:\n",
        "    for north, east in sides[:1]:\n",
        f"{_GEO}::test_searches_by_circle_and_by_box",
    ),
    mutant(
        "the farthest come first in the order of the nearest",
        "trikv.machine.commands.geo_search",
        "[(member, asked.order * distance) for member, _, distance in some]",
        "[(member, distance) for member, _, distance in some]",
        f"{_GEO}::test_searches_by_circle_and_by_box",
    ),
    mutant(
        "elements of one number stay as they come",
        "trikv.machine.commands.sorting",
        "zip(weights, some, places, some, strict=True)",
        "zip(weights, places, some, strict=True)",
        f"{_SORTING}::test_elements_that_are_alike_keep_an_order",
    ),
    mutant(
        "elements of one text are turned round with the order",
        "trikv.machine.commands.sorting",
        "                sign = -1 if self._asked.is_descending else 1\n",
        "                sign = 1\n",
        f"{_SORTING}::test_elements_that_are_alike_keep_an_order",
    ),
    mutant(
        "a long sort looks at other keys as they are by now",
        "trikv.machine.commands.sorting",
        "        return self._shown(partial(cut.find, self._db))\n",
        "        return self._shown(self._db.find)\n",
        f"{_SORTING}::test_long_sorts_by_other_keys_look_at_one_instant",
    ),
    mutant(
        "what SORT cannot take for a number is a bug of the node",
        "trikv.machine.evaluation",
        "        if isinstance(problem, RefusedError):\n            return problem.error\n",
        "",
        f"{_SORTING}::test_what_is_no_number_is_said_at_the_end_of_weighing",
    ),
)
