"""Every property a question can name, as SQL; and the joins that bring those of persons and accounts to an event.

A select over `events` that uses what `Columns` gives out is finished by `Columns.join`, and the statement has the CTEs
of `Columns.ctes` before it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from sqlglot import exp

from ingest.message import DEFAULT_ACCOUNT_TYPE
from models.errors import UnknownPropertyError
from models.filters import PropertyOf
from models.json_values import json_items, json_text
from models.property_sql import TargetProperty, join_property, property_rows, property_value
from models.sql import finite_number, fragment, json_pointer, select
from warehouse.reader import EventProperty

Absent = Literal["refuse", "missing"]
"""An event or a property that nobody has sent yet: an error in a question, merely missing in a configured stage."""

_TEXT_FORMS = {
    "text": "$column",
    "boolean": "cast($column as varchar)",
    # Added to 0, a negative zero is one as any other.
    "number": r"regexp_replace(cast($column + 0 as varchar), '\.0$', '')",
    "list": "array_to_string($column, ', ')",
}
_ACCOUNTS_OF_TYPE = "select event_id, account_id from account_events where account_type = $account_type"


class Columns:
    """The properties of events, found by name in whatever case it is written, and those of persons and accounts.

    `own_account_type` is the type whose accounts stand in the column account_id of the events asked. `prefix` keeps the
    CTEs apart where one statement joins to those of several `Columns`.
    """

    def __init__(
        self,
        properties: Iterable[EventProperty],
        *,
        absent: Absent = "refuse",
        own_account_type: str = DEFAULT_ACCOUNT_TYPE,
        prefix: str = "",
    ) -> None:
        self._by_name = {known.name.lower(): known for known in properties}
        self._absent = absent
        self._own_account_type = own_account_type
        self._prefix = prefix
        self._joined: dict[TargetProperty, str] = {}
        self._account_joins: dict[str, str] = {}

    def find(self, name: str) -> EventProperty:
        """The event property of that name; raises UnknownPropertyError with names close to it."""
        known = self._by_name.get(name.lower())
        if known is None and self._absent == "refuse":
            raise UnknownPropertyError(name, (known.name for known in self._by_name.values()))
        return known or EventProperty(name, "text")

    def text(self, wanted: PropertyOf | str) -> exp.Expr:
        """The value as text, null where it is missing: numbers without a needless fraction, items joined by commas."""
        reference = _reference(wanted)
        if reference.of == "field":
            return fragment("cast($column as varchar)", column=exp.column(reference.property, table="events"))
        if reference.of != "event":
            return self._of_target(reference)
        known = self.find(reference.property)
        fitting = fragment(_TEXT_FORMS[known.type], column=self.event_column(known.name))
        return exp.func("coalesce", fitting, *map(json_text, _misfits(known))) if known.misfit_names else fitting

    def number(self, wanted: PropertyOf | str) -> exp.Expr:
        """The value as a number, null where it is none."""
        reference = _reference(wanted)
        if reference.of == "event":
            known = self.find(reference.property)
            if known.type == "number" and not known.misfit_names:
                return self.event_column(known.name)
        return finite_number(self.text(reference))

    def is_number(self, wanted: PropertyOf) -> bool:
        """Whether it is an event property with a column of numbers."""
        return wanted.of == "event" and self.find(wanted.property).type == "number"

    def is_any_of(self, wanted: PropertyOf, texts: Sequence[exp.Expr]) -> exp.Expr:
        """True where the value, or an item of it where it is a list, is one of the texts; null where it is missing."""
        if wanted.of in ("person", "account"):
            return _has_any(self._of_target(wanted, "items"), texts)
        if wanted.of == "field":
            return _is_in(self.text(wanted), texts)
        known = self.find(wanted.property)
        column = self.event_column(known.name)
        is_list = known.type == "list"
        fitting = (
            _has_any(column, texts) if is_list else _is_in(fragment(_TEXT_FORMS[known.type], column=column), texts)
        )
        kept_aside = [_has_any(json_items(value), texts) for value in _misfits(known)]
        return exp.func("coalesce", fitting, *kept_aside) if kept_aside else fitting

    def event_column(self, name: str) -> exp.Expr:
        """The column of an event property as it is typed; null for one that no event has carried yet."""
        known = self.find(name)
        if name.lower() not in self._by_name:
            return exp.cast(exp.null(), exp.DataType.Type.VARCHAR)
        return property_column(known.name)

    def join(self, query: exp.Select) -> exp.Select:
        """`query`, over a table called events, with the joins for all that was asked for; its rows stay as many."""
        for account_type, rows in self._account_joins.items():
            accounts = select(_ACCOUNTS_OF_TYPE, account_type=account_type).subquery(rows)
            query = query.join(accounts, on=fragment(f"events.event_id = {rows}.event_id"), join_type="left")
        for wanted, rows in self._joined.items():
            accounts_of = self._account_joins.get(wanted.target)
            query = join_property(query, wanted, rows, key_table=accounts_of or "events")
        return query

    @property
    def ctes(self) -> Mapping[str, exp.Query]:
        """The rows that `join` joins to."""
        return {rows: property_rows(wanted) for wanted, rows in self._joined.items()}

    def _of_target(self, reference: PropertyOf, form: Literal["text", "items"] = "text") -> exp.Expr:
        target = "person" if reference.of == "person" else reference.account_type
        if target not in ("person", self._own_account_type):
            self._account_joins.setdefault(target, f"{self._prefix}accounts_{len(self._account_joins) + 1}")
        wanted = TargetProperty(target, reference.property, form, reference.as_of)
        return property_value(self._joined.setdefault(wanted, f"{self._prefix}property_{len(self._joined) + 1}"))


def property_column(name: str) -> exp.Expr:
    """The column of an event property that some event has carried."""
    if name == "*":  # as a column it would mean all of them, quoted or not
        return fragment("struct_extract(properties, '*')")
    return exp.column(exp.to_identifier(name, quoted=True), table="properties")


def _reference(wanted: PropertyOf | str) -> PropertyOf:
    return PropertyOf(wanted) if isinstance(wanted, str) else wanted


def _misfits(known: EventProperty) -> list[exp.Expr]:
    """Values of another type than the column's, as JSON: they are kept aside, under the name they were sent with."""
    return [fragment("json_extract(other_properties, $at)", at=json_pointer(name)) for name in known.misfit_names]


def _is_in(text: exp.Expr, texts: Sequence[exp.Expr]) -> exp.Expr:
    if len(texts) == 1:
        return exp.EQ(this=text, expression=texts[0])
    return exp.In(this=text, expressions=list(texts))


def _has_any(items: exp.Expr, texts: Sequence[exp.Expr]) -> exp.Expr:
    return fragment("list_has_any($items, $texts)", items=items, texts=exp.array(*texts))
