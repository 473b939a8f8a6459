"""Whose path a question follows: persons, or the accounts of one type; which events those are, and their ids."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from sqlglot import exp

from ingest.message import DEFAULT_ACCOUNT_TYPE
from models.errors import QuestionError, require_choice
from models.matching import SubjectKind
from models.sql import fragment
from warehouse.reader import Snapshot

_ACCOUNT_TYPES = "select distinct account_type from memberships order by account_type"


@dataclass(frozen=True)
class Subject:
    """Persons, or accounts of a type. Raises QuestionError where a type is asked for and persons are counted."""

    kind: SubjectKind = "person"
    account_type: str = DEFAULT_ACCOUNT_TYPE

    def __post_init__(self) -> None:
        require_choice("by", self.kind, get_args(SubjectKind))
        if self.kind == "person" and not self._is_of_default_type:
            raise QuestionError(
                f"account_type {self.account_type!r} counts accounts: ask by 'account', not by 'person'."
            )

    @property
    def _is_of_default_type(self) -> bool:
        return self.account_type == DEFAULT_ACCOUNT_TYPE

    @property
    def tables(self) -> Mapping[str, str]:
        """Which view stands for `events`: those of the default type carry their account themselves."""
        return {} if self._is_of_default_type else {"events": "account_events"}

    @property
    def column(self) -> exp.Expr:
        """The column that says whose path an event belongs to."""
        return exp.column("account_id" if self.kind == "account" else "person_id")

    @property
    def conditions(self) -> list[exp.Expr]:
        """Events without an account belong to no account's path; every event has a person."""
        if self.kind == "person":
            return []
        has_account = fragment("account_id <> ''")
        if self._is_of_default_type:
            return [has_account]
        return [fragment("account_type = $account_type", account_type=self.account_type), has_account]

    def require_known(self, snapshot: Snapshot) -> None:
        """Raise QuestionError for an account type that nobody has been a member of."""
        if self._is_of_default_type:
            return
        known = [row["account_type"] for row in snapshot.query(_ACCOUNT_TYPES).to_pylist()]
        if self.account_type not in known:
            seen = ", ".join(map(repr, known)) or "none"
            raise QuestionError(f"No account has the type {self.account_type!r}; types seen so far: {seen}.")
