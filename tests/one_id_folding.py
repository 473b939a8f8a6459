"""Folding what messages said into the graph, in as many runs as a test likes; answers in the words of the oracle."""

from collections.abc import Collection, Sequence

import numpy as np

from ingest.identity.rules import DEFAULT_RULES, IdentityRules
from ingest.message import Identity
from tests.identity_oracle import Incarnation, Pair, Said, Tried
from warehouse.one_id.arrays import StoredIdentities
from warehouse.one_id.graph import (
    BLOCKED,
    LINK_OUTCOMES,
    REFUSALS,
    RETRACTED,
    Folded,
    IdentityGraph,
    Messages,
    Pairs,
)
from warehouse.one_id.names import founder_digest, twin_of


class FoldedWorld:
    """A graph under one set of rules, and the names of its identities."""

    def __init__(
        self,
        salt: bytes,
        rules: IdentityRules = DEFAULT_RULES,
        retracted: Collection[frozenset[Pair]] = (),
        blocked: Collection[Pair] = (),
    ) -> None:
        self.graph = IdentityGraph()
        self.names: list[Incarnation] = []
        self.tried: list[Tried] = []
        self.owners: list[Incarnation | None] = []
        self._salt, self._rules = salt, rules
        self._retracted, self._blocked = retracted, blocked
        self.seen_at: dict[Incarnation, tuple[int, int]] = {}
        self.released: set[Incarnation] = set()
        self._pair_ids: dict[Pair, int] = {}

    def say(self, messages: Sequence[Said]) -> Folded:
        """Fold a run of messages."""
        carried = [self._rules.by_priority([Identity(*pair) for pair in said.pairs]) for said in messages]
        pairs = list(dict.fromkeys((each.key, each.value) for identities in carried for each in identities))
        sizes = [len(identities) for identities in carried]
        folded = self.graph.fold(
            [self._rules],
            Messages(
                begins=np.cumsum([0, *sizes]),
                arrived_us=np.array([said.arrived_us for said in messages], np.int64),
                index=np.array([said.index for said in messages], np.int64),
                rules=np.zeros(len(messages), np.int64),
                is_unbind=np.array([said.is_unbind for said in messages], np.bool_),
                may_link=np.array([self._rules.may_link(said.record_type) for said in messages], np.bool_),
                pair=np.array([pairs.index((e.key, e.value)) for each in carried for e in each], np.int64),
                void=np.array(
                    [self._void((each[0].key, each[0].value), (e.key, e.value)) for each in carried for e in each]
                ),
            ),
            self._pair_columns(pairs),
        )
        for _, place, _ in folded.new.tolist():
            key, value = pairs[place]
            self.names.append(Incarnation(key, value, sum(name[:2] == (key, value) for name in self.names)))
        self._pair_ids.update(
            {pair: int(pair_id) for pair, pair_id in zip(pairs, folded.pair_id, strict=True) if pair_id >= 0}
        )
        self._note(folded, messages, sizes)
        return folded

    def founders(self) -> dict[Incarnation, Incarnation]:
        """The founder of each incarnation's person."""
        return {self.names[one]: self.names[founder] for one, founder in self.graph.persons().items()}

    def stored(self) -> StoredIdentities:
        """What the tables would hold of the graph."""
        every, names = np.arange(len(self.names)), self.names
        places = [(*self.seen_at[name], 0) for name in names]
        return StoredIdentities(
            identity_id=every,
            pair_id=np.array([self._pair_ids[name[:2]] for name in names], np.int64),
            incarnation=np.array([name.number for name in names], np.int64),
            key=np.array([self.graph.keys.number(name.key) for name in names], np.int64),
            founder_id=self.graph.founders(every),
            arrived_us=np.array([place[0] for place in places], np.int64),
            place=np.array([place[1] for place in places], np.int64),
            is_live=np.array([name not in self.released for name in names], np.bool_),
        )

    def _pair_columns(self, pairs: list[Pair]) -> Pairs:
        twins = [twin_of(Identity(*pair)) for pair in pairs]
        twin_pairs = [None if twin is None else (twin.key, twin.value) for twin in twins]
        for twin in twin_pairs:  # a twin may be known from an earlier run
            if twin is not None and twin in self._pair_ids and twin not in pairs:
                pairs.append(twin)
        twin_pairs += [None] * (len(pairs) - len(twin_pairs))
        return Pairs(
            pair_id=np.array([self._pair_ids.get(pair, -1) for pair in pairs], np.int64),
            key=np.array([self.graph.keys.number(key) for key, _ in pairs], np.int64),
            digest=np.array([self._digest(pair) for pair in pairs], np.int64),
            twin=np.array([-1 if twin not in pairs else pairs.index(twin) for twin in twin_pairs], np.int64),
            twin_void=np.array(
                [0 if twin is None else self._void(pair, twin) for pair, twin in zip(pairs, twin_pairs, strict=True)]
            ),
        )

    def _digest(self, pair: Pair) -> int:
        return int.from_bytes(founder_digest(self._salt, Identity(*pair), 0)[:4], "big")

    def _void(self, one: Pair, other: Pair) -> int:
        if one in self._blocked or other in self._blocked:
            return BLOCKED
        return RETRACTED if frozenset({one, other}) in self._retracted else 0

    def _note(self, folded: Folded, messages: Sequence[Said], sizes: list[int]) -> None:
        first, row_of = len(self.owners), np.repeat(np.arange(len(sizes)), sizes)
        begins = np.cumsum([0, *sizes])
        for identity_id, _, at in folded.new.tolist():
            said, nth = messages[row_of[at]], at - begins[row_of[at]]
            digest = self._digest(self.names[identity_id][:2])
            self.seen_at[self.names[identity_id]] = (said.arrived_us, said.index << 44 | nth << 32 | digest)
        self.released.update(self.names[identity_id] for identity_id, _, _ in folded.released.tolist())
        for left, right, row, _kind, outcome, because, _key in folded.links.tolist():
            pair = frozenset({self.names[left], self.names[right]})
            self.tried.append(Tried(first + row, pair, LINK_OUTCOMES[outcome], REFUSALS[because]))
        for begin, size in zip(begins[:-1].tolist(), sizes, strict=True):
            self.owners.append(self.names[int(folded.identity_id[begin])] if size else None)
