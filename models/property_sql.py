"""A property of an event's person or account, read as of the event or as of now: rows for a CTE, and the join to them.

The rows come from the public views that fold the calls, so every model that asks through this module means the same by
a property.
"""

from dataclasses import dataclass
from typing import Literal

from sqlglot import exp

from models.filters import AsOf
from models.json_values import json_items, json_text
from models.sql import finite_number, fragment, select

_NOW = """
select $key as target_key, $typed as property_value
from property_values
where target = $target and property_name = $name
"""

_HISTORY = """
select $key as target_key, valid_from, $typed as property_value
from property_history
where target = $target and property_name = $name
"""

_TYPED = {
    "text": json_text(exp.column("value")),
    "items": json_items(exp.column("value")),
    "number": finite_number(fragment("value ->> '$'")),
    "boolean": fragment("case when json_type(value) = 'BOOLEAN' then value ->> '$' = 'true' end"),
}


@dataclass(frozen=True)
class TargetProperty:
    """A property of an event's person (`target` "person"), or of its account of a type ("account", "family" ...).

    `as_of` says which value: the one that held at the event's time, calls of that very moment included, or the one that
    holds now. A value that cannot be read as `type` is missing; `items` are texts, of a value that is no list itself.
    """

    target: str
    name: str
    type: Literal["text", "items", "number", "boolean"]
    as_of: AsOf


def property_rows(wanted: TargetProperty) -> exp.Select:
    """The rows to join to, as a CTE: target_key, property_value and, as of the event, valid_from."""
    return select(
        _HISTORY if wanted.as_of == "event" else _NOW,
        key=exp.column(_key_of(wanted)),
        typed=_TYPED[wanted.type].copy(),
        target=wanted.target,
        name=wanted.name,
    )


def join_property(
    query: exp.Select, wanted: TargetProperty, rows: str, events: str = "events", key_table: str | None = None
) -> exp.Select:
    """`query` with the CTE `rows` joined to each row of `events`, which stays one row; see `property_value`.

    `events` is a table or alias in the query with event_at and person_id (or account_id, of accounts of the type asked
    for); `key_table` another one of the query that has the id.
    """
    same_target = exp.EQ(
        this=exp.column(_key_of(wanted), table=key_table or events), expression=exp.column("target_key", table=rows)
    )
    if wanted.as_of == "now":
        return query.join(rows, on=same_target, join_type="left")
    begun = exp.GTE(this=exp.column("event_at", table=events), expression=exp.column("valid_from", table=rows))
    return query.join(exp.Join(this=exp.to_table(rows), method="ASOF", side="LEFT", on=exp.and_(same_target, begun)))


def property_value(rows: str) -> exp.Expr:
    """The joined property's value; null where the target has none."""
    return exp.column("property_value", table=rows)


def _key_of(wanted: TargetProperty) -> str:
    return "person_id" if wanted.target == "person" else "account_id"
