"""The matrix of faults as data: for each row which tests run it, and what of it cannot be run here.

Tests of this folder name their row themselves (`pytest.mark.row`); those that stand elsewhere are named here.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Row:
    """One fault."""

    fault: str
    tests: tuple[str, ...] = ()
    """Files, or tests of a file, outside this folder that belong to it."""
    missing: str = ""
    """What of it is not run."""


ROWS: Final = {
    1: Row("kill -9 of each service, at named crash points and at random", missing="SQL cut in the middle is cut by the network (row 9)"),
    2: Row("everything and Postgres killed at once"),
    3: Row("rolling restart under load", ("tests/chassis/test_http_serving.py",)),
    4: Row(
        "an owner that was stopped goes on",
        (
            "tests/journey/test_lane_properties.py",
            "tests/promises/test_handlers_properties.py",
            "tests/chassis/test_progress.py",
            "tests/chassis/test_lane.py",
        ),
    ),
    5: Row(
        "broker: batches refused, killed, silent, acknowledgements lost",
        (
            "tests/chassis/test_relay.py",
            "tests/chassis/test_watchdog.py",
            "tests/chassis/test_consume.py::test_one_lane_that_hangs_ends_the_process_though_the_others_go_on",
        ),
    ),
    6: Row(
        "members join and leave",
        ("tests/chassis/test_consume.py::test_two_consumers_share_the_lanes_and_hand_them_over_without_loss",),
    ),
    7: Row(
        "batches slower than they may be; another program takes the processor",
        (
            "tests/chassis/test_consume.py::test_a_batch_that_takes_longer_than_a_transaction_may_is_halved_until_it_fits",
            "tests/chassis/test_consume.py::test_a_lane_that_takes_long_holds_no_other_one",
        ),
    ),
    8: Row(
        "offsets gone, topic made anew, partitions counted otherwise",
        (
            "tests/chassis/test_consume.py::test_a_position_behind_the_end_of_its_partition_is_refused",
            "tests/chassis/test_consume.py::test_offsets_that_were_removed_before_they_were_read_are_refused",
            "tests/chassis/test_consume.py::test_other_partition_counts_than_at_the_first_start_are_refused",
            "tests/chassis/test_consume.py::test_topics_of_another_clock_are_refused",
            "tests/chassis/test_consume.py::test_a_topic_that_does_not_exist_is_named",
        ),
    ),
    9: Row(
        "Postgres: restarted, killed, frozen, cut off, answers lost, deadlock, no connections, disk full",
        (
            "tests/chassis/test_consume.py::test_a_lane_whose_database_connections_are_cut_takes_up_where_it_stood",
            "tests/chassis/test_http.py::test_every_exception_is_a_problem_that_leaks_nothing",
        ),
    ),
    10: Row(
        "duplicates, conflicts, reordered, late",
        ("tests/journey/test_deduplication.py", "tests/system/test_who_is_whom.py"),
    ),
    11: Row("impossible times", ("tests/journey/test_refusals.py::test_every_time_that_is_accepted_can_be_read_by_those_who_come_after",)),
    12: Row("malformed records", ("tests/journey/test_refusals.py",)),
    13: Row(
        "our own code fails on valid records; a source sends only rubbish",
        (
            "tests/chassis/test_faults.py",
            "tests/journey/test_refusals.py::test_a_deploy_that_fails_on_valid_records_stops_the_lane_and_quarantines_nothing",
        ),
    ),
    14: Row("one customer has 80 % of the traffic"),
    15: Row("a clock jumps", ("tests/journey/test_lane.py::test_a_live_lane_that_runs_ahead_of_our_clock_is_held",)),
    16: Row(
        "daylight saving, time-zone and holiday data",
        ("tests/promises/test_calendar_edges.py", "tests/promises/test_business_time_vectors.py", "tests/promises/test_working_time.py"),
    ),
    17: Row(
        "a backlog, lanes days apart, a barrier that jumps",
        (
            "tests/promises/test_handlers.py::test_a_barrier_that_jumps_fires_everything_in_chunks",
            "tests/promises/test_oracle_stream.py",
            "tests/cli/test_month.py",
        ),
    ),
    18: Row("HTTP: any request, slow clients, what is too large", ("tests/system/test_any_input.py", "tests/security/test_limits.py")),
    19: Row(
        "who may not",
        ("tests/security/test_access.py", "tests/security/test_tokens.py", "tests/security/test_api_keys.py"),
    ),
    20: Row(
        "injection: markup, formulas, SQL, addresses",
        (
            "tests/browser/test_xss.py",
            "tests/chassis/test_csvs.py",
            "tests/security/test_webhook_addresses.py",
            "tests/workbench/test_forms.py",
        ),
    ),
}
