"""Questions by accounts of a type: a family walks the path that none of its persons walks alone."""

from pathlib import Path

import pytest

from models.asking import Answer, ask
from models.calendar import Calendar
from models.errors import QuestionError
from models.filters import FIELDS, PropertyFilter
from models.funnel import FUNNEL, FunnelQuestion, FunnelStep
from models.matching import Stage
from models.questions import Scope
from models.retention import KIND as RETENTION
from models.retention import RetentionQuestion
from models.sales_path import KIND as SALES_PATH
from models.sales_path import SalesPathQuestion, build_stage_entries_sql
from tests.account_stories import day, told_either_way
from tests.stories import NOON, device, event, login, mobile, native, rows, told
from warehouse.reader import Snapshot
from warehouse.warehouse import Warehouse

CALENDAR = Calendar("Asia/Shanghai")
MOTHER = {**mobile("138"), "$identity_mp_openid": "wx-1"}
AN, BO, TABLET = login("an"), login("bo"), device("tablet")
PATH = tuple(Stage.of(name, name) for name in ("reach", "trial", "sign", "pay", "routine_use"))
FAMILY = {"accounts": {"family": "F1"}}


@pytest.fixture
def family(tmp_path: Path) -> Warehouse:
    """The mother pays in WeChat; two children with logins of their own learn on one tablet."""
    return told_either_way(
        tmp_path,
        native(event("reach", mobile("138"), day(1))),
        native({**event("sign", MOTHER, day(3)), **FAMILY}),
        native(event("pay", {"$identity_mp_openid": "wx-1"}, day(4))),
        native(event("trial", TABLET, day(2))),
        native({**event("log in", {**AN, **TABLET}, day(5)), **FAMILY}),
        native({**event("routine_use", {**BO, **TABLET}, day(6)), **FAMILY}),
        native(event("routine_use", TABLET, day(7))),
    )


def test_payer_and_learners_stay_three_persons_of_one_family(family: Warehouse) -> None:
    assert rows(family, "select count(*) from persons") == [(3,)]
    assert rows(family, "select outcome from identity_links where right_identity_value = 'bo'") == [("refused",)]
    of_the_tablet = "select person_id from events where event_name = 'trial'"
    assert rows(family, f"select identity_value from identities where person_id in ({of_the_tablet}) order by all") == [
        ("an",),
        ("tablet",),
    ]
    assert rows(family, "select account_type, account_id, person_count from accounts") == [("family", "F1", 3)]
    assert rows(family, "select event_name, account_id from account_events order by all") == [
        (name, "F1") for name in ("log in", "pay", "reach", "routine_use", "routine_use", "sign", "trial")
    ]


def walked(question: SalesPathQuestion, snapshot: Snapshot) -> Answer:
    return ask(SALES_PATH, question, snapshot, CALENDAR, "missing")


def test_the_path_of_the_family_is_complete_though_no_persons_is(family: Warehouse) -> None:
    with family.snapshot() as snapshot:
        persons = ask(SALES_PATH, SalesPathQuestion(PATH), snapshot, CALENDAR, "missing")
        entries = snapshot.query(build_stage_entries_sql(persons.question, Scope()))
        families = ask(
            SALES_PATH, SalesPathQuestion(PATH, by="account", account_type="family"), snapshot, CALENDAR, "missing"
        )
        schools = ask(SALES_PATH, SalesPathQuestion(PATH, by="account"), snapshot, CALENDAR, "missing")
    stages_of: dict[str, set[str]] = {}
    for entry in entries.to_pylist():
        stages_of.setdefault(str(entry["subject_id"]), set()).add(entry["stage_name"])
    assert families.rows[0].reached == 1
    assert [stage.entered for stage in families.rows] == [1, 1, 1, 1, 1]
    assert [stage.skipped for stage in families.rows] == [0, 0, 0, 0, 0]
    assert [stage.entered for stage in persons.rows] == [1, 1, 1, 1, 2]
    assert sorted(stages_of.values(), key=sorted) == [
        {"pay", "reach", "sign"},
        {"routine_use"},
        {"routine_use", "trial"},
    ]
    assert schools.rows[0].reached == 0


def test_funnel_and_retention_of_families(family: Warehouse) -> None:
    steps = (FunnelStep.of("reach"), FunnelStep.of("pay"), FunnelStep.of("routine_use"))
    with family.snapshot() as snapshot:
        walked = ask(FUNNEL, FunnelQuestion(steps, by="account", account_type="family"), snapshot, CALENDAR)
        question = RetentionQuestion(periods=1, by="account", account_type="family", mode="first_time")
        cells = ask(RETENTION, question, snapshot, CALENDAR).rows
    assert [step.subject_count for step in walked.rows] == [1, 1, 1]
    assert [(cell.cohort_size, cell.retained_count) for cell in cells[:2]] == [(1, 1), (1, 1)]


def test_a_type_that_nobody_has_is_told_with_those_there_are(family: Warehouse) -> None:
    with family.snapshot() as snapshot, pytest.raises(QuestionError) as refused:
        ask(SALES_PATH, SalesPathQuestion(PATH, by="account", account_type="famly"), snapshot, CALENDAR, "missing")
    assert str(refused.value) == "No account has the type 'famly'; types seen so far: 'family'."
    with pytest.raises(QuestionError, match="ask by 'account'"):
        FunnelQuestion((FunnelStep.of("reach"),), account_type="family")


def test_every_field_and_every_value_can_be_asked_of_accounts_of_any_type(tmp_path: Path) -> None:
    # One amount is a text, which the column of numbers keeps aside; a property may be called by any name.
    visits = [
        {**event("visit", login("an"), NOON, amount=5, **{"*": "x"}), "accounts": {"family": "F1"}},
        {**event("visit", login("bo"), NOON, amount="free"), "accounts": {"family": "F2"}},
    ]
    warehouse = told(tmp_path, native(*visits))
    where = (
        PropertyFilter("amount", "eq", "free"),
        PropertyFilter("*", "is_not_set"),
        *(PropertyFilter(name, "neq", "nothing", of="field") for name in FIELDS),
    )
    families = FunnelQuestion((FunnelStep.of("visit"),), where=where, by="account", account_type="family")

    with warehouse.snapshot() as snapshot:
        assert [row.subject_count for row in ask(FUNNEL, families, snapshot, CALENDAR).rows] == [1]
