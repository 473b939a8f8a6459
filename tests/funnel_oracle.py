"""Funnels read person by person in plain Python, trying every way to take the steps: the truth the SQL is judged by."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from itertools import permutations
from statistics import fmean, median
from typing import Any

from models.calendar import Calendar
from models.filters import PropertyOf
from models.funnel import (
    FunnelDefinition,
    FunnelQuestion,
    FunnelRow,
    FunnelStep,
    FunnelTrendQuestion,
    FunnelTrendRow,
    TimeToConvertQuestion,
)
from models.matching import EventMatch
from tests.filter_oracle import matches, passes, text_of, value_of
from tests.worlds import Carried, StoryEvent, person_id

Group = tuple[str, ...]
Times = dict[int, datetime]


@dataclass(frozen=True)
class Seen:
    """An event with its place in the log, the steps it can take in one path, and the exclusions it is."""

    order: int
    event: StoryEvent
    steps: frozenset[int]
    excludes: frozenset[int]
    group: Group

    @property
    def at(self) -> datetime:
        """When it happened."""
        return self.event.at


@dataclass(frozen=True)
class Attempt:
    """What one attempt came to."""

    times: Times
    is_void: bool

    @property
    def start(self) -> datetime:
        """When it began."""
        return self.times[1]

    @property
    def finish(self) -> datetime:
        """When its last step was taken."""
        return max(self.times.values())

    @property
    def depth(self) -> tuple[int, int]:
        """The furthest step, and how many were taken."""
        return max(self.times), len(self.times)


class Oracle:
    """One question about one story."""

    def __init__(
        self, question: FunnelDefinition, events: Sequence[StoryEvent], carried: Carried | None = None
    ) -> None:
        self.question = question
        self.calendar = question.calendar(Calendar())
        self.carried = carried or Carried()
        self.events = sorted(enumerate(events), key=lambda each: (each[1].at, each[0]))
        self.first = {
            index: set(self._first_orders(step)) for index, step in self._numbered() if step.occurrence != "all"
        }

    def _numbered(self) -> Iterator[tuple[int, FunnelStep]]:
        return iter(enumerate(self.question.steps, start=1))

    def _first_orders(self, step: FunnelStep) -> Iterable[int]:
        """The one event of each person, or of each account where these are counted, that can take a first-time step."""
        by_name = tuple(EventMatch(match.event) for match in step.any_of)
        wanted = step.any_of if step.occurrence == "first_time" else by_name
        first: dict[str, int] = {}
        for order, event in self.events:
            whose = event.account if self.question.by == "account" else event.person
            if whose and matches(wanted, event, self.carried):
                first.setdefault(whose, order)
        return first.values()

    # Which events there are, and for whom

    def _streams(self) -> dict[str, list[Seen]]:
        question = self.question
        streams: dict[str, list[Seen]] = defaultdict(list)
        start, end = question.period.bounds_utc(self.calendar)
        if end and question.extend_over_end:
            end += timedelta(seconds=question.conversion_window_s, microseconds=1)
        for order, event in self.events:
            moment = event.at.replace(tzinfo=None)
            if (start and moment < start) or (end and moment >= end):
                continue
            subject = self._subject(event)
            if subject and all(passes(condition, event, self.carried) for condition in question.where):
                streams[subject].append(self._seen(order, event))
        return streams

    def _subject(self, event: StoryEvent) -> str | None:
        if self.question.by == "property":
            return self._text(PropertyOf(self.question.by_property or ""), event)
        if self.question.by == "account":
            return event.account
        return event.sent_as or event.person if self.question.by == "distinct_id" else str(person_id(event.person))

    def _seen(self, order: int, event: StoryEvent) -> Seen:
        steps = {
            index
            for index, step in self._numbered()
            if matches(step.any_of, event, self.carried) and (index not in self.first or order in self.first[index])
        }
        excludes = {
            place
            for place, exclusion in enumerate(self.question.exclusions)
            if matches(exclusion.any_of, event, self.carried)
        }
        by = self.question.breakdown.by if self.question.breakdown else ()
        group = tuple(self._text(each, event) or "" for each in by)
        return Seen(order, event, frozenset(steps), frozenset(excludes), group)

    def _text(self, wanted: PropertyOf, event: StoryEvent) -> str | None:
        value = value_of(wanted, event, self.carried)
        return None if value is None else text_of(value)

    # Attempts

    def attempts(self) -> dict[tuple[Group, str], list[Attempt]]:
        """Every attempt of every subject in every group."""
        found: dict[tuple[Group, str], list[Attempt]] = {}
        for subject, stream in self._streams().items():
            for group, path in self._grouped(stream):
                found[group, subject] = [attempt for held in self._held(path) for attempt in self._attempts(path, held)]
        return found

    def _grouped(self, stream: list[Seen]) -> Iterator[tuple[Group, list[Seen]]]:
        touching = [seen for seen in stream if seen.steps]
        match self.question.attribution:
            case "all_events":
                for group in {seen.group for seen in touching}:
                    yield group, [seen for seen in stream if seen.group == group]
            case "step":
                step = self.question.attribution_step or 0
                for group in {seen.group for seen in touching if step in seen.steps}:
                    yield group, [seen if seen.group == group else _without(seen, step) for seen in stream]
            case how:
                in_turn = touching if how == "first_touch" else touching[::-1]
                nothing = ("",) * len(self.question.breakdown.by if self.question.breakdown else ())
                if touching:
                    yield next((seen.group for seen in in_turn if any(seen.group)), nothing), stream

    def _held(self, stream: list[Seen]) -> Iterator[list[Seen]]:
        """The stream once for each value held constant, with only the steps taken under that value."""
        held = self.question.held
        if not held:
            yield stream
            return
        values = {self._text(held[step - 1], seen.event) for seen in stream for step in seen.steps}
        for value in sorted(value for value in values if value):
            yield [
                replace(seen, steps=frozenset(s for s in seen.steps if self._text(held[s - 1], seen.event) == value))
                for seen in stream
            ]

    def _attempts(self, stream: list[Seen], path: list[Seen]) -> Iterator[Attempt]:
        order = self.question.order
        if order == "strict":
            starts = [[place] for place, seen in enumerate(path) if 1 in seen.steps]
        else:
            can_start = [
                place for place, seen in enumerate(path) if (1 in seen.steps if order == "ordered" else seen.steps)
            ]
            moments = sorted({path[place].at for place in can_start})
            starts = [[place for place in can_start if path[place].at == moment] for moment in moments]
        for places in starts:
            started_at = path[places[0]].at
            if not self._may_start(started_at):
                continue
            ends_at = self._ends_at(started_at)
            if order == "unordered":
                times = _matched(path, started_at, ends_at)
            else:
                chains = [chain for place in places for chain in self._chains(path, ends_at, {1: place})]
                best = min(chains, key=lambda chain: _preference({step: path[at].at for step, at in chain.items()}))
                times = {step: path[at].at for step, at in best.items()}
            yield Attempt(times, self._is_void(stream, times, ends_at))

    def _may_start(self, moment: datetime) -> bool:
        _, end = self.question.period.bounds_utc(self.calendar)
        return end is None or moment.replace(tzinfo=None) < end

    def _ends_at(self, started_at: datetime) -> datetime:
        end = started_at + timedelta(seconds=self.question.conversion_window_s)
        if not self.question.same_day:
            return end
        tomorrow = self.calendar.local_clock(started_at).date() + timedelta(days=1)
        midnight = self.calendar.to_utc(datetime.combine(tomorrow, time.min)).replace(tzinfo=started_at.tzinfo)
        return min(end, midnight - timedelta(microseconds=1))

    def _chains(self, path: list[Seen], ends_at: datetime, chain: dict[int, int]) -> Iterator[dict[int, int]]:
        """Every way to go on, where a step may be skipped if it is optional."""
        yield chain
        last = max(chain)
        for step in range(last + 1, len(self.question.steps) + 1):
            if any(not self.question.steps[skipped - 1].optional for skipped in range(last + 1, step)):
                return
            for place, seen in enumerate(path):
                follows = (
                    place == chain[last] + 1 if self.question.order == "strict" else seen.at >= path[chain[last]].at
                )
                if follows and step in seen.steps and place not in chain.values() and seen.at <= ends_at:
                    yield from self._chains(path, ends_at, {**chain, step: place})

    def _is_void(self, stream: list[Seen], times: Times, ends_at: datetime) -> bool:
        for place, exclusion in enumerate(self.question.exclusions):
            opened = times.get(exclusion.from_step)
            closed = times.get(exclusion.to_step or len(self.question.steps))
            if opened is None:
                continue
            for seen in stream:
                if place in seen.excludes and opened < seen.at <= ends_at and (closed is None or seen.at < closed):
                    return True
        return False

    # Who speaks

    def speaking(self) -> dict[tuple[Group, str], Attempt]:
        """The attempt that speaks for each subject in each group."""
        spoken = {}
        for key, attempts in self.attempts().items():
            clean = [attempt for attempt in attempts if not attempt.is_void]
            deepest = max((a.depth for a in (clean if self.question.order == "unordered" else attempts)), default=None)
            candidates = [attempt for attempt in clean if attempt.depth == deepest]
            if candidates:
                spoken[key] = min(candidates, key=self._rank)
        return spoken

    def _rank(self, attempt: Attempt) -> tuple[Any, ...]:
        sign = 1 if self.question.order == "unordered" else -1
        return (attempt.finish, sign * attempt.start.timestamp(), _preference(attempt.times))

    def shown(self, groups: Iterable[tuple[Group, str]]) -> dict[Group, Group | None]:
        """Each group under the name that is shown."""
        sizes: dict[Group, int] = defaultdict(int)
        for group, _ in set(groups):
            sizes[group] += 1
        limit = self.question.breakdown.limit if self.question.breakdown else None
        largest = sorted(sizes, key=lambda group: (-sizes[group], group))[:limit]
        return {group: group if group in largest else None for group in sizes}

    def spoken(self, speaking: dict[tuple[Group, str], Attempt]) -> dict[Group | None, dict[str, Attempt]]:
        """By the group shown, each subject's attempt; of several in the rest the deepest."""
        shown = self.shown(speaking)
        found: dict[Group | None, dict[str, Attempt]] = {} if self.question.breakdown else {(): {}}
        for (group, subject), attempt in speaking.items():
            others = found.setdefault(shown[group], {})
            rival = others.get(subject)
            if rival is None or (_negative(attempt.depth), self._rank(attempt)) < (
                _negative(rival.depth),
                self._rank(rival),
            ):
                others[subject] = attempt
        return found


