"""The rules of a project about who may be one person, and who is in which account.

They never change once read; others take their place from a moment on (`ingest.identity.history`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, get_args

import msgspec

from ingest.identity.guard import Guard, NobodyList
from ingest.identity.keys import LEARNED, PRESETS, KeyRule, preset_rule
from ingest.message import ANONYMOUS_ID, LOGIN_ID, Identity

Scheme = Literal["one_to_one", "many_to_one", "graph"]
LinksFrom = Literal["every_message", "association_calls"]
History = Literal["follows", "stays"]
UnknownKeys = Literal["learn", "reject"]
KnownPersons = Literal["merge", "stay_apart"]

SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
"""From the narrowest on: a project may go from one to a later one, and not back."""
SET_IDENTITY_RULES = "set_identity_rules"  # the act that brings rules into the log
# What a client sends to say that two ids are one person; every family's word for it.
ASSOCIATION_CALLS = frozenset({"track_signup", "track_id_bind", "identify", "alias"})
# Sent by clients that do not say whether an id is a device's or a login's; the same value under both is one identity.
SAME_VALUE_KEYS = {LOGIN_ID: ANONYMOUS_ID, ANONYMOUS_ID: LOGIN_ID}
_SIMPLE_KEYS = frozenset(SAME_VALUE_KEYS)  # the two of the simple schemes: a device and a login


class AccountType(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A kind of account (a school, a family), and the properties of messages that name one."""

    name: str
    properties: tuple[str, ...] = ()


DEFAULT_ACCOUNT_TYPES = (AccountType("account", ("account_id",)),)


@dataclass(frozen=True)
class IdentityRules:
    """Who may be one person. Without any act in the log, a project has these defaults.

    `links_from`: which messages are tried as links. `history`: whether the past of an identity follows it to the
    person it is linked to. `unknown_keys`: what becomes of messages with a key that is neither preset nor declared.
    `known_persons`: whether two persons who were both known before may become one (None: as the scheme has it).
    `account_types`: the first is the one that `account_id` names.
    """

    scheme: Scheme = "graph"
    links_from: LinksFrom = "every_message"
    history: History = "follows"
    unknown_keys: UnknownKeys = "learn"
    known_persons: KnownPersons | None = None
    keys: dict[str, KeyRule] = field(default_factory=dict)
    nobody: NobodyList = field(default_factory=NobodyList)
    somebody: NobodyList = field(default_factory=NobodyList)
    account_types: tuple[AccountType, ...] = DEFAULT_ACCOUNT_TYPES

    @property
    def merges_known_persons(self) -> bool:
        """Whether a link may join two persons who were both known before its message."""
        if self.known_persons is not None:
            return self.known_persons == "merge"
        return self.scheme != "one_to_one"

    def key(self, name: str) -> KeyRule:
        """What holds for an identity key under these rules."""
        rule = self.keys.get(name) or preset_rule(name) or LEARNED
        if self.scheme == "graph":
            return rule
        if name not in _SIMPLE_KEYS:
            return msgspec.structs.replace(rule, status="disabled")
        is_single = name == LOGIN_ID or self.scheme == "one_to_one"
        return msgspec.structs.replace(rule, values="single" if is_single else "many", status="enabled")

    def is_known(self, name: str) -> bool:
        """Whether a key is preset or declared."""
        return name in self.keys or preset_rule(name) is not None

    def known_keys(self) -> list[str]:
        """All keys that are preset or declared, strongest first."""
        return sorted({*PRESETS, *self.keys}, key=lambda name: (self.key(name).priority, name))

    def unknown_key(self, identities: Sequence[Identity]) -> str | None:
        """A key for which a message is to be refused, if any."""
        if self.unknown_keys == "learn":
            return None
        return next((each.key for each in identities if not self.is_known(each.key)), None)

    def is_silent(self, identity: Identity) -> bool:
        """Whether an identity stands back when a message has another: it is nobody, or its key is disabled."""
        return self.key(identity.key).status == "disabled" or self.guard.is_nobody(identity)

    def may_link(self, record_type: str) -> bool:
        """Whether messages of this record type are tried as links."""
        return self.links_from == "every_message" or record_type in ASSOCIATION_CALLS

    @cached_property
    def guard(self) -> Guard:
        """What tells values that are nobody."""
        return Guard.of(self.nobody, self.somebody)

    def by_priority(self, identities: Sequence[Identity]) -> list[Identity]:
        """The identities of a message that count, the one it belongs to first; equals keep the sender's order."""
        ordered = sorted(identities, key=lambda each: (self.is_silent(each), self.key(each.key).priority))
        return [each for place, each in enumerate(ordered) if place == 0 or not self.is_silent(each)]


DEFAULT_RULES = IdentityRules()
