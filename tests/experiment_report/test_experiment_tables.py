from __future__ import annotations

import io

from rich.console import Console

from arttl.experiment_report.tables import ReportTable

TABLE = ReportTable(
    "t",
    "Table 1: a collection, in per cent",
    ("task", "network", "majority", "frozen: theirs", "frozen: ours", "tuned: theirs", "tuned: ours", "X"),
    (
        (
            "material",
            "tf_efficientnet_lite0",
            "35.7",
            "71.23",
            "98.3 (95.8–100.0)",
            "91.3",
            "no weights here",
            "512",
        ),
        (
            "artist",
            "keras_xception",
            "85.7",
            "",
            "85.8 (80.0–91.7)",
            "",
            "95.0 (90.8–98.3) [94.0–96.0]",
            "2,048",
        ),
    ),
    ("Ours: the mean.",),
    names=2,
)


def printed(table: ReportTable, width: int) -> str:
    file = io.StringIO()
    Console(file=file, width=width, highlight=False).print(*table.to_rich(width), sep="\n")
    return file.getvalue()


def test_a_wide_terminal_shows_one_table() -> None:
    shown = printed(TABLE, 160)
    assert shown.count("tf_efficientnet_lite0") == 1 and "frozen: theirs" in shown
    assert all(cell in shown for row in TABLE.rows for cell in row)


def test_a_narrow_one_shows_a_table_a_group_and_cuts_nothing() -> None:
    shown = printed(TABLE, 80)
    assert max(map(len, shown.splitlines())) <= 80 and "…" not in shown
    assert shown.count("tf_efficientnet_lite0") == 3 and shown.count("Ours: the mean.") == 1
    assert [line for line in shown.splitlines() if line.startswith("Table 1")] == [
        TABLE.title,
        f"{TABLE.title}: frozen",
        f"{TABLE.title}: tuned",
    ]
    assert all(cell in shown for row in TABLE.rows for cell in row)


def test_a_very_narrow_one_leaves_out_intervals() -> None:
    shown = printed(TABLE, 50)
    assert "98.3" in shown and "95.8" not in shown and max(map(len, shown.splitlines())) <= 50


def test_no_rows_is_no_error() -> None:
    assert "nothing" in printed(ReportTable("t", "nothing", ("a", "b"), ()), 80)
