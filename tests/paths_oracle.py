"""Paths followed one by one in plain Python: the slow truth that the SQL is judged by."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from models.calendar import Calendar
from models.paths import PathsQuestion, PathsRow
from tests.filter_oracle import matches, text_of, value_of
from tests.sessions_oracle import Group, cut_sessions, group_of, named_groups, seen_by
from tests.worlds import Carried, StoryEvent

Node = tuple[str, datetime]
Edge = tuple[int, str, str]


@dataclass(frozen=True)
class FoundPath:
    """One path as it is shown, and whether it went on."""

    person: str
    group: Group
    nodes: list[Node]
    drops_off: bool


def path_rows(question: PathsQuestion, events: Sequence[StoryEvent], calendar: Calendar) -> list[PathsRow]:
    """The rows of the answer, in any order."""
    paths = list(_found(question, events, question.calendar(calendar)))
    sizes: dict[Group, int] = {}
    for path in paths:
        sizes[path.group] = sizes.get(path.group, 0) + 1
    names = named_groups(question.breakdown, sizes)
    kept = _kept_edges(question, paths)
    cells: dict[tuple[object, ...], list[tuple[str, float | None]]] = {}
    for path in paths:
        for part, step, source, target, seconds in _parts(path, kept):
            cell = (part, names[path.group], step, source, target)
            cells.setdefault(cell, []).append((path.person, seconds))
    return [_row(cell, members) for cell, members in cells.items()]


def _found(question: PathsQuestion, events: Sequence[StoryEvent], calendar: Calendar) -> Iterator[FoundPath]:
    for person, seen in seen_by(question, events, calendar).items():
        named = [event for event in seen if node_of(question, event) is not None]
        for session in cut_sessions(question.session, named, calendar):
            visits: list[tuple[StoryEvent, str]] = []
            for event in session:
                name = node_of(question, event)
                assert name is not None
                if not visits or visits[-1][1] != name:
                    visits.append((event, name))
            shown = _shown(question, visits)
            if shown:
                nodes = [(name, event.at) for event, name in shown]
                drops_off = question.end is None and shown[-1][0] is visits[-1][0]
                yield FoundPath(person, group_of(question.breakdown, shown[0][0]), nodes, drops_off)


def _shown(question: PathsQuestion, visits: list[tuple[StoryEvent, str]]) -> list[tuple[StoryEvent, str]]:
    limit = question.step_limit
    if question.start is not None:
        while visits and visits[0][1] != _stripped(question, question.start):
            visits = visits[1:]
    if question.end is None:
        return visits[:limit]
    names = [name for _, name in visits]
    end = _stripped(question, question.end)
    visits = visits[: names.index(end) + 1] if end in names else []
    if question.start is None:
        return visits[-limit:]
    if len(visits) <= limit:
        return visits
    half = limit // 2
    return [*visits[:half], (visits[half][0], "..."), *visits[-half:]]


def node_of(question: PathsQuestion, event: StoryEvent) -> str | None:
    """The name of the event's node; None where it is on no path."""
    if question.any_of and not matches(question.any_of, event):
        return None
    label = next((label for label in question.labels if not label.any_of or matches(label.any_of, event)), None)
    name = event.event
    if label is not None:
        values = [value_of(part, event, Carried()) for part in label.parts]
        if any(value is None for value in values):
            return None
        name = label.separator.join(map(text_of, values))
    name = _stripped(question, name)
    for grouping in question.groupings:
        if re.search(".*".join(map(re.escape, grouping.split("*"))), name, re.DOTALL):
            name = grouping
            break
    return None if name in question.exclude else name


def _stripped(question: PathsQuestion, name: str) -> str:
    return name[:-1] if question.without_trailing_slash and name.endswith("/") and name != "/" else name


def _edges(path: FoundPath) -> Iterator[tuple[Edge, float]]:
    for step, ((source, left_at), (target, came_at)) in enumerate(zip(path.nodes, path.nodes[1:], strict=False), 1):
        yield (step, source, target), (came_at - left_at).total_seconds()


def _kept_edges(question: PathsQuestion, paths: list[FoundPath]) -> set[Edge]:
    people: dict[Edge, list[str]] = {}
    for path in paths:
        for edge, _ in _edges(path):
            people.setdefault(edge, []).append(path.person)
    sizes = {edge: len(found if question.count == "paths" else set(found)) for edge, found in people.items()}
    return set(sorted(sizes, key=lambda edge: (-sizes[edge], edge))[: question.edge_limit])


def _parts(path: FoundPath, kept: set[Edge]) -> Iterator[tuple[str, int, str | None, str | None, float | None]]:
    for step, (name, _) in enumerate(path.nodes, start=1):
        yield "node", step, name, None, None
    for edge, seconds in _edges(path):
        yield ("edge", *edge, seconds) if edge in kept else ("rest", edge[0], None, None, seconds)
    if path.drops_off:
        yield "drop_off", len(path.nodes), path.nodes[-1][0], None, None


def _row(cell: tuple[object, ...], members: list[tuple[str, float | None]]) -> PathsRow:
    seconds = [each for _, each in members if each is not None]
    average = sum(seconds) / len(seconds) if seconds else None
    part, group, step, source, target = cell
    return PathsRow(part, group, step, source, target, len(members), len({who for who, _ in members}), average)  # type: ignore[arg-type]  # as put together above