def funnel_oracle(
    question: FunnelQuestion, events: Sequence[StoryEvent], carried: Carried | None = None
) -> dict[tuple[Group | None, int], FunnelRow]:
    """The rows of a funnel by group and step."""
    oracle = Oracle(question, events, carried)
    rows: dict[tuple[Group | None, int], FunnelRow] = {}
    for group, attempts in oracle.spoken(oracle.speaking()).items():
        for index, step in enumerate(question.steps, start=1):
            taken = [attempt for attempt in attempts.values() if index in attempt.times]
            base = question.last_required_before(index)
            came = [attempt for attempt in attempts.values() if base in attempt.times]
            needed = [_since_previous(attempt.times, index) for attempt in taken] if index > 1 else []
            rows[group, index] = FunnelRow(
                breakdown=group,
                step_index=index,
                step_name=step.label
                if question.order != "unordered"
                else "any step"
                if index == 1
                else f"any {index} steps",
                subject_count=len(taken),
                dropped_count=sum(index not in attempt.times for attempt in came),
                conversion_rate=len(taken) / len(attempts) if attempts else None,
                step_conversion_rate=len(taken) / len(came) if came else None,
                median_time_from_previous_s=median(needed) if needed else None,
                average_time_from_previous_s=fmean(needed) if needed else None,
            )
    return rows


