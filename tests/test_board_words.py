"""What the board writes and draws: languages, durations, rates and the heat map, without a page."""

from datetime import date, datetime, time
from string import Formatter

import pytest

from api.board.charts import draw_heat_map
from api.board.formats import Formats
from api.board.texts import STAGE_LABELS, TEXTS, Language, choose_language
from api.board.triangle import Cohort
from models.retention import RetentionRow


def test_both_languages_say_the_same_things_with_the_same_blanks() -> None:
    def blanks(text: str) -> set[str | None]:
        return {name for _, name, _, _ in Formatter().parse(text) if name is not None}

    english, chinese = ({key: blanks(text) for key, text in texts.items()} for texts in TEXTS.values())
    assert english == chinese
    assert STAGE_LABELS["en"].keys() == STAGE_LABELS["zh"].keys()


@pytest.mark.parametrize(
    ("wanted", "accept_language", "language"),
    [
        (None, "", "en"),
        (None, "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        (None, "en;q=0.5, zh;q=0.7", "zh"),
        (None, "fr, zh;q=0, *;q=0.1", "en"),
        (None, "zh;q=high", "en"),
        ("en", "zh", "en"),
        ("zh-TW", "en", "zh"),
        ("fr", "zh", "zh"),
    ],
)
def test_a_language_is_chosen_by_name_then_by_the_browser(
    wanted: str | None, accept_language: str, language: Language
) -> None:
    assert choose_language(wanted, accept_language) == language


@pytest.mark.parametrize(
    ("value_s", "english", "chinese"),
    [
        (None, "–", "–"),
        (0, "0 s", "0 秒"),
        (45.4, "45 s", "45 秒"),
        (59.7, "1 min", "1 分钟"),
        (3 * 3600 + 59.9 * 60, "4 h", "4 小时"),
        (76 * 3600 + 1700, "3 d 4 h", "3 天 4 小时"),
        (2 * 86_400 + 300, "2 d", "2 天"),
    ],
)
def test_durations_are_written_in_their_two_largest_units(value_s: float | None, english: str, chinese: str) -> None:
    assert Formats("en", "UTC").duration(value_s) == english
    assert Formats("zh", "UTC").duration(value_s) == chinese


def test_a_rounded_rate_never_claims_all_or_nobody() -> None:
    show = Formats("en", "UTC")

    assert [show.whole_rate(rate) for rate in (0, 0.001, 0.123, 0.999, 1, None)] == ["0", "<1", "12", ">99", "100", "–"]
    assert [show.rate(rate) for rate in (0, 0.123, 0.9999, 1, None)] == ["0 %", "12.3 %", "100.0 %", "100 %", "–"]


def retained(start: date, index: int, size: int, count: int, *, is_finished: bool) -> RetentionRow:
    """One cell of a cohort."""
    rate = count / size if size else None
    churn_rate = None if rate is None else 1 - rate
    return RetentionRow(
        breakdown=(),
        cohort_start=datetime.combine(start, time.min),
        cohort_size=size,
        period_index=index,
        first_interval=index,
        last_interval=index,
        retained_count=count,
        retention_rate=rate,
        churned_count=size - count,
        churn_rate=churn_rate,
        average_retention_rate=rate,
        value=None,
        is_finished=is_finished,
    )


def test_the_heat_map_is_a_triangle_that_ends_with_the_newest_week() -> None:
    first, second = datetime(2026, 6, 1).date(), datetime(2026, 6, 8).date()  # noqa: DTZ001  # only the dates matter
    cohorts = (
        Cohort(first, 4, (retained(first, 0, 4, 4, is_finished=True), retained(first, 1, 4, 2, is_finished=False))),
        Cohort(second, 0, (retained(second, 0, 0, 0, is_finished=False),)),
    )

    heat_map = draw_heat_map(cohorts, periods=2)

    assert [(row.cohort_date, row.cohort_size) for row in heat_map.rows] == [(first, 4), (second, 0)]
    assert [[(cell.left, cell.level, cell.is_finished) for cell in row.cells] for row in heat_map.rows] == [
        [(30.0, 5, False)],
        [],
    ]
    assert heat_map.columns == (30.0, 65.0)
