"""The sequence functions worked out event by event in plain Python: every chain is tried."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.sequences import (
    SequenceCountQuestion,
    SequenceMatchQuestion,
    SequenceNextNodeQuestion,
    WindowFunnelQuestion,
)
from models.sequences.pattern import PatternItem, parse_pattern
from tests.filter_oracle import passes
from tests.sequence_streams import met_by
from tests.worlds import StoryEvent, at

Done = Sequence[tuple[int, str]]
"""What a person did in order: seconds and names of events."""


@dataclass(frozen=True)
class Entry:
    """One event meeting one condition; condition 0 stands for none."""

    second: int
    condition: int
    row: int


@dataclass(frozen=True)
class Chain:
    """Events that meet the conditions from the first on."""

    began: int
    last: int
    rows: tuple[int, ...]


def window_funnel(question: WindowFunnelQuestion, done: Done) -> int:
    """The level, keeping every chain there could be."""
    chains: dict[int, set[Chain]] = {level: set() for level in range(1, len(question.conditions) + 1)}
    before: Entry | None = None
    for entry in _entries(question, done):
        if "strict_order" in question.modes and chains[1] and _breaks_order(question, entry, chains):
            break
        is_repeat = entry.condition > 1 and bool(chains[entry.condition])
        if "strict_deduplication" in question.modes and is_repeat:
            assert before is not None
            return _level(chains) if "level_reached" in question.modes else before.condition
        if entry.condition == 1:
            chains[1].add(Chain(entry.second, entry.second, (entry.row,)))
        elif entry.condition > 1:
            earlier = chains[entry.condition - 1]
            longer = [_longer(question, chain, earlier, entry) for chain in earlier]
            chains[entry.condition].update(chain for chain in longer if chain is not None)
        if chains[len(question.conditions)]:
            break
        before = entry
    return _level(chains)


def _entries(question: WindowFunnelQuestion, done: Done) -> list[Entry]:
    entries = []
    for row, (second, event) in enumerate(done):
        met = met_by(event, question.conditions)
        entries += [Entry(second, condition, row) for condition in met or ([0] if _is_strict_order(question) else [])]
    return sorted(entries, key=lambda entry: (entry.second, entry.condition, entry.row))


def _is_strict_order(question: WindowFunnelQuestion) -> bool:
    return "strict_order" in question.modes


def _breaks_order(question: WindowFunnelQuestion, entry: Entry, chains: dict[int, set[Chain]]) -> bool:
    if entry.condition == 0:
        return True
    if entry.condition == 1:
        return "allow_reentry" not in question.modes and bool(chains.get(2))
    return "allow_early" not in question.modes and not chains[entry.condition - 1]


def _longer(question: WindowFunnelQuestion, chain: Chain, beside: set[Chain], entry: Entry) -> Chain | None:
    if entry.second - chain.began > question.window_s:
        return None
    if "strict_increase" in question.modes and entry.second <= chain.last:
        return None
    if "latest_only" in question.modes and chain.last < max(each.last for each in beside):
        return None
    if "strict_once" in question.modes and entry.row in chain.rows:
        return None
    # Only chains of one event a condition differ by their events.
    rows = (*chain.rows, entry.row) if "strict_once" in question.modes else ()
    return Chain(chain.began, entry.second, rows)


def _level(chains: dict[int, set[Chain]]) -> int:
    return max((level for level, found in chains.items() if found), default=0)


def sequence_count(question: SequenceMatchQuestion | SequenceCountQuestion, done: Done) -> int:
    """How many matches there are, each beginning after the one before has ended."""
    rows = [(second, met) for second, event in done if (met := met_by(event, question.conditions))]
    items = parse_pattern(question.pattern, len(question.conditions))
    count = position = 0
    while position < len(rows):
        end = _match_end(rows, items, position)
        count += end is not None
        position = position + 1 if end is None else end + 1
    return count


def _match_end(rows: list[tuple[int, list[int]]], items: Sequence[PatternItem], position: int) -> int | None:
    item, following = items[0], items[1:]
    if item.condition is not None and item.condition not in rows[position][1]:
        return None
    if not following:
        return position
    candidates = range(position + 1, len(rows))
    for candidate in candidates[:1] if following[0].follows_at_once else candidates:
        passed_us = (rows[candidate][0] - rows[position][0]) * 1_000_000
        most = following[0].max_us
        if passed_us >= following[0].min_us and (most is None or passed_us <= most):
            end = _match_end(rows, following, candidate)
            if end is not None:
                return end
    return None


def next_node(question: SequenceNextNodeQuestion, done: Done) -> str | None:
    """The name of the event after the chain."""
    events = [StoryEvent("", event, at(second)) for second, event in done]
    can_be_base = [all(passes(condition, event) for condition in question.base_where) for event in events]
    met = [met_by(event.event, question.conditions) for event in events]
    places = range(len(events))
    if question.base in ("first_match", "last_match"):
        places = [place for place in places if can_be_base[place] and 1 in met[place]]  # type: ignore[assignment]
    bases = places[:1] if question.base in ("head", "first_match") else places[-1:]
    step = 1 if question.direction == "forward" else -1
    for base in bases:
        chain = [base + step * number for number in range(len(question.conditions) + 1)]
        is_inside = 0 <= chain[-1] < len(events)
        if can_be_base[base] and is_inside and all(number in met[place] for number, place in enumerate(chain[:-1], 1)):
            return events[chain[-1]].event
    return None
