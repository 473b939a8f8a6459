"""Whatever identities do (merge, part, are taken back), every event is one person's, and all questions count the same.

Random histories of messages, unbinds, retractions and blocked values, told to a warehouse as anybody's would be.
"""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ingest.record import Act, Request
from models import distribution, funnel, lifecycle, paths, retention, sessions, stickiness, trend
from models.asking import ask, ask_people
from models.calendar import Calendar
from models.kinds import kind_of
from models.matching import ANY_EVENT
from models.questions import Question
from tests.examples import examples
from tests.identity_oracle import Pair, Said
from tests.stories import NOON_US, SECOND_US, StoryLog, load_story, retraction
from tests.test_one_id_graph import HISTORIES, PAIRS, RETRACTIONS
from tests.test_one_id_warehouse import block, entry
from warehouse.snapshot import DuckDBSnapshot

EVENTS_AND_PERSONS = """
select count(*) as event_count, count(person.person_id) as with_person, count(distinct person.person_id) as person_count
from events
left join persons as person on events.person_id = person.person_id
"""
PERSONS = "select distinct cast(person_id as varchar) as person from events order by person"
WHOLE_TIME: Any = {"interval": None}


def rows(question: Question, snapshot: DuckDBSnapshot) -> list[Any]:
    return list(ask(kind_of(question), question, snapshot, Calendar(), "missing").rows)


@examples(18)
@given(history=HISTORIES, retracted=RETRACTIONS, blocked=st.lists(st.sampled_from(PAIRS), max_size=1))
def test_all_questions_count_the_persons_that_one_id_says(
    history: Sequence[Said], retracted: list[frozenset[Pair]], blocked: list[Pair]
) -> None:
    with TemporaryDirectory() as folder:
        log = StoryLog(Path(folder))
        acts = [retraction(dict([left]), dict([right])) for left, right in map(sorted, retracted)]
        messages = [entry(said, number) for number, said in enumerate(history)]
        told: list[Request | Act] = [*messages, *acts, *map(block, blocked)]
        for number, each in enumerate(told):
            log.append(each, NOON_US + number * SECOND_US)
        warehouse = load_story(log)
        try:
            with warehouse.snapshot() as snapshot:
                assert_all_agree(snapshot)
        finally:
            warehouse.close()


def assert_all_agree(snapshot: DuckDBSnapshot) -> None:
    [truth] = snapshot.query(EVENTS_AND_PERSONS).to_pylist()
    events, persons = truth["event_count"], truth["person_count"]
    anything = funnel.FunnelQuestion((funnel.FunnelStep((ANY_EVENT,)),))
    people = ask_people(kind_of(anything), anything, funnel.FunnelNumber(step_index=1), snapshot, Calendar())

    total = trend.TrendQuestion(series=(trend.Series((ANY_EVENT,)),), **WHOLE_TIME)
    subjects = trend.TrendQuestion(series=(trend.Series((ANY_EVENT,), measure="subjects"),), **WHOLE_TIME)
    often = rows(distribution.DistributionQuestion(any_of=(ANY_EVENT,)), snapshot)
    alive = rows(lifecycle.LifecycleQuestion(interval="year"), snapshot)
    cohorts = rows(retention.RetentionQuestion(interval="year", periods=0, mode="first_time"), snapshot)
    sittings = rows(sessions.SessionsQuestion(), snapshot)
    first_nodes = rows(paths.PathsQuestion(count="subjects"), snapshot)

    assert truth["with_person"] == events
    assert list(people.subjects) == snapshot.query(PERSONS)["person"].to_pylist()
    assert [row.value for row in rows(total, snapshot)] == [events]
    assert [row.value for row in rows(subjects, snapshot)] == [persons] == [people.count]
    assert [row.subject_count for row in rows(anything, snapshot)] == [persons]
    assert sum(row.subject_count for row in often) == persons == sum(row.new_count for row in alive)
    assert sum(row.cohort_size for row in cohorts) == persons
    assert sum(row.subject_count for row in rows(stickiness.StickinessQuestion(), snapshot)) == persons
    assert sum(row.event_count for row in sittings) == events
    assert sum(row.subject_count for row in sittings) == persons
    assert sum(row.subject_count for row in first_nodes if row.part == "node" and row.step_index == 1) >= persons