def trend_oracle(
    question: FunnelTrendQuestion, events: Sequence[StoryEvent], carried: Carried | None = None
) -> dict[tuple[Group | None, datetime], FunnelTrendRow]:
    """The intervals in which anybody came to a step, by group and local start."""
    oracle = Oracle(question, events, carried)
    clean = [(key, each) for key, found in oracle.attempts().items() for each in found if not each.is_void]
    shown = oracle.shown({key for key, _ in clean})
    reached: dict[tuple[Group | None, datetime], tuple[set[str], set[str]]] = {}
    for (group, subject), attempt in clean:
        began = oracle.calendar.interval_start(attempt.start, question.interval)
        came, converted = reached.setdefault((shown[group], began), (set(), set()))
        came.update({subject} if question.from_step in attempt.times else ())
        converted.update({subject} if (question.to_step or len(question.steps)) in attempt.times else ())
    return {
        (group, began): FunnelTrendRow(
            group, began, len(came), len(converted), len(converted) / len(came) if came else None
        )
        for (group, began), (came, converted) in reached.items()
    }


def times_oracle(
    question: TimeToConvertQuestion, events: Sequence[StoryEvent], carried: Carried | None = None
) -> dict[str, float]:
    """How many seconds each subject needed, without a breakdown."""
    oracle = Oracle(question, events, carried)
    to_step = question.to_step or len(question.steps)
    return {
        subject: (attempt.times[to_step] - attempt.times[question.from_step]).total_seconds()
        for (_, subject), attempt in oracle.speaking().items()
        if to_step in attempt.times and question.from_step in attempt.times
    }


def _preference(times: Times) -> tuple[Any, ...]:
    """Deepest, most steps; then read from the last step, the earlier times; then the earlier steps."""
    backwards = sorted(times, reverse=True)
    return (-max(times), -len(times), [times[step] for step in backwards], backwards)


def _matched(path: list[Seen], started_at: datetime, ends_at: datetime) -> Times:
    """Without order: when the greatest number of steps with an event of their own grows."""
    usable = [seen for seen in path if seen.steps and started_at <= seen.at <= ends_at]
    times: Times = {}
    for seen in usable:
        until_then = [each.steps for each in usable if each.at <= seen.at]
        for count in range(len(times) + 1, _most_matched(until_then) + 1):
            times[count] = seen.at
    return times


def _most_matched(events: list[frozenset[int]]) -> int:
    steps = sorted(set().union(*events))
    best = 0
    for order in permutations(steps):
        left = list(order)
        matched = 0
        for can_take in events:
            taken = next((step for step in left if step in can_take), None)
            if taken is not None:
                left.remove(taken)
                matched += 1
        best = max(best, matched)
    return best


def _without(seen: Seen, step: int) -> Seen:
    return replace(seen, steps=seen.steps - {step})


def _since_previous(times: Times, index: int) -> float:
    previous = max(step for step in times if step < index)
    return (times[index] - times[previous]).total_seconds()


def _negative(depth: tuple[int, int]) -> tuple[int, int]:
    return -depth[0], -depth[1]
