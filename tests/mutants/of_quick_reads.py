"""Mistakes in reads: where they come in, without a call's preparations, or behind in the log."""

from tests.mutants.mutant import Mutant, mutant

MUTANTS: tuple[Mutant, ...] = (
    mutant(
        "a read is answered from the first database",
        "trikv.machine.quick_reads",
        "of_key(databases[question.db], key)",
        "of_key(databases[0], key)",
        "node/test_whole_commands.py::test_every_database_is_served_by_every_node",
    ),
    mutant(
        "a read is answered from the first database: a lone one, by a lease",
        "trikv.machine.quick_reads",
        "of_key(self._databases[question.db], key)",
        "of_key(self._databases[0], key)",
        "machine/test_quick_reads.py::test_a_question_is_about_its_database",
    ),
    mutant(
        "a read answered at once misses a committed entry",
        "trikv.node.consensus.lease_reads",
        "if index is None or applier.position.index < index:",
        "if index is None:",
        "node/consensus/test_lease_reads.py::test_no_read_is_answered_at_once_that_could_miss_something",
    ),
    mutant(
        "a read answered at once without a lease",
        "trikv.node.consensus.lease_reads",
        "index = self._lease_index(now_ms)",
        "index = self._applier.position.index",
        "node/consensus/test_lease_reads.py::test_a_read_is_answered_where_it_comes_in_while_the_lease_holds",
    ),
    mutant(
        "the time of reads answered at once is told again with each",
        "trikv.node.consensus.lease_reads",
        "self._timed_ms, self._timed = now_ms, self.works",
        "self._timed_ms = now_ms",
        "node/consensus/test_lease_reads.py::test_one_read_in_a_millisecond_is_timed_for_all_since_the_last",
    ),
    mutant(
        "a read that is left to the plain way is counted twice",
        "trikv.machine.quick_reads",
        "        except WrongTypeError:\n            return None\n",
        "        except WrongTypeError:\n"
        "            self._account.tally.ran[command.name] += 1\n"
        "            return None\n",
        "machine/values/test_in_machine.py::test_quick_reads_leave_another_type_alone",
    ),
    mutant(
        "a read that is left to the plain way is counted twice: in a row",
        "trikv.machine.quick_reads",
        "            except WrongTypeError:\n                break\n",
        "            except WrongTypeError:\n"
        "                self._account.tally.ran[command.name] += 1\n"
        "                break\n",
        "machine/values/test_in_machine.py::test_quick_reads_leave_another_type_alone",
    ),
    mutant(
        "a read that waited for the log is told that no leader was reached",
        "trikv.node.consensus.driver",
        "            work.failed(self._admission.behind)\n",
        "            work.failed(CLUSTERDOWN)\n",
        "node/consensus/test_read_exchange.py::test_a_read_whose_index_the_log_does_not_reach_is_told_why",
    ),
)
