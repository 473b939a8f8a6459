"""Paths, sessions and window funnels on the command line: a teacher tries, looks around, and signs."""

import csv
import io
from datetime import timedelta

import pytest

from tests.houses import House, told_house
from tests.stories import DAY_US, NOON, NOON_US, FixedClock, Json, event, login, native


def told(who: str, name: str, minute: float, **properties: str) -> Json:
    return event(name, login(who), NOON + timedelta(minutes=minute), **properties)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Li looks at two courses and signs; Wang looks at one, and comes back an hour later."""
    looked = native(
        told("li", "look", 0, url="/course/math"),
        told("li", "look", 1, url="/course/art"),
        told("li", "sign", 5),
        told("wang", "look", 0, url="/course/math"),
        told("wang", "look", 60, url="/course/math"),
    )
    return told_house(tmp_path_factory.mktemp("paths") / "data", looked, clock_us=FixedClock(NOON_US + DAY_US))


def rows(house: House, *words: str) -> list[dict[str, str]]:
    """The answer's rows, from CSV."""
    done = house.cli(*words, "--format", "csv")
    assert done.returncode == 0, done.stderr
    return list(csv.DictReader(io.StringIO(done.stdout)))


def test_paths_name_pages_by_a_property(house: House) -> None:
    asked = ("paths", "--label", "look=url", "--group", "/course/*", "--end", "sign")
    edges = [row for row in rows(house, *asked) if row["part"] == "edge"]

    assert [(row["source"], row["target"], row["path_count"]) for row in edges] == [("/course/*", "sign", "1")]


def test_where_paths_end_and_who_they_were(house: House) -> None:
    people = house.cli("paths", "--people", '{"part": "drop_off", "source": "look"}')

    assert people.stdout.splitlines()[-1] == "1 subject"
    assert "drop_off" in house.cli("paths", "--steps", "3").stdout


def test_sessions_are_cut_as_the_options_say(house: House) -> None:
    [row] = rows(house, "sessions", "--gap", "2m")
    by_exit = rows(house, "sessions", "--breakdown", "event_name", "--at-exit")
    whole_days = rows(house, "sessions", "--gap", "none", "--interval", "day")

    assert (row["session_count"], row["bounce_count"]) == ("4", "3")
    assert [(each["breakdown"], each["session_count"]) for each in by_exit] == [("look", "2"), ("sign", "1")]
    assert [each["session_count"] for each in whole_days] == ["2"]


def test_a_window_funnel_counts_levels_in_its_modes(house: House) -> None:
    levels = [row["subject_count"] for row in rows(house, "window-funnel", "look", "sign", "--window", "5m")]
    refused = house.cli("window-funnel", "look", "sign", "--window", "1h", "--mode", "allow_reentry")

    assert levels == ["0", "1", "1"]
    assert "ask for both, or for neither" in refused.stderr
