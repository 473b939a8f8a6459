"""The tracking plan: files are read or explained, and messages are judged as the document says."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.decode import decode
from ingest.errors import PlanError
from ingest.message import Message, PropertyChange, PropertyOperation, PropertyTarget
from ingest.plan.hints import Hints
from ingest.plan.judge import Judge, Verdict
from ingest.plan.plan import MODES, PLAN_TYPES, Plan, PlanMode, plan_values
from ingest.plan.reading import read_plan, read_plan_text
from ingest.plan.sifting import sift
from ingest.record import Record
from ingest.settings import DecodeSettings
from tests.stories import NOON_US, decoded, event, login, native, segment, sensors, tracked
from warehouse.properties import Misfit, PropertyType, fit

DOCUMENT = (Path(__file__).parent.parent / "docs" / "concepts" / "tracking-plan.md").read_text(encoding="utf-8")
EXAMPLE = read_plan_text(re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)[0], "plan.yaml")
EXAMPLES = re.findall(r"^\| `(\{.*?\})` \| (.*?) \| (.*?) ?\|$", DOCUMENT, re.MULTILINE)

DECODED = decoded(native(event("TrialStarted", login("teacher")))).messages[0]


def in_mode(mode: PlanMode, plan: Plan = EXAMPLE) -> Judge:
    """A judge by the document's plan in this mode."""
    return Judge(read_plan({**plan_values(plan), "mode": mode}, "plan.yaml"))


def message_of(name: str, properties: dict[str, Any]) -> Message:
    """An event as it was decoded."""
    return msgspec.structs.replace(DECODED, event_name=name, properties=properties)


def change_of(operation: PropertyOperation, target: PropertyTarget = "person", **properties: Any) -> Message:
    """A call that changes a person, an account or an item."""
    change = PropertyChange(target, operation, properties)
    return msgspec.structs.replace(DECODED, event_name=None, change=change)


def said_by(verdict: Verdict | None) -> str:
    """The verdict in the words of the document's table."""
    if verdict is None:
        return "kept"
    if verdict.refusal is not None:
        return f"refused: `{verdict.refusal[0]}`"
    return "kept without " + ", ".join(f"`{name}`" for name in sorted(verdict.set_aside))


def faults_of(text: str) -> str:
    """What is said about a file."""
    with pytest.raises(PlanError) as caught:
        read_plan_text(text, "plan.yaml")
    return str(caught.value)


# Reading


def test_a_plan_survives_writing_and_reading() -> None:
    assert set(EXAMPLE.events) == {"TrialStarted", "OrderPaid"}
    assert EXAMPLE.events["TrialStarted"].properties["channel"].one_of == ("web", "school", "fair")
    assert EXAMPLE.account_properties is None
    assert read_plan(json.loads(json.dumps(plan_values(EXAMPLE))), "plan") == EXAMPLE
    for mode in MODES:
        assert read_plan_text(f"mode: {mode}", "plan.yaml") == Plan(mode=mode)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a", "plan.yaml: a plan is a mapping of mode, presets, events,"),
        ("", "not empty"),
        ("mode: [", "plan.yaml is not YAML: "),
        ("mode: enforced", "mode is 'enforced'; write one of learn, warn, enforce; did you mean 'enforce'?"),
        ("presets: no", "presets is false; write one of allow, declare"),
        ("event: {}", "event is unknown; did you mean 'events'?"),
        ("events: {A: {props: {}}}", "events.A.props is unknown; did you mean 'properties'?"),
        ("events: {404: {}}", "events has the name 404; a name is text, write it in quotes"),
        ("events: {A: {properties: {x: nummer}}}", "events.A.properties.x is 'nummer'; write one of boolean, number,"),
        (
            "events: {A: {properties: {x: {type: string}}}}",
            "events.A.properties.x.type is 'string'; here that is called 'text'",
        ),
        ("events: {A: {properties: {x: {required: true}}}}", "events.A.properties.x has no type; write one of"),
        ("events: {A: {properties: {x: {type: text, required: 1}}}}", "x.required is 1; write true or false"),
        (
            "events: {A: {properties: {x: {type: text, one_of: [yes, no]}}}}",
            "one_of holds true, which is no text; write it in quotes",
        ),
        (
            "events: {A: {properties: {x: {type: number, one_of: web}}}}",
            "x.one_of is 'web'; write a list of the allowed values",
        ),
        (
            "events: {A: {properties: {x: {type: list, one_of: [a]}}}}",
            "only text and number can have allowed values, this is list",
        ),
        ("events: {A: {}, A: {}}", "events.A stands in lines 1 and 1; keep one of them"),
        ("common_properties: {x: text, X: text}", "common_properties.X and common_properties.x differ only in case"),
        (
            "events: {A: {properties: {x: text}}, B: {properties: {X: number}}}",
            "events.B.properties.X is number, but events.A.properties.x is text; a property has one type in all events",
        ),
        (
            "person_properties: {x: {type: text, required: true}}",
            "person_properties.x.required: only events can require",
        ),
        ("events: {A: {description: 7}}", "events.A.description is 7; write text, in quotes"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_place(text: str, said: str) -> None:
    assert said in faults_of(text)


def test_all_faults_of_a_file_are_said_at_once() -> None:
    said = faults_of("mode: off\nevnts: {}\nevents: {A: {properties: {x: int, y: }}}")
    assert said.splitlines() == [
        "plan.yaml: 4 things are wrong",
        "  evnts is unknown; did you mean 'events'?",
        "  mode is false; write one of learn, warn, enforce",
        "  events.A.properties.x is 'int'; here that is called 'number'",
        "  events.A.properties.y has no type; write one of boolean, number, text, list, object, datetime",
    ]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda each: (
            st.lists(each)
            | st.dictionaries(
                st.sampled_from(["events", "properties", "type", "mode", "one_of", "A", "text"]) | st.integers(), each
            )
        ),
    )
)
def test_any_values_are_a_plan_or_a_plan_error(values: Any) -> None:
    try:
        plan = read_plan(values, "plan.yaml")
    except PlanError:
        return
    assert read_plan(plan_values(plan), "plan.yaml") == plan


