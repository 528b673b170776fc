"""Mistakes in values of many parts: what cuts hold, what is freed, what a document says."""

from tests.mutants.mutant import Mutant, mutant

MUTANTS: tuple[Mutant, ...] = (
    mutant(
        "a write changes a part that a cut holds",
        "trikv.machine.values.value",
        "        if self.owners[place] < self.own_from:\n",
        "        if False:\n",
        "machine/values/test_value.py::test_a_cut_keeps_what_it_saw_and_nothing_is_lost",
    ),
    mutant(
        "a write changes the header that a cut holds",
        "trikv.machine.database",
        "        return value.at_epoch(account.epoch) if account.observers else value.alone()\n",
        "        return value.alone()\n",
        "machine/values/test_in_machine.py::test_two_walks_of_one_value",
    ),
    mutant(
        "a second cut raises no epoch",
        "trikv.machine.account",
        "        self.epoch += 1\n        self.observers.append(observer)\n",
        "        self.epoch += not self.observers\n        self.observers.append(observer)\n",
        "machine/values/test_in_machine.py::test_two_walks_of_one_value",
    ),
    mutant(
        "a deleted value is emptied while it is read",
        "trikv.machine.discarded",
        "        self._parts.append(value.parts.copy())\n",
        "        self._parts.append(value.parts)\n",
        "machine/values/test_in_machine.py::test_a_value_that_is_deleted_while_it_is_walked",
    ),
    mutant(
        "a flushed database frees a value of a million at once",
        "trikv.machine.discarded",
        "            if type(held) is not bytes:\n                self.add_value(value_of(held))\n",
        "            pass\n",
        "machine/values/test_in_machine.py::test_flushed_values_are_freed_part_by_part",
    ),
    mutant(
        "a slice frees any number of long strings",
        "trikv.machine.discarded",
        "1 + len(self._strings.pop()) // KEY_BYTES\n",
        "len([self._strings.pop()])\n",
        "machine/test_discarded.py::test_long_strings_are_freed_by_their_bytes",
    ),
    mutant(
        "an entry frees the long strings that it drops",
        "trikv.machine.database",
        "        if isinstance(value, Value) or made < len(value):\n",
        "        if isinstance(value, Value):\n",
        "machine/test_discarded.py::test_long_strings_are_freed_by_their_bytes",
    ),
    mutant(
        "a pipeline piles up the long strings that it makes and drops",
        "trikv.machine.database",
        "            account.discarded.make_room(grown)\n",
        "            pass\n",
        "machine/test_discarded.py::test_one_entry_does_not_pile_up_what_it_makes_and_drops",
    ),
    mutant(
        "a string of a few kilobytes has one of megabytes freed",
        "trikv.machine.discarded",
        "while strings and len(strings[-1]) <= self._made:\n",
        "while strings and self._made > 0:\n",
        "machine/test_discarded.py::test_making_room_frees_no_more_than_was_made",
    ),
    mutant(
        "a digest keeps the hash of a part that has changed",
        "trikv.machine.values.value",
        "        self.hashes[place] = None\n        part = self.parts[place]\n",
        "        part = self.parts[place]\n",
        "machine/values/test_value.py::test_only_what_changed_is_hashed_again",
    ),
    mutant(
        "a digest does not see the shape",
        "trikv.machine.values.value",
        "_encode((self.type_name, self.shape()))",
        "_encode(self.type_name)",
        "machine/values/test_value.py::test_a_digest_is_of_shape_and_order_too",
    ),
    mutant(
        "a value's growth is not charged",
        "trikv.machine.database",
        "        grown = charges.value(value.charge) - charges.value(value.charged)\n",
        "        grown = 0\n",
        "machine/values/test_in_machine.py::test_memory_usage_and_the_cap",
    ),
    mutant(
        "a document ends in the middle of a value, and is restored",
        "trikv.machine.snapshot",
        "        if value.place + 1 != value.line.parts:\n",
        "        if False:\n",
        "machine/values/test_in_machine.py::test_an_edited_document_is_refused[fewer]",
    ),
    mutant(
        "elements that go on in a second line are a part of their own",
        "trikv.machine.snapshot",
        "            value.elements += elements\n            return\n",
        "            pass\n",
        "machine/values/test_in_machine.py::test_a_part_of_many_lines",
    ),
    mutant(
        "a string command answers another type's value",
        "trikv.machine.database",
        "    if isinstance(value, Value):\n        raise WrongTypeError\n",
        "    if isinstance(value, Value):\n        return b''\n",
        "machine/values/test_in_machine.py::test_a_string_command_on_another_type",
    ),
    mutant(
        "a part that is replaced keeps its hash",
        "trikv.machine.values.value",
        "        self.parts[place] = part\n"
        "        self.owners[place] = self.epoch\n"
        "        self.hashes[place] = None\n",
        "        self.parts[place] = part\n        self.owners[place] = self.epoch\n",
        "machine/values/test_value.py::test_a_part_that_was_split_or_merged_is_hashed_again",
    ),
    mutant(
        "a value gives back what it would be charged now",
        "trikv.machine.stored",
        "        return len(one.value) if isinstance(one.value, bytes) else one.value.charged\n",
        "        return len(one.value) if isinstance(one.value, bytes) else one.value.charge\n",
        "machine/values/test_in_machine.py::test_a_value_that_is_dropped_in_the_middle_of_a_change_leaves_no_charge",
    ),
)
