"""What became of links, and what acts did, in words that a person on the phone would use. Pure."""

from typing import Any

from ingest.identity.rules import IdentityRules
from ingest.message import Identity
from warehouse.one_id.acts import RESTORING_ACTS, RETRACTING_ACTS, links_of


def name_of(identity: Identity) -> str:
    """An identity as people read it: a preset key without its `$identity_`."""
    return f"{identity.key.removeprefix('$identity_')}={identity.value}"


def joined_words(outcome: str, kind: str, new: list[Identity]) -> str:
    """Why two persons became one."""
    if kind == "same_value":
        return "the same value as a device's and as a login's"
    if outcome == "merged":
        return "merged: both were known"
    if not new:
        return "joined: one was new with that request"
    return f"joined: {' and '.join(name_of(each) for each in new)} {'was' if len(new) == 1 else 'were'} new"


def unlinked_words(outcome: str, reason: str | None, key: str | None, rules: IdentityRules) -> str:
    """Why a link does not count; `rules` are those in force for its message."""
    if outcome == "retracted":
        return "an operator took it back"
    if outcome == "blocked":
        return "an operator blocked one of the two values"
    short = "" if key is None else key.removeprefix("$identity_")
    if reason == "single_value":
        return f"a person has one {short}, and each of the two had its own"
    if reason == "over_limit" and key is not None:
        return f"a person has at most {rules.key(key).most:,} of {short}, and together they had more"
    if reason == "both_known":
        return "both were known already, and the rules keep known persons apart"
    return "such a message does not link"


def act_words(act: str, details: dict[str, Any]) -> str:
    """What an operator's act did."""
    if act in RETRACTING_ACTS | RESTORING_ACTS:
        verb = "took back" if act in RETRACTING_ACTS else "restored"
        links = sorted(" – ".join(sorted(map(name_of, link))) for link in links_of(details))
        shown = ", ".join(links[:3]) + (f" and {len(links) - 3:,} more" if len(links) > 3 else "")
        return f"{verb} {shown}"
    if act in {"block_value", "unblock_value"}:
        verb = "blocked" if act == "block_value" else "unblocked"
        key = details.get("key")
        return f"{verb} {details['value']}" + ("" if key is None else f" as {key.removeprefix('$identity_')}")
    file_name = details.get("file_name")
    return "set identity rules" + (f" of {file_name}" if file_name else "")
