"""INFO's sections about the process and its clients."""

from tests.front.records import host_record, machine_record, member_figures, node_figures
from trikv.front.connections import Connections
from trikv.front.counters import Counters
from trikv.front.figures import ApplierStatistics, OutflowStatistics
from trikv.front.info import of_process
from trikv.front.runtime_settings import RuntimeSettings
from trikv.machine.replies import CommandError


def test_the_server_tells_how_long_it_runs() -> None:
    """Whole seconds and days, rounded down; the time in microseconds."""
    fields = dict(of_process.server(node_figures(2)))
    assert (fields["uptime_in_seconds"], fields["uptime_in_days"]) == (90_000, 1)
    assert (fields["run_id"], fields["tcp_port"], fields["process_id"]) == ("dd" * 16, "8080", 77)
    assert fields["server_time_usec"] == 1_700_000_000_000_000


def test_clients_are_counted_by_the_register() -> None:
    """Nobody is there: all 0, but for the limits."""
    settings = RuntimeSettings(
        timeout_s=0, typed_timeout_s=0, maxclients=9, requirepass="", input_bytes_max=55
    )
    outflows = OutflowStatistics(long_reads=2, kept_bytes=1_000)
    fields = dict(of_process.clients(Connections(settings).statistics(), outflows, settings.maxclients))
    told = {"maxclients": 9, "input_bytes_max": 55, "long_reads": 2, "long_reads_kept_bytes": 1_000}
    assert {name: value for name, value in fields.items() if value} == told


def test_counts_and_rates() -> None:
    """What is followed shows; what nobody counts yet is 0; a rate is that of the last second or two."""
    counts, sent = Counters(), [0]
    counts.follow("sent_bytes", lambda: sent[0])
    counts.sample(90_060_500)
    sent[0] = 2048
    counts.tally.note_error(CommandError("WRONGPASS no"))
    fields = dict(of_process.stats(host_record(), counts, None))
    assert (fields["total_net_output_bytes"], fields["instantaneous_output_kbps"]) == (2048, "2.00")
    assert (fields["total_net_repl_output_bytes"], fields["sync_full"]) == (0, 0)
    assert (fields["acl_access_denied_auth"], fields["log_lines_dropped"]) == (1, 3)
    assert fields["expired_stale_perc"] == "0.00"


def test_stale_keys_are_those_that_are_due() -> None:
    """In percent of the keys that have a deadline."""
    machine = machine_record(deadlines=8, due=2)
    member = member_figures(
        applier=ApplierStatistics(index=7, memory_peak_bytes=0, inside_ms=None, machine=machine)
    )
    assert dict(of_process.stats(host_record(), Counters(), member))["expired_stale_perc"] == "25.00"


def test_processor_time_has_six_decimals() -> None:
    """As Redis writes it."""
    fields = dict(of_process.cpu(host_record()))
    assert (fields["used_cpu_user"], fields["used_cpu_sys"]) == ("1.500000", "0.250000")
    assert (fields["used_cpu_user_main_thread"], fields["used_cpu_sys_main_thread"]) == (
        "1.000000",
        "0.125000",
    )


def test_commands_and_errors() -> None:
    """By name, in order."""
    counts = Counters()
    counts.tally.answered("PING", b"PONG", 6.0)
    counts.tally.rejected("SET", CommandError("ERR wrong number"))
    assert list(of_process.commandstats(counts)) == [
        ("cmdstat_ping", "calls=1,usec=6,usec_per_call=6.00,rejected_calls=0,failed_calls=0"),
        ("cmdstat_set", "calls=0,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0"),
    ]
    assert list(of_process.errorstats(counts)) == [("errorstat_ERR", "count=1")]
