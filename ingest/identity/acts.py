"""Operators' acts about identity: how they are written into the log, and what makes one readable."""

from typing import Any

from ingest.errors import IdentityRulesError
from ingest.identity.reading import read_rules
from ingest.identity.rules import SET_IDENTITY_RULES
from ingest.record import Act

LINK_ACTS = frozenset({"retract_link", "restore_link", "split_person", "join_person"})
VALUE_ACTS = frozenset({"block_value", "unblock_value"})
IDENTITY_ACTS = LINK_ACTS | VALUE_ACTS | {SET_IDENTITY_RULES}


def check_identity_act(act: Act) -> None:
    """Raises `IdentityRulesError` where the details of an act are not what it needs."""
    if act.act == SET_IDENTITY_RULES:
        read_rules(act.details.get("rules"), "rules")
    elif act.act in VALUE_ACTS:
        if not isinstance(act.details.get("value"), str):
            raise IdentityRulesError("details.value is missing; it names the value as text, details.key its key")
    else:
        for link in act.details.get("links", [act.details]):
            _check_link(link)


def _check_link(link: Any) -> None:
    ends = [link.get(side) if isinstance(link, dict) else None for side in ("left", "right")]
    for end in ends:
        if not isinstance(end, dict) or not all(isinstance(end.get(name), str) for name in ("key", "value")):
            raise IdentityRulesError("a link has left and right, each with key and value as text")
