"""What the commands print, on a terminal of 80 columns."""

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from api.counts import count_text
from api.printing.plan_tables import print_check
from api.printing.retention_tables import print_retention
from api.printing.terminal import print_sales_path


@pytest.mark.parametrize(
    ("count", "words", "text"),
    [
        (0, ("event",), "0 events"),
        (1, ("event",), "1 event"),
        (2000, ("event",), "2,000 events"),
        (1, ("request is", "requests are"), "1 request is"),
        (2, ("request is", "requests are"), "2 requests are"),
    ],
)
def test_a_count_has_its_noun_in_the_right_number(count: int, words: tuple[str, ...], text: str) -> None:
    assert count_text(count, *words) == text


def deviation(kind: str, event_name: str | None, detail: str, **fields: Any) -> dict[str, Any]:
    """A deviation as the API answers it."""
    nothing = {"target": "event", "property": None, "count": 1, "share": None, "close_name": None}
    return nothing | {"kind": kind, "event_name": event_name, "detail": detail} | fields


def test_a_check_of_the_plan_reads_well_in_80_columns() -> None:
    out = Console(width=80, file=StringIO())
    answer = {
        "is_as_planned": False,
        "deviations": [
            deviation("undeclared_event", "TrialStartd", "from analytics-python", close_name="TrialStarted"),
            deviation("missing_property", "TrialStarted", "it is required", property="channel", count=1204, share=0.25),
            deviation("wrong_type", None, "declared number, came as text (7)", target="person", property="grade"),
            deviation(
                "undeclared_property",
                "LessonProgressReported",
                "text, such as 'watched half of it', 'watched all of it'",
                property="how_far_the_child_came",
            ),
        ],
    }

    print_check(out, answer)

    assert isinstance(out.file, StringIO)
    lines = [line.rstrip() for line in out.file.getvalue().splitlines()]
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if line] == [
        " kind                 count  share  event: property",
        " " + "─" * 78,
        " undeclared_event         1         TrialStartd",
        "                                    from analytics-python; did you mean",
        "                                    'TrialStarted'?",
        " missing_property     1,204  25.0%  TrialStarted: channel",
        "                                    it is required",
        " wrong_type               1         (person): grade",
        "                                    declared number, came as text (7)",
        " undeclared_property      1         LessonProgressReported:",
        "                                    how_far_the_child_came",
        "                                    text, such as 'watched half of it',",
        "                                    'watched all of it'",
    ]


@pytest.mark.parametrize("width", [80, 40])
def test_a_sales_path_is_printed_with_every_digit_on_a_narrow_terminal(width: int) -> None:
    out = Console(width=width, file=StringIO())
    stage = {
        "stage_index": 4,
        "stage_name": "project_setup_of_the_teacher",
        "entered": 2_580_001,
        "reached": 2_620_002,
        "conversion_rate": 1.0,
        "step_conversion_rate": 0.695,
        "skipped": 40_003,
        "out_of_order": 30_004,
        "median_time_from_previous_s": 100 * 86_400 + 12 * 3600,
    }

    print_sales_path(out, {"question": {"by": "account", "account_type": "school"}, "rows": [stage]})

    assert isinstance(out.file, StringIO)
    [numbers] = [line for line in out.file.getvalue().splitlines() if "%" in line]
    assert " ".join(numbers.split()).endswith("2,580,001 2,620,002 100.0% 69.5% 40,003 30,004 100 d 12 h")


def test_retention_with_a_value_prints_the_shares_and_the_values() -> None:
    out = Console(width=80, file=StringIO())
    question = {"period_0": "cohort", "mode": "recurring", "interval": "week", "breakdown": None}
    cells = [(0, 1.0, 0), (1, 0.25, 1_240.5)]
    rows = [
        {
            "breakdown": [],
            "cohort_start": "2026-06-01T00:00:00",
            "cohort_size": 1200,
            "period_index": index,
            "first_interval": index,
            "last_interval": index,
            "retention_rate": rate,
            "value": value,
        }
        for index, rate, value in cells
    ]

    print_retention(out, {"question": question | {"value": {"property": "amount", "aggregate": "sum"}}, "rows": rows})

    assert isinstance(out.file, StringIO)
    printed = [" ".join(line.split()) for line in out.file.getvalue().splitlines() if "2026" in line or " of " in line]
    assert printed == [
        "2026-06-01 1,200 25.0%",
        "Sum of amount of those who are counted",
        "2026-06-01 1,200 0 1,240.50",
    ]