# Judging


def test_the_document_has_examples() -> None:
    assert len(EXAMPLES) == 12


@pytest.mark.parametrize(("properties", "enforced", "counted"), EXAMPLES)
def test_the_examples_of_the_document_are_true(properties: str, enforced: str, counted: str) -> None:
    message = message_of("TrialStarted", json.loads(properties))
    assert said_by(in_mode("enforce").judge(message)) == enforced
    warned = in_mode("warn").judge(message)
    reasons = [] if warned is None else [violation.reason for violation in warned.violations]
    assert reasons == re.findall(r"`(\w+)`", counted)
    assert warned is None or (warned.refusal is None and not warned.set_aside)
    assert in_mode("learn").judge(message) is None


def test_an_event_that_is_not_in_the_plan_is_refused_and_told_what_it_may_mean() -> None:
    verdict = in_mode("enforce").judge(message_of("TrialStart", {"colour": "red"}))
    assert verdict is not None
    assert verdict.refusal == (
        "undeclared_event",
        "event 'TrialStart' is not in the plan; did you mean 'TrialStarted'?",
    )
    warned = in_mode("warn").judge(message_of("TrialStart", {"colour": "red"}))
    assert warned is not None
    assert [(each.target, each.property, each.reason) for each in warned.violations] == [
        ("event", None, "undeclared_event")
    ]


def test_a_refusal_names_all_that_is_wrong() -> None:
    verdict = in_mode("enforce").judge(message_of("TrialStarted", {"amount": "95", "starts": 7}))
    assert verdict is not None
    assert verdict.refusal == (
        "wrong_type",
        'TrialStarted.amount is "95"; the plan says number; TrialStarted.starts is 7; the plan says datetime; '
        "TrialStarted.channel is required and not there",
    )


def test_presets_need_no_declaration_unless_the_plan_wants_one() -> None:
    seen = message_of("$pageview", {"$url": "/", "region": "west"})
    assert in_mode("enforce").judge(seen) is None
    assert said_by(in_mode("enforce").judge(message_of("$pageview", {"name": "home"}))) == "kept without `name`"
    assert said_by(in_mode("enforce").judge(message_of("$pageview", {"region": []}))) == "refused: `wrong_type`"
    strict = Judge(read_plan({"mode": "enforce", "presets": "declare", "events": {"A": None}}, "plan"))
    assert said_by(strict.judge(seen)) == "refused: `undeclared_event`"
    assert said_by(strict.judge(message_of("A", {"$url": "/"}))) == "kept without `$url`"


def test_changes_of_persons_are_judged_where_their_section_is_there() -> None:
    judge = in_mode("enforce")
    assert judge.judge(change_of("set", name="Li", age=30)) is None
    assert judge.judge(change_of("set", "account", size="large")) is None  # there is no section for accounts
    assert judge.judge(change_of("set", "item", price="x")) is None
    assert judge.judge(change_of("delete", colour="red")) is None
    assert judge.judge(change_of("unset", name=True)) is None
    assert judge.judge(change_of("increment", age=1)) is None
    assert said_by(judge.judge(change_of("set", age="thirty"))) == "refused: `wrong_type`"
    assert said_by(judge.judge(change_of("append", name=["a"]))) == "refused: `wrong_type`"
    assert said_by(judge.judge(change_of("set_once", colour="red", name="Li"))) == "kept without `colour`"
    assert said_by(judge.judge(change_of("unset", colour=True))) == "kept without `colour`"


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=3),
    st.lists(st.text(max_size=2) | st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=1), st.integers(), max_size=1),
)
NAMES = st.sampled_from(["a", "A", "b", "c", "$a", "$z", "other", "platform"])
RULES = st.fixed_dictionaries(
    {"type": st.sampled_from(PLAN_TYPES), "required": st.booleans()},
)


