"""Operators' acts from what somebody names (a link's id, identities, a value) to the details that the log takes.

Raises `CannotAct` where an act would name what is not there, and do nothing.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from ingest.identity.keys import preset_rule
from ingest.message import Identity
from warehouse.errors import CannotAct
from warehouse.one_id.link_words import name_of
from warehouse.reader import Snapshot
from warehouse.statements import read_statement, with_literals

ActName = Literal["retract_link", "restore_link", "split_person", "join_person", "block_value", "unblock_value"]

Row = dict[str, Any]
Details = dict[str, Any]

_LINK = "select * from identity_links where link_id = $link_id order by log_order desc limit 1"
_PAIR = "select 1 from identities where identity_key = $key and identity_value = $value limit 1"
_KEY = "select 1 from identities where identity_key = $key limit 1"


def details_of(snapshot: Snapshot, act: ActName, names: Sequence[str]) -> Details:
    """The details of an act on what is named: a link's id, a value or `KEY=VALUE`, or identities as `KEY=VALUE`."""
    match act:
        case "retract_link" | "restore_link":
            return _link_details(snapshot, act, _only(names, "one link_id"))
        case "split_person":
            return _split_details(snapshot, [_identity(snapshot, name) for name in names])
        case "join_person":
            return _join_details(snapshot, [_identity(snapshot, name) for name in names])
    return _value_details(snapshot, act, _only(names, "one value, or KEY=VALUE"))


def _only(names: Sequence[str], wanted: str) -> str:
    if len(names) != 1:
        raise CannotAct(f"{len(names)} names were given; give {wanted}")
    return names[0]


def _link_details(snapshot: Snapshot, act: str, link_id: str) -> Details:
    found = _ask(snapshot, _LINK, link_id=link_id.lower())
    if not found:
        raise CannotAct(f"no link has the id {link_id!r}; `onepath identity why PERSON` shows those of a person")
    is_retracted = found[0]["outcome"] == "retracted"
    if is_retracted and act == "retract_link":
        raise CannotAct(f"link {link_id} is taken back already; `onepath identity restore {link_id}` restores it")
    if not is_retracted and act == "restore_link":
        raise CannotAct(
            f"link {link_id} was not taken back: it is {found[0]['outcome']}, and there is nothing to restore"
        )
    return _link(found[0])


def _split_details(snapshot: Snapshot, identities: list[Identity]) -> Details:
    """All links between these identities and the rest of their persons: refused ones, too, for they may count then."""
    links = [
        link
        for link in _links_of(snapshot, identities)
        if link["left_person_id"] == link["person_id"] and link["outcome"] != "retracted"
    ]
    if not links:
        raise CannotAct(f"{_named(identities)}: no link holds that to anybody else, so there is nothing to split")
    return {"links": _distinct(links)}


def _join_details(snapshot: Snapshot, identities: list[Identity]) -> Details:
    links = [link for link in _links_of(snapshot, identities) if link["outcome"] == "retracted"]
    if not links:
        raise CannotAct(
            f"{_named(identities)}: no link of that was taken back; only what a split or a retraction took apart "
            "can be joined again, for persons are joined by messages"
        )
    return {"links": _distinct(links)}


def _value_details(snapshot: Snapshot, act: str, name: str) -> Details:
    key, _, value = name.partition("=")
    full_key = _full_key(snapshot, key) if key and value else None
    details = {"key": None, "value": name} if full_key is None else {"key": full_key, "value": value}
    if act == "unblock_value" and details not in _blocked(snapshot):
        raise CannotAct(f"{name!r} is not blocked, as named so; `onepath identity why {name}` tells of blocked values")
    return details


def _blocked(snapshot: Snapshot) -> list[Details]:
    acts = snapshot.query(
        "select act, details from acts where act in ('block_value', 'unblock_value') order by log_order"
    ).to_pylist()
    blocked = list[Details]()
    for row in acts:
        read = json.loads(row["details"])
        named = {"key": read.get("key"), "value": read["value"]}
        blocked = [each for each in blocked if each != named]
        if row["act"] == "block_value":
            blocked.append(named)
    return blocked


def _identity(snapshot: Snapshot, name: str) -> Identity:
    key, _, value = name.partition("=")
    if not (key and value):
        raise CannotAct(f"{name!r} names no identity: write KEY=VALUE, such as '$identity_login_id=teacher-17'")
    full_key = _full_key(snapshot, key)
    if full_key is None or not _ask(snapshot, _PAIR, key=full_key, value=value):
        raise CannotAct(f"nobody was ever called {name}; `onepath identity why PERSON` shows a person's identities")
    return Identity(full_key, value)


def _full_key(snapshot: Snapshot, key: str) -> str | None:
    """A key as messages write it; a preset one may be named without its `$identity_`."""
    for each in (key, f"$identity_{key}"):
        if preset_rule(each) is not None or _ask(snapshot, _KEY, key=each):
            return each
    return None


def _links_of(snapshot: Snapshot, identities: Iterable[Identity]) -> list[Row]:
    pairs = json.dumps([{"key": each.key, "value": each.value} for each in identities], ensure_ascii=False)
    return _ask(snapshot, read_statement("one_id/links_of_pairs"), pairs=pairs)


def _ask(snapshot: Snapshot, sql: str, **named: str) -> list[Row]:
    rows: list[Row] = snapshot.query(with_literals(sql, named)).to_pylist()
    return rows


def _link(row: Row) -> Details:
    return {
        side: {"key": row[f"{side}_identity_key"], "value": row[f"{side}_identity_value"]} for side in ("left", "right")
    }


def _distinct(links: Iterable[Row]) -> list[Details]:
    """Links as details, those of several incarnations of a pair once."""
    distinct = list[Details]()
    for details in map(_link, links):
        if details not in distinct:
            distinct.append(details)
    return distinct


def _named(identities: Sequence[Identity]) -> str:
    return " ".join(map(name_of, identities))
