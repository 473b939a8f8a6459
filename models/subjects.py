"""Whose path a question follows: persons, their sessions, accounts of one type, single ids, or values of a property."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from sqlglot import exp

from ingest.message import DEFAULT_ACCOUNT_TYPE
from models.columns import Columns
from models.errors import QuestionError, require_choice
from models.filters import PropertyOf
from models.sql import fragment
from warehouse.reader import Snapshot

SubjectKind = Literal["person", "session", "account", "distinct_id", "property", "person_property"]

_ACCOUNT_TYPES = "select distinct account_type from memberships order by account_type"
_BY_PROPERTY = ("property", "person_property")
_ID_COLUMNS = {
    "person": "person_id",
    "session": "session_id",
    "account": "account_id",
    "distinct_id": "distinct_id",
}

EVENTS_IN_SESSIONS = "events_in_sessions"


@dataclass(frozen=True)
class Subject:
    """Whom a question counts.

    Persons; their sessions; accounts of a type; ids as they were sent (before One-ID); or the values of a property, an
    event's (such as an order) or a person's as of now. Events without one are left out, never pooled. Raises
    QuestionError where a type or a property is given that the kind has no use for, or one that it needs is missing.
    """

    kind: SubjectKind = "person"
    account_type: str = DEFAULT_ACCOUNT_TYPE
    property_name: str | None = None

    def __post_init__(self) -> None:
        require_choice("by", self.kind, get_args(SubjectKind))
        if self.kind != "account" and not self._is_of_default_type:
            raise QuestionError(
                f"account_type {self.account_type!r} counts accounts: ask by 'account', not by {self.kind!r}."
            )
        if self.kind in _BY_PROPERTY and not self.property_name:
            raise QuestionError(f"To ask by {self.kind!r}, name the property in by_property.")
        if self.kind not in _BY_PROPERTY and self.property_name is not None:
            raise QuestionError(f"by_property {self.property_name!r} needs 'property' or 'person_property' in by.")

    @property
    def _is_of_default_type(self) -> bool:
        return self.account_type == DEFAULT_ACCOUNT_TYPE

    @property
    def tables(self) -> Mapping[str, str]:
        """Which view stands for `events`: those of the default type carry their account themselves."""
        if self.kind == "session":
            return {"events": EVENTS_IN_SESSIONS}
        return {} if self._is_of_default_type else {"events": "account_events"}

    def id_of(self, columns: Columns) -> exp.Expr:
        """Whose path an event belongs to, as SQL; null or empty where nobody's."""
        if self.kind in _BY_PROPERTY:
            return columns.text(
                PropertyOf(self.property_name or "", of="event" if self.kind == "property" else "person")
            )
        return exp.column(_ID_COLUMNS[self.kind], table="events")

    def conditions(self, columns: Columns) -> list[exp.Expr]:
        """Events without a subject belong to no path; every event has a person and a session."""
        if self.kind in ("person", "session"):
            return []
        has_subject = fragment("nullif($id, '') is not null", id=self.id_of(columns))
        if self._is_of_default_type:
            return [has_subject]
        return [fragment("account_type = $account_type", account_type=self.account_type), has_subject]

    def require_known(self, snapshot: Snapshot) -> None:
        """Raise QuestionError for an account type that nobody has been a member of."""
        if self._is_of_default_type:
            return
        known = [row["account_type"] for row in snapshot.query(_ACCOUNT_TYPES).to_pylist()]
        if self.account_type not in known:
            seen = ", ".join(map(repr, known)) or "none"
            raise QuestionError(f"No account has the type {self.account_type!r}; types seen so far: {seen}.")