@given(
    st.dictionaries(st.sampled_from(["a", "b", "c", "$a"]), RULES),
    st.lists(st.dictionaries(NAMES, VALUES), min_size=1, max_size=8),
)
def test_judging_fast_is_judging_slowly(rules: dict[str, Any], sent: list[dict[str, Any]]) -> None:
    judge = Judge(read_plan({"mode": "warn", "events": {"A": {"properties": rules}}}, "plan"))
    for properties in sent:  # one judge for all: it remembers shapes
        verdict = judge.judge(message_of("A", properties))
        found = {(each.property, each.reason) for each in verdict.violations} if verdict is not None else set()
        assert found == slow_judgement(rules, properties)


def slow_judgement(rules: dict[str, Any], properties: dict[str, Any]) -> set[tuple[str | None, str]]:
    """What the document's rules say, one by one."""
    found = set[tuple[str | None, str]]()
    present = {name.lower() for name, value in properties.items() if value is not None}
    for name, value in properties.items():
        rule = rules.get(name.lower())
        if value is None or (rule is None and (name[0] == "$" or name == "platform")):
            continue
        if rule is None:
            found.add((name, "undeclared_property"))
        elif not is_of_type(value, rule["type"]):
            found.add((name.lower(), "wrong_type"))
    missing = {(name, "missing_property") for name, rule in rules.items() if rule["required"] and name not in present}
    return found | missing


def is_of_type(value: Any, name: str) -> bool:
    """Whether a column of that type holds the value; a whole number too large for it is of its type all the same."""
    if name == "datetime":
        return isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d", value) is not None
    column: PropertyType = name  # type: ignore[assignment]  # the other words are those of columns
    try:
        fit(value, column)
    except Misfit as misfit:
        return misfit.reason == "beyond_double"
    return True


# Sifting


ENFORCED = Judge(EXAMPLE)


@pytest.mark.parametrize(
    "request_of",
    [
        lambda good, bad: native(event("TrialStarted", login("t"), **good), event("TrialStarted", login("t"), **bad)),
        lambda good, bad: segment(
            *({"type": "track", "event": "TrialStarted", "userId": "t", "properties": each} for each in (good, bad))
        ),
        lambda good, bad: sensors(*(tracked("TrialStarted", properties=each) for each in (good, bad))),
    ],
    ids=["native", "segment", "sensors"],
)
def test_a_refused_message_becomes_a_reject_with_its_own_bytes(request_of: Any) -> None:
    record = Record(NOON_US, request_of({"channel": "web"}, {"channel": "tv"}))
    before = decode(record, DecodeSettings())
    sifted = sift(ENFORCED, record, before, DecodeSettings())
    assert sifted.decoded.messages == before.messages[:1]
    [reject] = sifted.decoded.rejects
    assert (reject.index, reject.reason, reject.event_name) == (1, "value_not_allowed", "TrialStarted")
    assert reject.record_type == "track"
    original = json.loads(reject.original)
    assert original["properties"]["channel"] == "tv"
    assert reject.original_length == len(reject.original)


def test_undeclared_values_are_handed_on_beside_their_message() -> None:
    record = Record(NOON_US, native(event("TrialStarted", login("t"), channel="web", colour="red")))
    sifted = sift(ENFORCED, record, decode(record, DecodeSettings()), DecodeSettings())
    assert [message.properties for message in sifted.decoded.messages] == [{"channel": "web"}]
    assert sifted.set_aside == {0: {"colour": "red"}}
    assert [(index, each.property, each.reason) for index, each in sifted.violations] == [
        (0, "colour", "undeclared_property")
    ]


def test_a_record_as_planned_stays_what_it_is() -> None:
    record = Record(NOON_US, native(event("TrialStarted", login("t"), channel="web")))
    before = decode(record, DecodeSettings())
    assert sift(ENFORCED, record, before, DecodeSettings()).decoded is before


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("trial_started", "TrialStarted"),
        ("TrialStart", "TrialStarted"),
        ("TrialStartedAgain", "TrialStarted"),
        ("TrailStarted", "TrialStarted"),
        ("TrialStartef", "TrialStarted"),
        ("支付完成", "支付"),
        ("Something else", None),
        ("", None),
    ],
)
def test_a_hint_names_what_may_have_been_meant(sent: str, meant: str | None) -> None:
    hints = Hints(["TrialStarted", "OrderPaid", "支付", "支付完成了"])
    assert hints.for_name(sent) == ("支付完成了" if sent == "支付完成" else meant)


def test_made_up_names_cost_no_comparison_with_every_declared_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the plan only warns, nobody reads a hint, and none is looked for."""
    monkeypatch.setattr(Hints, "for_name", lambda *_looked_for: pytest.fail("a hint was looked for"))
    verdict = in_mode("warn").judge(message_of("made up", {}))
    assert verdict is not None
    assert [each.reason for each in verdict.violations] == ["undeclared_event"]
