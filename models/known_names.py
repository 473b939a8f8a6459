"""What a question names must exist: an event or a property that nobody has ever sent is a mistake of the question.

What the tracking plan declares may be asked for before it first comes: it is merely missing until then.
"""

from collections.abc import Iterable, Iterator

from ingest.plan.plan import Plan
from models.errors import UnknownEventError, UnknownPropertyError
from models.filters import PropertyOf
from models.questions import Question, parts_of
from warehouse.plans import plan_in_force
from warehouse.reader import EventProperty, Snapshot

_EVENT_NAMES = "select distinct event_name from events"


def has_come(question: Question, snapshot: Snapshot, properties: Iterable[EventProperty]) -> bool:
    """Whether all that a question names has come already; False where some of it is only declared.

    Raises QuestionError for an event or a property that was neither sent nor declared.
    """
    known = {each.name.lower(): each.name for each in properties}
    events = [each for each in question.events_named() if snapshot.unseen_events(each) == each]
    of_events = [each for each in _properties(question) if each.of == "event" and each.property.lower() not in known]
    owned = {_owner(each): each for each in _properties(question) if each.of in ("person", "account")}
    of_owners = snapshot.unseen_properties(owned.keys())
    if not (events or of_events or of_owners):
        return True
    in_force = plan_in_force(snapshot)
    plan = in_force.plan if in_force else Plan()
    for spellings in events:
        if spellings.isdisjoint(plan.events):
            raise UnknownEventError(min(spellings), snapshot.query(_EVENT_NAMES)["event_name"].to_pylist())
    for each in of_events:
        if not _is_of_events(each.property, plan):
            raise UnknownPropertyError(each.property, known.values())
    for target, name in sorted(of_owners):
        if name not in (plan.properties_of_target("person" if target == "person" else "account") or ()):
            raise UnknownPropertyError(name, snapshot.seen_properties(target), target)
    return False


def _properties(question: Question) -> Iterator[PropertyOf]:
    yield from parts_of(question, PropertyOf)
    if question.by_property is not None:
        yield PropertyOf(question.by_property, of="event" if question.by == "property" else "person")


def _owner(wanted: PropertyOf) -> tuple[str, str]:
    return "person" if wanted.of == "person" else wanted.account_type, wanted.property


def _is_of_events(name: str, plan: Plan) -> bool:
    return name in plan.common_properties or any(name in event.properties for event in plan.events.values())
