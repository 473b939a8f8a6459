"""Why a person is one person: every identity with the message that linked it, what was refused, and operators' acts.

Pure composing: what a snapshot holds in, plain values out. Nothing is folded anew.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from ingest.identity.history import RulesHistory
from ingest.identity.rules import SET_IDENTITY_RULES, IdentityRules
from ingest.message import Identity
from warehouse.one_id.acts import VOIDING_ACTS, touched_by
from warehouse.one_id.link_words import act_words, joined_words, unlinked_words
from warehouse.reader import Snapshot
from warehouse.statements import read_statement, with_literals

Row = dict[str, Any]

MAX_UNLINKED = 1000

_IDENTITIES = """
select identity_key, identity_value, incarnation, is_founder, is_unbound, unbound_because, first_seen_at, last_seen_at,
    log_order
from identities
where person_id = cast($person_id as uuid)
order by first_seen_at, log_order
"""
_ACTS = (
    "select act, operator, details, epoch_us(received_at) as at_us, received_at, log_order from acts order by log_order"
)


class Place(NamedTuple):
    """One incarnation of a pair."""

    key: str
    value: str
    incarnation: int

    @property
    def identity(self) -> Identity:
        """The pair alone."""
        return Identity(self.key, self.value)


@dataclass(frozen=True)
class WhyLink:
    """A link, the message that tried it, and `why`: what became of it, in words. Times are UTC.

    `message` is the event's name, or the call's. `to` is the identity at the other end, `to_person_id` whose it is now.
    """

    link_id: str
    outcome: str
    reason: str | None
    why: str
    from_key: str
    from_value: str
    to_key: str
    to_value: str
    to_person_id: str
    linked_at: datetime
    message: str
    protocol: str
    source: str | None
    log_order: str


@dataclass(frozen=True)
class WhyIdentity:
    """One identity of the person. `link` is how it came in; None for the one that founded the person.

    `confirmed_by` counts other links between it and identities of this person.
    """

    identity_key: str
    identity_value: str
    incarnation: int
    why: str
    is_founder: bool
    is_unbound: bool
    unbound_because: str | None
    first_seen_at: datetime
    last_seen_at: datetime
    link: WhyLink | None
    confirmed_by: int


@dataclass(frozen=True)
class WhyAct:
    """An operator's act that took part, in words."""

    act: str
    operator: str
    what: str
    received_at: datetime
    log_order: str


@dataclass(frozen=True)
class PersonWhy:
    """Why a person is what it is. `unlinked` is what does not count, newest last; `unlinked_count` how much."""

    person_id: str
    identities: tuple[WhyIdentity, ...]
    unlinked_count: int
    unlinked: tuple[WhyLink, ...]
    acts: tuple[WhyAct, ...]
    watermark: str


def explain_person(snapshot: Snapshot, person_id: str, limit: int = MAX_UNLINKED) -> PersonWhy:
    """Why these identities are one person, with at most `limit` links that do not count: the newest."""
    named = {"person_id": person_id}
    identities = {_place(row): row for row in snapshot.query(with_literals(_IDENTITIES, named)).to_pylist()}
    links = snapshot.query(with_literals(read_statement("one_id/links_of_person"), named)).to_pylist()
    acts = snapshot.query(_ACTS).to_pylist()
    set_rules = [(row["at_us"], row["details"]) for row in acts if row["act"] == SET_IDENTITY_RULES]
    return _Explanation(snapshot, person_id, identities, links, RulesHistory(set_rules)).told(acts, limit)


