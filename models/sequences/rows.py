"""What all sequence functions read and give: events with the conditions they meet, and subjects counted by result.

A path is the events of one subject; with a breakdown, those of one subject inside one group.
"""

from collections.abc import Mapping, Sequence

from sqlglot import exp

from models.conditions import all_hold, matches_any
from models.groups import all_groups, group_as_shown, group_key, in_joined_groups, kept_groups
from models.questions import SeenEvents, Statement
from models.sequences.questions import SequenceQuestion
from models.sql import any_of, fragment, select


class SequenceRows:
    """The events of a sequence question, and the statement that counts its subjects."""

    def __init__(self, question: SequenceQuestion, seen: SeenEvents) -> None:
        self.question = question
        self.seen = seen
        self.flags = [exp.column(f"is_{number}") for number in range(1, len(question.conditions) + 1)]
        self.meets_any = any_of(self.flags)

    def ctes(self, values: Mapping[str, exp.Expr] | None = None) -> dict[str, exp.Query]:
        """path_rows: one row per event seen, with path_id, event_at, log_order, is_1, is_2 ... and `values`."""
        columns = self.seen.columns
        own: dict[str, exp.Expr] = {name: exp.column(name, table="events") for name in ("event_at", "log_order")}
        if self.question.breakdown is not None:
            own["breakdown"] = group_key(self.question.breakdown, columns)
        met = {
            flag.name: matches_any(condition.any_of, columns)
            for flag, condition in zip(self.flags, self.question.conditions, strict=True)
        }
        events = self.seen.rows({**own, **met, **(values or {})})
        return {**self.seen.ctes, "seen_events": events, "path_rows": select(_PATH_ROWS, path=self._path())}

    def statement(
        self,
        ctes: Mapping[str, exp.Query],
        result: Sequence[str],
        materialized: Sequence[str] = (),
        possible: exp.Select | None = None,
    ) -> Statement:
        """Subjects counted by the columns `result` of the CTE path_results; `possible` results are listed at 0, too."""
        breakdown, named = self.question.breakdown, select("select subject_id, breakdown from named_results")
        results = [exp.column(name) for name in result]
        counted = exp.select("breakdown", *results, fragment("count(distinct subject_id) as subject_count"))
        all_ctes = {
            **ctes,
            "named_results": self._named_results(),
            **kept_groups(breakdown, named, size="count(distinct subject_id)"),
            "results": in_joined_groups("named_results", breakdown),
            "counted_results": counted.from_("results").group_by("breakdown", *results),
        }
        if possible is not None:
            all_ctes |= {"possible_results": possible, "groups": all_groups(breakdown, "results")}
            all_ctes["listed_results"] = _listed_results(result)
        table = "counted_results" if possible is None else "listed_results"
        rows = exp.select(exp.alias_(group_as_shown(breakdown, table), "breakdown"), *results, "subject_count")
        rows = rows.from_(table).order_by("breakdown nulls last", *(exp.Ordered(this=each) for each in results))
        people = select(
            "select * replace ($shown as breakdown) from results", shown=group_as_shown(breakdown, "results")
        )
        return Statement(all_ctes, rows, people, (*materialized, "named_results", "kept_groups"))

    def _path(self) -> exp.Expr:
        is_split = self.question.breakdown is not None
        return fragment("{'subject_id': subject_id, 'breakdown': breakdown}" if is_split else "subject_id")

    def _named_results(self) -> exp.Select:
        if self.question.breakdown is None:
            return select(_RESULTS_OF_SUBJECTS)
        return select(_RESULTS_OF_GROUPS)


_PATH_ROWS = "select $path as path_id, * from seen_events"

_RESULTS_OF_SUBJECTS = """
select * exclude (path_id), path_id as subject_id, 0 as breakdown
from path_results
"""

_RESULTS_OF_GROUPS = """
select * exclude (path_id), path_id.subject_id as subject_id, path_id.breakdown as breakdown
from path_results
"""


_LISTED_RESULTS = """
select groups.breakdown, possible_results.*, coalesce(counted_results.subject_count, 0) as subject_count
from groups
cross join possible_results
left join counted_results on counted_results.breakdown = groups.breakdown and $is_same_result
"""


def _listed_results(names: Sequence[str]) -> exp.Select:
    pairs = [(exp.column(name, table="counted_results"), exp.column(name, table="possible_results")) for name in names]
    return select(_LISTED_RESULTS, is_same_result=all_hold([exp.EQ(this=own, expression=to) for own, to in pairs]))
