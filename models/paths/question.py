"""What a question about paths says, and what its answer's rows are."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from models.breakdown import Breakdown
from models.errors import QuestionError, require_choice
from models.filters import PropertyOf
from models.matching import EventMatch
from models.parts import Part
from models.questions import Question

MAX_STEPS = 100

PathPart = Literal["node", "edge", "rest", "drop_off"]
Counted = Literal["paths", "subjects"]


@dataclass(frozen=True)
class NodeLabel(Part):
    """What events are called on a path: the values of `parts`, joined by `separator`.

    It holds for events that any of `any_of` means (empty: all). An event that lacks one of the parts is on no path.
    """

    parts: tuple[PropertyOf, ...]
    any_of: tuple[EventMatch, ...] = ()
    separator: str = ""

    def __post_init__(self) -> None:
        if not self.parts:
            raise QuestionError("A label needs at least one part: a property whose value names the node.")

    @classmethod
    def of(cls, *names: str, event: str | None = None) -> "NodeLabel":
        """Events of one name (None: all) by event properties."""
        return cls(tuple(map(PropertyOf, names)), (EventMatch(event),) if event is not None else ())


@dataclass(frozen=True)
class PathsQuestion(Question):
    """Which node follows which.

    Events that any of `any_of` means (empty: all) are nodes, called by the first of `labels` for their event, by their
    event's name where there is none. `without_trailing_slash` takes one slash off the end of a name. A name in which a
    grouping is found (`*` stands for anything) becomes that grouping; names in `exclude` are on no path.

    A session is one path; equal neighbours are one node. With `start`, a path begins where that node first stands, with
    `end` it ends where that node next stands, and paths that lack one are left out. `step_limit` nodes remain: the
    first, with only an `end` the last, and between two ends the first half, "..." and the last half.

    `edge_limit` keeps the largest edges, by `count` of paths or subjects, and puts the others of a step together as the
    rest. With a breakdown a path belongs to the group of the event at its first node.
    """

    walks_sessions: ClassVar[bool] = True

    any_of: tuple[EventMatch, ...] = ()
    labels: tuple[NodeLabel, ...] = ()
    without_trailing_slash: bool = True
    groupings: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    start: str | None = None
    end: str | None = None
    step_limit: int = 5
    edge_limit: int | None = None
    count: Counted = "paths"
    breakdown: Breakdown | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice("count", self.count, get_args(Counted))
        if not 2 <= self.step_limit <= MAX_STEPS:
            raise QuestionError(
                f"step_limit is {self.step_limit}: a path is shown with 2 to {MAX_STEPS} nodes, so that it has an edge."
            )
        if self.edge_limit is not None and self.edge_limit < 1:
            raise QuestionError(f"edge_limit is {self.edge_limit}: keep at least 1 edge, or null to keep all.")
        for name, node in (("start", self.start), ("end", self.end)):
            if node == "":
                raise QuestionError(f"{name} is empty: name a node as it is shown on the path, or leave it null.")
            if node is not None and node in self.exclude:
                raise QuestionError(f"{name} {node!r} is among those in exclude: a path cannot have it as an end.")
        if any(set(grouping) <= {"*"} for grouping in self.groupings):
            raise QuestionError("A grouping needs some text beside *: it would take all names for one.")

        self._require_ends_on_paths()

    def events_named(self) -> Iterator[frozenset[str]]:
        """Also its ends, where all nodes are called by their events' names."""
        yield from super().events_named()
        for _, _, spellings in self._events_at_ends():
            yield spellings

    def _events_at_ends(self) -> Iterator[tuple[str, str, frozenset[str]]]:
        """`start` and `end` with their nodes and the events that these can be, where all nodes are called by events."""
        if self.labels or self.groupings:
            return
        for name, node in (("start", self.start), ("end", self.end)):
            if node is not None:
                whole = node.removesuffix("/") if self.without_trailing_slash and node != "/" else node
                yield name, node, frozenset({whole, f"{whole}/"} if self.without_trailing_slash else {whole})

    def _require_ends_on_paths(self) -> None:
        on_paths = {match.event for match in self.any_of}
        for name, node, spellings in self._events_at_ends():
            if on_paths and None not in on_paths and spellings.isdisjoint(on_paths):
                raise QuestionError(f"{name} {node!r} is not among the events in any_of: no path has it.")


@dataclass(frozen=True)
class PathsRow:
    """One part of the paths, at its step (from 1), with the paths and the subjects that have it there.

    part "node": `source` stands at the step; "edge": `target` follows it; "drop_off": nothing follows it in its
    session; "rest": the edges of the step beyond the limit, without names. `average_s` is the time along an edge.
    """

    part: PathPart
    breakdown: tuple[str, ...] | None
    step_index: int
    source: str | None
    target: str | None
    path_count: int
    subject_count: int
    average_s: float | None


@dataclass(frozen=True)
class PathsNumber(Part):
    """Whose paths: those of a row's subject_count, by its part, step and names."""

    part: PathPart = "edge"
    step_index: int | None = None
    source: str | None = None
    target: str | None = None
    breakdown: tuple[str, ...] | Literal["other"] | None = None