class _Explanation:
    def __init__(
        self, snapshot: Snapshot, person_id: str, identities: dict[Place, Row], links: list[Row], rules: RulesHistory
    ) -> None:
        self._snapshot = snapshot
        self._person_id = person_id
        self._identities = identities
        self._joining = [link for link in links if link["outcome"] in {"merged", "joined"}]
        self._confirming = [link for link in links if link["outcome"] == "confirmed"]
        self._unlinked = [link for link in links if link["outcome"] in {"refused", "retracted", "blocked"}]
        self._rules = rules

    def told(self, acts: list[Row], limit: int) -> PersonWhy:
        unlinked = self._unlinked[-limit:] if limit else []
        messages = self._messages([*self._joining, *unlinked])
        return PersonWhy(
            person_id=self._person_id,
            identities=tuple(self._explain_identities(messages)),
            unlinked_count=len(self._unlinked),
            unlinked=tuple(self._explain_unlinked(link, messages) for link in unlinked),
            acts=tuple(self._explain_acts(acts)),
            watermark=self._snapshot.watermark,
        )

    def _messages(self, links: list[Row]) -> dict[str, Row]:
        orders = json.dumps(sorted({link["log_order"] for link in links}))
        statement = with_literals(read_statement("one_id/messages_at"), {"log_orders": orders})
        return {row["log_order"]: row for row in self._snapshot.query(statement).to_pylist()}

    def _explain_identities(self, messages: dict[str, Row]) -> Iterable[WhyIdentity]:
        """The founder first, then in the order in which the links reach them from it."""
        came_by = self._came_by()
        confirmed = defaultdict[Place, int](int)
        for confirming in self._confirming:
            for end in _ends(confirming):
                confirmed[end] += 1
        for place in [*came_by, *(place for place in self._identities if place not in came_by)]:
            row, link = self._identities[place], came_by.get(place)
            yield WhyIdentity(
                identity_key=place.key,
                identity_value=place.value,
                incarnation=place.incarnation,
                why=self._why(place, link),
                is_founder=row["is_founder"],
                is_unbound=row["is_unbound"],
                unbound_because=row["unbound_because"],
                first_seen_at=row["first_seen_at"],
                last_seen_at=row["last_seen_at"],
                link=None if link is None else self._told_link(link, place, self._why(place, link), messages),
                confirmed_by=confirmed[place],
            )

    def _came_by(self) -> dict[Place, Row | None]:
        """The link by which each identity hangs together with the founder: those that joined persons form a tree."""
        links_at = defaultdict[Place, list[Row]](list)
        for link in self._joining:
            for end in _ends(link):
                links_at[end].append(link)
        reached: dict[Place, Row | None] = {place: None for place, row in self._identities.items() if row["is_founder"]}
        waiting = list(reached)
        for place in waiting:  # grows while it is walked
            for link in links_at[place]:
                other = _other_end(link, place)
                if other in self._identities and other not in reached:
                    reached[other] = link
                    waiting.append(other)
        return reached

    def _why(self, place: Place, link: Row | None) -> str:
        if link is None:
            is_nobody = self._rules.latest().is_silent(place.identity)
            silent = "; it names nobody by the rules, and links nothing" if is_nobody else ""
            return f"founded the person: seen first{silent}"
        new = [end.identity for end in _ends(link) if self._is_new(end, link)]
        return joined_words(link["outcome"], link["link_kind"], new)

    def _is_new(self, place: Place, link: Row) -> bool:
        return str(self._identities[place]["log_order"]).startswith(link["log_order"] + "/")

    def _explain_unlinked(self, link: Row, messages: dict[str, Row]) -> WhyLink:
        own = next(end for end in _ends(link) if end in self._identities)
        why = unlinked_words(link["outcome"], link["reason"], link["identity_key"], self._rules_for(link["log_order"]))
        return self._told_link(link, own, why, messages)

    def _rules_for(self, log_order: str) -> IdentityRules:
        return self._rules.rules_at(_received_us(log_order))

    def _told_link(self, link: Row, own: Place, why: str, messages: dict[str, Row]) -> WhyLink:
        other, message = _other_end(link, own), messages.get(link["log_order"], {})
        is_left = other == _ends(link)[0]
        return WhyLink(
            link_id=link["link_id"],
            outcome=link["outcome"],
            reason=link["reason"],
            why=why,
            from_key=own.key,
            from_value=own.value,
            to_key=other.key,
            to_value=other.value,
            to_person_id=str(link["left_person_id"] if is_left else link["person_id"]),
            linked_at=link["linked_at"],
            message=message.get("event_name") or link["record_type"],
            protocol=link["protocol"],
            source=message.get("source"),
            log_order=link["log_order"],
        )

    def _explain_acts(self, acts: list[Row]) -> Iterable[WhyAct]:
        """Acts about pairs and values of the person, and rules under which any of its links was judged."""
        pairs = {place.identity for place in self._identities}
        values = {identity.value for identity in pairs}
        judged = {
            self._rules.version_at(_received_us(link["log_order"]))
            for link in (*self._joining, *self._confirming, *self._unlinked)
        }
        version = 0
        for row in acts:
            details = json.loads(row["details"])
            if row["act"] == SET_IDENTITY_RULES:
                version += 1
                took_part = version in judged
            elif row["act"] in VOIDING_ACTS:
                touched, touched_values = touched_by(row["act"], details)
                took_part = not (touched.isdisjoint(pairs) and touched_values.isdisjoint(values))
            else:
                took_part = False
            if took_part:
                what = act_words(row["act"], details)
                yield WhyAct(row["act"], row["operator"], what, row["received_at"], row["log_order"])


def _place(row: Row) -> Place:
    return Place(row["identity_key"], row["identity_value"], row["incarnation"])


def _ends(link: Row) -> tuple[Place, Place]:
    left, right = (
        Place(link[f"{side}_identity_key"], link[f"{side}_identity_value"], link[f"{side}_incarnation"])
        for side in ("left", "right")
    )
    return left, right


def _other_end(link: Row, place: Place) -> Place:
    left, right = _ends(link)
    return right if place == left else left


def _received_us(log_order: str) -> int:
    return int(log_order.partition("/")[0])
