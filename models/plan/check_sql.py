"""The questions of the plan check that the catalog does not answer: values that a plan does not allow, and refusals."""

from typing import NamedTuple

from sqlglot import exp

from ingest.plan.plan import PropertyRule
from models.columns import property_column
from models.sql import fragment, render, select

_REFUSED = """
select reason, event_name, count(*) as message_count
from rejects
where reason in ('undeclared_event', 'wrong_type', 'missing_property', 'value_not_allowed') and log_order > $since
group by reason, event_name
order by reason, event_name
"""


class CheckedValues(NamedTuple):
    """A column whose values must be looked at: of one event, or (`event_name` None) of persons or accounts."""

    target: str
    event_name: str | None
    column: str
    column_type: str
    rule: PropertyRule


def build_event_values_query(checked: list[CheckedValues]) -> str:
    """One row; `count_N` values of the Nth column are not allowed, `examples_N` are some of them."""
    query = select("select count(*) as event_count from events")
    for index, each in enumerate(checked):
        is_event = fragment("event_name = $event", event=each.event_name or "")
        column = property_column(each.column)
        _count_wrong(query, index, exp.and_(is_event, _is_wrong(each, column)), column)
    return render({}, query)


def build_target_values_query(checked: list[CheckedValues]) -> str:
    """As `build_event_values_query`, for properties of persons and accounts."""
    query = select("select count(*) as value_count from property_values")
    for index, each in enumerate(checked):
        is_property = fragment("target = $target and property_name = $name", target=each.target, name=each.column)
        text = fragment("value ->> '$'")
        _count_wrong(query, index, exp.and_(is_property, _is_wrong(each, text)), text)
    return render({}, query)


def build_refused_query(since: str) -> str:
    """One row per reason and event name of what a plan refused after a place in the log."""
    return render({}, select(_REFUSED, since=since))


def _count_wrong(query: exp.Select, index: int, is_wrong: exp.Expr, value: exp.Expr) -> None:
    examples = "list_slice(list_sort(list_distinct(min(cast($value as varchar), 100) filter (where $is_wrong))), 1, 3)"
    query.select(
        exp.alias_(fragment("count(*) filter (where $is_wrong)", is_wrong=is_wrong), f"count_{index}"),
        exp.alias_(fragment(examples, value=value, is_wrong=is_wrong), f"examples_{index}"),
        copy=False,
    )


def _is_wrong(checked: CheckedValues, value: exp.Expr) -> exp.Expr:
    """True for a value that is there and not allowed."""
    if checked.rule.type == "datetime":
        return fragment("$value is not null and try_cast($value as timestamp) is null", value=value)
    if checked.rule.type == "number":
        number = fragment("try_cast($value as double)", value=value)
        choices = [exp.convert(float(choice)) for choice in checked.rule.one_of]
        return exp.not_(exp.In(this=number, expressions=choices))
    # A number as its sender wrote it, as far as that can be known.
    form = (
        r"regexp_replace(cast($value as varchar), '\.0$', '')"
        if checked.column_type == "number"
        else "cast($value as varchar)"
    )
    text = fragment(form, value=value)
    return exp.not_(exp.In(this=text, expressions=[exp.convert(str(choice)) for choice in checked.rule.one_of]))
