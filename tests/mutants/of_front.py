"""Mistakes in conversations: the order of replies, turns, the weighing of input that waits."""

from tests.mutants.mutant import Mutant, mutant

CONVERSATIONS: tuple[Mutant, ...] = (
    mutant(
        "what was looked at of a line counts for the next one, if another way has read it",
        "trikv.protocol.arrays",
        "        del buffer[:count]\n        self._looked = 0\n",
        "        del buffer[:count]\n",
        "protocol/test_requests.py::test_where_the_network_cuts_requests_decides_nothing",
    ),
    mutant(
        "a value made long in the same step is copied as if it were short",
        "trikv.front.intake",
        "            turn.made_bytes += route.made_bytes(self.caller, args)\n",
        "",
        "front/test_long_values.py::test_what_a_command_makes_long_counts_for_those_behind_it[offset]",
    ),
    mutant(
        "a renamed value is copied as if it were short",
        "trikv.front.dispatch",
        "        if self.moves_value:\n",
        "        if False:\n",
        "front/test_long_values.py::test_what_a_command_makes_long_counts_for_those_behind_it[renamed]",
    ),
    mutant(
        "what an offset makes costs nothing itself",
        "trikv.front.dispatch",
        "self._value_bytes(caller, args) + self.command.more_bytes(args)",
        "self._value_bytes(caller, args)",
        "front/test_long_values.py::test_a_pipeline_of_new_long_values_is_carried_out_in_short_steps",
    ),
    mutant(
        "a transaction does not see what its own turn has made long before it",
        "trikv.front.intake",
        "            before_bytes = turn.argument_bytes() + turn.made_bytes\n",
        "            before_bytes = 0\n",
        "front/test_long_values.py::test_what_came_before_multi_counts_inside",
    ),
    mutant(
        "a range that is answered costs nothing",
        "trikv.front.dispatch",
        "        if copied is not None:\n",
        "        if False:\n",
        "front/test_long_values.py::test_ranges_that_are_answered_cost_what_they_copy",
    ),
    mutant(
        "reply order swapped inside a pipeline",
        "trikv.front.conversation",
        "encode_many(replies, self.connection.resp_version)",
        "encode_many(replies[::-1], self.connection.resp_version)",
        "front/test_order.py::test_a_pipeline_of_the_machines_commands_alone_is_answered_in_order",
    ),
    mutant(
        "reply order swapped inside a pipeline: between the node's and the machine's",
        "trikv.front.turn",
        "                case Local():\n                    yield _evaluate",
        "                case Local() if step < len(answered):\n"
        "                    yield answered[step], slot.typed, slot.args\n"
        "                case Local():\n                    yield _evaluate",
        "front/test_conversation.py::test_a_pipeline_is_answered_in_order_by_one_send",
    ),
    mutant(
        "MULTI split over two entries",
        "trikv.front.intake",
        "        elif self.caller.transactions.open and not route.acts_inside:\n",
        "        elif (\n"
        "            self.caller.transactions.open\n"
        "            and not route.acts_inside\n"
        "            and self.caller.transactions.argument_bytes < self._limits.turn_bytes_max\n"
        "        ):\n",
        "front/test_order.py::test_a_transaction_longer_than_a_turn_is_still_one_step_of_one_work",
    ),
    mutant(
        "an EXEC in the pipeline of its WATCH does not know the versions",
        "trikv.front.commands.transactions",
        "partial(_watched, caller, request.args), cuts=True)",
        "partial(_watched, caller, request.args))",
        "front/test_transaction.py::test_watch_and_exec_in_one_pipeline",
    ),
    mutant(
        "who was ended for its output is never forgotten",
        "trikv.front.connections",
        "        self._ending.pop(connection.id, None)\n",
        "",
        "front/test_connections.py::test_who_was_ended_for_its_output_and_has_gone_is_kept_nowhere",
    ),
)

WAITING: tuple[Mutant, ...] = (
    mutant(
        "whole requests behind a full turn are not weighed",
        "trikv.front.intake",
        "self._bytes.unfinished or not self._bytes.drained or self._pushed_back",
        "self._bytes.unfinished or self._pushed_back",
        "front/test_input_limits.py::test_whole_requests_behind_a_full_turn_are_counted",
    ),
    mutant(
        "a request that was pushed back is not weighed",
        "trikv.front.intake",
        "self._bytes.unfinished or not self._bytes.drained or self._pushed_back is not None",
        "self._bytes.unfinished or not self._bytes.drained",
        "front/test_input_limits.py::test_a_request_that_was_pushed_back_is_counted",
    ),
    mutant(
        "watched keys are not weighed while requests follow",
        "trikv.front.conversation",
        " or transactions.open or transactions.watched_count:\n",
        " or transactions.open:\n",
        "front/test_input_limits.py::test_watched_keys_are_counted_though_a_request_follows",
    ),
)

LAST_WORDS: tuple[Mutant, ...] = (
    mutant(
        "an interrupted WAIT calls an acknowledged write unknown",
        "trikv.front.conversation",
        "lost = _LOST_WRITE if self._operation.asked.writes else _LOST_READ",
        "lost = _LOST_WRITE",
        "front/test_connections.py::test_an_operation_without_an_answer_tells_whether_it_may_have_left_something",
    ),
)

AS_REDIS: tuple[Mutant, ...] = (
    mutant(
        "whoever waits for this node's own work counts as blocked",
        "trikv.front.conversation_figures",
        "None if self._operation is None else self._operation.asked.blocked_ms",
        "None if self._operation is None else self._operation.asked.blocked_ms or 0",
        "front/commands/test_operations.py"
        "::test_who_waits_for_others_is_blocked_and_who_waits_for_this_node_is_not",
    ),
    mutant(
        "a wait without a limit is in the table of time-outs",
        "trikv.front.connections",
        "            blocked_for_a_time += bool(blocked_ms)\n",
        "            blocked_for_a_time += blocked_ms is not None\n",
        "front/commands/test_operations.py"
        "::test_who_waits_for_others_is_blocked_and_who_waits_for_this_node_is_not",
    ),
    mutant(
        "a version of HELLO may have zeros in front",
        "trikv.front.commands.connection",
        "        wanted = parse_integer(args[0])\n",
        "        wanted = int(args[0]) if args[0].isdigit() else None\n",
        "front/test_against_redis.py::test_every_integer_is_read_as_redis_reads_it[HELLO #]",
    ),
    mutant(
        "SHUTDOWN ABORT stops the node",
        "trikv.front.commands.operations",
        '    if words == {b"ABORT"}:\n',
        '    if words == {b"ABORT"}:\n        return Shutdown()\n    if words == {b"ABORT", b"NOW"}:\n',
        "front/commands/test_operations.py::test_words_that_stop_no_node[abort-ERR No shutdown in progress.]",
    ),
)

MUTANTS = CONVERSATIONS + WAITING + LAST_WORDS + AS_REDIS
