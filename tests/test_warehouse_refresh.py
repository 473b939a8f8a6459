"""Refreshing the marts: only touched days are computed anew, and the result is what a full rebuild would give."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ingest.account_acts import ADD_MEMBER, END_MEMBER
from ingest.record import Act, Request
from tests.account_stories import member, merge, unmerge
from tests.stories import (
    NOON,
    NOON_US,
    SECOND_US,
    STAGES,
    StoryLog,
    contents,
    device,
    event,
    loader_of,
    login,
    native,
    new_warehouse,
    retraction,
    rows,
)
from warehouse.reader import EventProperty
from warehouse.refresh import RefreshReport, has_touched, refresh_marts

MARTS = ("daily_activity", "sales_path_daily", "acquisition_daily")
ENTERED = """
    select cast(event_date as varchar), entered_count
    from sales_path_daily
    where subject_kind = $kind and stage_name = $stage
    order by event_date
"""


def day(number: int) -> datetime:
    """Noon of a day of November in Shanghai."""
    return NOON.replace(day=number)


class Months:
    """A warehouse that is loaded and refreshed step by step, and checked against a rebuild at each."""

    def __init__(self, folder: Path) -> None:
        self._log = StoryLog(folder)
        self._moment_us = NOON_US
        self.warehouse = new_warehouse()
        self._loader = loader_of(self.warehouse, self._log)
        refresh_marts(self.warehouse, STAGES)

    def then(self, *entries: Request | Act) -> RefreshReport:
        """These arrive, are loaded and the marts refreshed."""
        for entry in entries:
            self._moment_us += SECOND_US
            self._log.append(entry, self._moment_us)
        self._loader.load_all()
        report = refresh_marts(self.warehouse, STAGES)
        assert not report.is_rebuild
        refreshed = contents(self.warehouse, MARTS)
        assert refresh_marts(self.warehouse, STAGES, rebuild=True).is_rebuild
        assert contents(self.warehouse, MARTS) == refreshed
        return report

    def entered(self, kind: str, stage: str) -> list[tuple[Any, ...]]:
        """On which days how many entered a stage for the first time."""
        return rows(self.warehouse, ENTERED.replace("$kind", f"'{kind}'").replace("$stage", f"'{stage}'"))


def test_late_event_moves_the_first_time(tmp_path: Path) -> None:
    months = Months(tmp_path)
    months.then(native(event("reach", device("d1"), day(2)), event("look", device("d2"), day(2))))
    assert months.entered("person", "reach") == [("2026-11-02", 1)]
    report = months.then(native(event("reach", device("d1"), day(1))))
    assert months.entered("person", "reach") == [("2026-11-01", 1)]
    assert report.dates == 2


def test_merge_counts_two_as_one(tmp_path: Path) -> None:
    months = Months(tmp_path)
    months.then(
        native(event("reach", device("d1"), day(1), channel="web"), event("reach", login("li"), day(2), channel="app"))
    )
    assert months.entered("person", "reach") == [("2026-11-01", 1), ("2026-11-02", 1)]
    months.then(native(event("login", {**device("d1"), **login("li")}, day(3))))
    assert months.entered("person", "reach") == [("2026-11-01", 1)]
    assert rows(months.warehouse, "select channel, person_count from acquisition_daily") == [("web", 1)]


def test_account_that_loses_a_person_counts_from_the_next_one(tmp_path: Path) -> None:
    """A device is taken for a teacher's, then not: another one reached the school, before that teacher was seen."""
    months = Months(tmp_path)
    months.then(
        native(event("reach", device("d1"), NOON - timedelta(days=5))),
        native(event("reach", login("wang"), NOON - timedelta(days=3), account_id="school-1")),
        native(event("look", login("li"), NOON - timedelta(days=1), account_id="school-1")),
        native(event("login", {**device("d1"), **login("li")}, NOON)),
    )
    assert months.entered("account", "reach") == [("2026-10-28", 1)]
    months.then(retraction(device("d1"), login("li")))
    assert months.entered("account", "reach") == [("2026-10-30", 1)]


def test_joining_an_account_later_dates_its_past(tmp_path: Path) -> None:
    months = Months(tmp_path)
    months.then(native(event("reach", device("d1"), day(1))))
    assert months.entered("account", "reach") == []
    months.then(native({"record_type": "group", "identities": device("d1"), "account_id": "school-1"}))
    assert months.entered("account", "reach") == [("2026-11-01", 1)]


def test_one_school_under_two_ids_enters_a_stage_once(tmp_path: Path) -> None:
    months = Months(tmp_path)
    months.then(
        native(event("reach", login("li"), day(1), account_id="S1")),
        native(event("reach", login("wang"), NOON, account_id="S-1")),
    )
    assert months.entered("account", "reach") == [("2026-11-01", 1), ("2026-11-02", 1)]
    months.then(merge("S-1", "S1"))
    assert months.entered("account", "reach") == [("2026-11-01", 1)]
    months.then(unmerge("S-1"))
    assert months.entered("account", "reach") == [("2026-11-01", 1), ("2026-11-02", 1)]


def test_what_a_person_did_after_leaving_is_not_the_schools(tmp_path: Path) -> None:
    """Support learns only later that Li had left before paying, and later still that it was the wrong school."""
    months = Months(tmp_path)
    months.then(
        native(event("reach", login("li"), day(1) - timedelta(days=3), account_id="S1")),
        native(event("pay", login("li"), day(1))),
    )
    assert months.entered("account", "pay") == [("2026-11-01", 1)]
    months.then(member(END_MEMBER, login("li"), "account", "S1", day(1) - timedelta(days=1)))
    assert months.entered("account", "pay") == []
    months.then(member(ADD_MEMBER, login("li"), "account", "S2", day(1)))
    assert months.entered("account", "pay") == [("2026-11-01", 1)]
    assert rows(months.warehouse, "select account_id from events where event_name = 'pay'") == [("S2",)]


def test_only_touched_days_are_computed(tmp_path: Path) -> None:
    months = Months(tmp_path)
    months.then(*(native(event("look", device(f"d{number}"), NOON - timedelta(days=number))) for number in range(20)))
    assert months.then(native(event("look", device("d3"), NOON))).dates == 1
    assert months.then().dates == 0


def test_what_was_touched_is_known_until_it_is_refreshed(tmp_path: Path) -> None:
    log = StoryLog(tmp_path)
    log.tell(native(event("reach", device("d1"), NOON)))
    warehouse = new_warehouse()
    refresh_marts(warehouse, STAGES)
    assert not has_touched(warehouse)
    loader_of(warehouse, log).load_all()
    assert has_touched(warehouse)
    assert refresh_marts(warehouse, STAGES) == RefreshReport(
        1, False, ("acquisition_daily", "daily_activity", "sales_path_daily")
    )
    assert not has_touched(warehouse)


def test_new_meaning_of_the_stages_rebuilds(tmp_path: Path) -> None:
    months = Months(tmp_path)
    months.then(native(event("look", device("d1"), NOON)))
    assert months.entered("person", "look") == []

    def looking(properties: list[EventProperty]) -> str:
        return STAGES(properties).replace("'pay')", "'pay', 'look')")

    assert refresh_marts(months.warehouse, looking).is_rebuild
    assert months.entered("person", "look") == [("2026-11-02", 1)]
    assert not refresh_marts(months.warehouse, looking).is_rebuild
