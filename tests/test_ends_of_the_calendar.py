"""Moments at the ends of the calendar are what people write for an open side: answered, or refused in words."""

from datetime import UTC, datetime
from typing import Any

import pytest

from api.routes.as_of import as_of_parameters
from api.routes.question_types import read_question, types_of
from models.asking import ask
from models.calendar import Calendar, Period
from models.errors import QuestionError
from models.intervals import last_moment, whole_intervals
from models.kinds import kind_named
from tests.worlds import StoryEvent, World, at, world

SHANGHAI, NEW_YORK = Calendar("Asia/Shanghai"), Calendar("America/New_York")
FIRST, LAST = "0001-01-01T00:00:00", "9999-12-31T23:59:59"
PAID: dict[str, Any] = {"any_of": [{"event": "pay"}]}


@pytest.fixture(scope="module")
def school() -> World:
    return world([StoryEvent("mei", "pay", at(0), properties={"until": "2027-01-01"})])


def rows(kind: str, body: dict[str, Any], snapshot: World) -> tuple[Any, ...]:
    asked = kind_named(kind)
    return ask(asked, read_question(types_of(asked), body), snapshot, SHANGHAI).rows


@pytest.mark.parametrize(
    ("op", "moment", "paid"),
    [
        ("gt", f"{FIRST}+10:00", 1),
        ("lt", f"{FIRST}+10:00", 0),
        ("lt", f"{LAST}-10:00", 1),
        ("gt", f"{LAST}-10:00", 0),
    ],
)
def test_a_date_is_after_the_first_and_before_the_last_of_all(school: World, op: str, moment: str, paid: int) -> None:
    body = {"series": [PAID], "interval": None, "where": [{"property": "until", "op": op, "value": moment}]}

    assert [row.value for row in rows("trend", body, school)] == [paid]


@pytest.mark.parametrize("offset", ["", "Z", "+10:00", "-10:00"])
def test_a_period_from_the_first_to_the_last_moment_is_all_time(school: World, offset: str) -> None:
    period = {"start": f"{FIRST}{offset}", "end": f"{LAST}{offset}"}

    [row] = rows("trend", {"series": [PAID], "interval": None, "period": period}, school)

    assert row.value == 1


def test_active_intervals_until_the_first_moment_are_none(school: World) -> None:
    assert rows("stickiness", {"period": {"end": f"{FIRST}Z"}}, school) == ()


def test_an_interval_at_an_end_of_the_calendar_ends_with_it() -> None:
    last = datetime.max  # noqa: DTZ901  # local time
    assert whole_intervals(Period(end=datetime(9999, 12, 31, 23)), "year", SHANGHAI).end == last  # noqa: DTZ001
    assert whole_intervals(Period(end=datetime(9999, 12, 31, 23)), "day", SHANGHAI).end == last  # noqa: DTZ001
    assert NEW_YORK.interval_start(datetime(1, 1, 1, tzinfo=UTC), "year") == datetime(1, 1, 1)  # noqa: DTZ001
    sunday = Calendar("UTC", "sunday")
    assert sunday.interval_start(datetime(1, 1, 1), "week") == datetime(1, 1, 1)  # noqa: DTZ001
    assert last_moment(Period(end=datetime(1, 1, 1, tzinfo=UTC))) == datetime(1, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("period", "timezone"),
    [
        ({"start": f"{FIRST}Z", "end": "0002-01-01"}, "America/New_York"),
        ({"start": "9998-01-01", "end": f"{LAST}Z"}, "Asia/Shanghai"),
    ],
)
def test_an_interval_that_python_cannot_say_is_refused_in_words(
    school: World, period: dict[str, str], timezone: str
) -> None:
    with pytest.raises(QuestionError, match="outside the years 1 to 9999"):
        rows("trend", {"series": [PAID], "interval": "year", "period": period, "timezone": timezone}, school)


def test_there_is_no_period_before_the_first() -> None:
    period = {"start": f"{FIRST}Z", "end": "0002-01-01"}
    body = {"series": [PAID], "period": period, "comparison": {}, "timezone": "America/New_York"}

    with pytest.raises(QuestionError, match="leaves the calendar"):
        read_question(types_of(kind_named("trend")), body)


def test_a_world_as_of_the_first_and_the_last_moment_is_one_of_utc() -> None:
    world_of = as_of_parameters(SHANGHAI)

    found = world_of(datetime(1, 1, 1), datetime.max)  # noqa: DTZ001, DTZ901

    assert found is not None
    assert found.parameters()["happened_at"].startswith("9999-12-31 15:59:59")
    assert found.known_at == datetime(1, 1, 1, tzinfo=UTC)
