"""Several files, one stream: merged by time, each file in its own order, rewinds applied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trackhub.events import Event, Header, Message, Metrics, Rewind, RunEnded, RunStarted
from trackhub.journal import Follower, JournalWriter, read
from trackhub.journal.following import writer_of
from trackhub.journal.summary import summary
from trackhub.layout import RunFolder


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = RunFolder(tmp_path / "run")
    made.journal.mkdir(parents=True)
    return made


def write(folder: RunFolder, name: str, *events: tuple[float, type[Event], dict[str, Any]]) -> None:
    """Append events of the given times to one file of the journal."""
    writer = JournalWriter(folder.journal / name, Header(trackhub=1, run_id="x"), reopen=True)
    for t, kind, fields in events:
        writer.append(kind, t, **fields)
    writer.close()


def row(t: float, step: int, **metrics: float) -> tuple[float, type[Event], dict[str, Any]]:
    return t, Metrics, {"step": step, "metrics": metrics or {"a": t}}


def times(events: list[Event]) -> list[float]:
    return [event.t for event in events]


def test_files_are_merged_by_time(folder: RunFolder) -> None:
    write(folder, "rank-0.jsonl", row(1, 1), row(3, 2), row(5, 3))
    write(folder, "rank-1.jsonl", row(2, 1), row(4, 2), row(6, 3))
    write(folder, "supervisor.jsonl", row(2.5, 1))
    assert times(list(read(folder))) == [1, 2, 2.5, 3, 4, 5, 6]


def test_within_a_file_the_order_is_its_own_even_if_the_clock_went_back(folder: RunFolder) -> None:
    write(folder, "rank-0.jsonl", row(5, 1), row(1, 2), row(6, 3))
    write(folder, "rank-1.jsonl", row(4, 1), row(7, 2))
    found = list(read(folder))
    assert [event.step for event in found if isinstance(event, Metrics) and event.t in (5, 1, 6)] == [1, 2, 3]
    assert sorted(times(found)) == [1, 4, 5, 6, 7]


def test_more_than_one_chunk_of_several_files_is_merged_in_order(folder: RunFolder) -> None:
    write(folder, "rank-0.jsonl", *(row(2 * step, step, **{"k" * 500: 1}) for step in range(5000)))
    write(folder, "rank-1.jsonl", *(row(2 * step + 1, step) for step in range(5000)))
    assert times(list(read(folder))) == list(range(10_000))


def test_a_follower_sees_files_and_events_that_come_later_once(folder: RunFolder) -> None:
    follower = Follower(folder)
    assert follower.read() == []
    write(folder, "rank-0.jsonl", row(1, 1))
    assert [item.event.t for item in follower.read()] == [1]
    assert follower.read() == []
    write(folder, "rank-0.pid-77.jsonl", row(0.5, 1))
    write(folder, "rank-0.jsonl", row(2, 2))
    assert [item.event.t for item in follower.read()] == [0.5, 2]
    assert follower.read() == []


@pytest.mark.parametrize("stop", [0, 1, 4, 9])
def test_another_follower_goes_on_from_the_positions_of_the_first(folder: RunFolder, stop: int) -> None:
    write(folder, "rank-0.jsonl", *(row(2 * step, step) for step in range(5)))
    write(folder, "rank-1.jsonl", *(row(2 * step + 1, step) for step in range(5)))
    items = Follower(folder).read(stop) if stop else []
    positions = {item.file: item.position for item in items}
    rest = Follower(folder, positions).read()
    assert [item.event.t for item in items + rest] == list(range(10))


def test_a_limit_loses_nothing(folder: RunFolder) -> None:
    write(folder, "rank-0.jsonl", *(row(step, step) for step in range(10)))
    follower, found = Follower(folder), []
    while items := follower.read(3):
        assert len(items) <= 3
        found += [item.event.t for item in items]
    assert found == list(range(10))


def rewound(folder: RunFolder) -> None:
    """Steps 0 to 9, a resume from step 4 with other values, and one more from step 6."""
    write(folder, "rank-0.jsonl", *(row(step, step, a=step) for step in range(10)))
    write(
        folder,
        "rank-0.1.jsonl",
        (20, RunStarted, {"attempt": 1}),
        (20, Rewind, {"step": 4}),
        *(row(20 + step, step, a=100 + step) for step in range(5, 9)),
    )
    write(
        folder,
        "rank-0.2.jsonl",
        (40, RunStarted, {"attempt": 2}),
        (40, Rewind, {"step": 6}),
        *(row(40 + step, step, a=200 + step) for step in range(7, 9)),
    )


def test_the_effective_view_drops_what_a_later_attempt_took_back(folder: RunFolder) -> None:
    rewound(folder)
    values = [event.metrics["a"] for event in read(folder) if isinstance(event, Metrics)]
    assert values == [0, 1, 2, 3, 4, 105, 106, 207, 208]
    assert summary(folder)["a"] == {"last": 208, "min": 0, "max": 208}


def test_the_raw_view_keeps_everything_whatever_the_order(folder: RunFolder) -> None:
    rewound(folder)
    write(folder, "rank-0.pid-5.jsonl", row(99, 9, a=-1))
    values = [event.metrics["a"] for event in read(folder, view="raw") if isinstance(event, Metrics)]
    assert values == [*range(10), *range(105, 109), 207, 208, -1]


def test_other_ranks_and_children_of_an_earlier_attempt_are_taken_back_too(folder: RunFolder) -> None:
    rewound(folder)
    write(folder, "rank-1.jsonl", row(9.5, 3, b=3), row(9.6, 8, b=8))
    write(folder, "rank-0.pid-5.jsonl", row(99, 9, b=9))
    write(folder, "rank-1.1.jsonl", row(30, 6, b=106), row(31, 8, b=108))
    values = [event.metrics["b"] for event in read(folder) if isinstance(event, Metrics) and "b" in event.metrics]
    assert values == [3, 106]


def test_messages_and_system_metrics_are_never_taken_back(folder: RunFolder) -> None:
    rewound(folder)
    write(folder, "rank-0.pid-6.jsonl", (9.7, Message, {"text": "said"}))
    write(folder, "supervisor.jsonl", row(9.8, 9, s=1))
    found = list(read(folder))
    assert any(isinstance(event, Message) for event in found)
    assert any("s" in event.metrics for event in found if isinstance(event, Metrics))


def test_a_follower_that_starts_before_the_resume_drops_what_it_has_not_given_yet(folder: RunFolder) -> None:
    write(folder, "rank-0.jsonl", *(row(step, step) for step in range(10)))
    follower = Follower(folder)
    assert len(follower.read(5)) == 5
    write(folder, "rank-0.1.jsonl", (4.5, Rewind, {"step": 6}), row(20, 7, a=107))
    steps = [item.event.step for item in follower.read() if isinstance(item.event, Metrics)]
    assert steps in ([5, 6, 7], [5, 6, 7, 8, 9, 7])


def test_nonfinite_values_and_escaped_keys_come_out_as_they_were_logged(folder: RunFolder) -> None:
    import math

    write(
        folder,
        "rank-0.jsonl",
        (1, Metrics, {"step": 0, "metrics": {"a": "NaN", "surrogate-escaped:\\ud800": "-Infinity"}}),
    )
    (event,) = read(folder)
    assert isinstance(event, Metrics)
    assert math.isnan(float(event.metrics["a"]))
    assert event.metrics["\ud800"] == -math.inf


def test_broken_lines_and_newer_kinds_are_counted_over_all_files(folder: RunFolder) -> None:
    for name in ("rank-0.jsonl", "rank-1.jsonl"):
        write(folder, name, row(1, 1))
        with (folder.journal / name).open("ab") as file:
            file.write(b'junk\n{"kind":"hologram","n":9,"t":1.0}\n')
    follower = Follower(folder)
    assert len(follower.read()) == 2
    assert (follower.broken, follower.unknown) == (2, 2)


def test_what_changed_behind_a_position_is_named(folder: RunFolder) -> None:
    write(folder, "rank-0.jsonl", *(row(step, step) for step in range(10)))
    write(folder, "rank-1.jsonl", row(1, 1))
    positions = {item.file: item.position for item in Follower(folder).read()}
    assert Follower(folder, positions).mismatches() == []
    file = folder.journal / "rank-0.jsonl"
    file.write_bytes(file.read_bytes()[:-20])
    assert Follower(folder, positions).mismatches() == ["rank-0.jsonl"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rank-0.jsonl", (0, 0)),
        ("rank-12.3.jsonl", (12, 3)),
        ("rank-1.pid-99.jsonl", (1, 0)),
        ("rank-1.2.pid-99.jsonl", (1, 2)),
        ("supervisor.jsonl", (0, 0)),
    ],
)
def test_a_file_s_name_says_who_wrote_it(name: str, expected: tuple[int, int]) -> None:
    assert writer_of(name) == expected


@pytest.mark.parametrize(("rank", "attempt", "pid"), [(0, 0, None), (3, 0, None), (3, 2, None), (0, 1, 77), (2, 0, 5)])
def test_the_names_that_are_written_are_the_names_that_are_read(rank: int, attempt: int, pid: int | None) -> None:
    path = RunFolder("x").rank_journal(rank, attempt, pid)
    assert writer_of(path.name) == (rank, attempt)


def test_the_summary_counts_nan_as_last_but_never_as_min_or_max(folder: RunFolder) -> None:
    values = ("NaN", 3.0, "NaN", 1.0, 2.0, "NaN")
    write(folder, "rank-0.jsonl", *((t, Metrics, {"step": t, "metrics": {"a": v}}) for t, v in enumerate(values)))
    found = summary(folder)["a"]
    assert found["last"] != found["last"]
    assert (found["min"], found["max"]) == (1.0, 3.0)


def test_a_run_ends_with_the_word_of_its_latest_attempt_however_long_its_reason_is(folder: RunFolder) -> None:
    from trackhub.journal.state import ended, says_ended

    reason = "\0" * 2000
    write(folder, "rank-0.jsonl", row(1, 1), (2, RunEnded, {"status": "failed", "reason": reason}))
    end = ended(folder)
    assert end is not None
    assert (end.status, end.reason) == ("failed", reason)
    assert says_ended(folder.rank_journal(0))


def test_the_last_step_is_known_also_behind_a_row_of_a_megabyte(folder: RunFolder) -> None:
    from trackhub.journal.state import state

    write(folder, "rank-0.jsonl", row(1, 41, **{f"layer.{number}/norm": 1.0 for number in range(50_000)}))
    assert state(folder).last_step == 41


def test_the_last_step_of_an_attempt_that_logged_nothing_is_that_of_the_one_before_or_of_its_rewind(
    folder: RunFolder,
) -> None:
    from trackhub.journal.state import state

    write(folder, "rank-0.jsonl", *(row(step, step) for step in range(10)))
    write(folder, "rank-0.1.jsonl", (20, RunStarted, {"attempt": 1}))
    assert state(folder).last_step == 9
    write(folder, "rank-0.2.jsonl", (30, RunStarted, {"attempt": 2}), (30, Rewind, {"step": 4}))
    assert state(folder).last_step == 4
