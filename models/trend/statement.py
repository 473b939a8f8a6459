"""A trend as one SQL statement: each series measured per interval and group, laid over the grid of all of them.

Each series is a scan of its own, so that nothing wider than its own events is ever held.
"""

from collections.abc import Mapping, Sequence

from sqlglot import exp

from models.calendar import ALL_TIME, Period
from models.conditions import matches_any
from models.groups import all_groups, beside_kept_groups, group_as_shown, group_key, joined_group, kept_groups
from models.questions import Scope, SeenEvents, Statement
from models.slots import INTERVAL_CTES, in_interval, interval_ctes, span_of
from models.sql import any_of, fragment, instant_conditions, literal, select, union_all, values_table
from models.trend.question import ZERO_WHERE_EMPTY, Measure, Series, TrendQuestion

# The sums are exact to the last digits in whatever order the engine reads.
_MEASURES: Mapping[Measure, str] = {
    "total": "count(*)",
    "subjects": "count(distinct subject_id)",
    "per_subject": "count(*) / count(distinct subject_id)",
    "sum": "fsum(measured)",
    "average": "favg(measured)",
    "min": "min(measured)",
    "max": "max(measured)",
    "median": "quantile_cont(measured, 0.5)",
    "percentile": "quantile_cont(measured, $share)",
    "sum_per_subject": "fsum(measured) / count(distinct subject_id)",
    "distinct": "count(distinct measured)",
}
_MEASURED = """
select $index as series_index, is_compared, interval_index, breakdown, cast($measure as double) as value
from placed
group by is_compared, interval_index, breakdown
"""
_FIRST_INTERVALS = """
select is_compared, breakdown, subject_id, min(interval_index) as interval_index
from placed
group by is_compared, breakdown, subject_id
"""
_SERIES_PEOPLE = """
select distinct $index as series_index, is_compared, interval_index, breakdown, subject_id from placed
"""
# Of the earlier period only what stands beside an interval of the period.
_PEOPLE = """
select people_of_series.* replace ($shown as breakdown), intervals.interval_start
from people_of_series
inner join intervals
    on people_of_series.is_compared = intervals.is_compared
    and people_of_series.interval_index = intervals.interval_index
semi join (select interval_index from intervals where not is_compared) as shown
    on intervals.interval_index = shown.interval_index
"""
_PEOPLE_SO_FAR = """
select
    people_of_series.* replace (intervals.interval_index as interval_index, $shown as breakdown),
    intervals.interval_start
from people_of_series
inner join intervals
    on people_of_series.is_compared = intervals.is_compared
    and people_of_series.interval_index <= intervals.interval_index
semi join (select interval_index from intervals where not is_compared) as shown
    on intervals.interval_index = shown.interval_index
"""
_CELLS = """
select
    series.series_index,
    intervals.is_compared,
    intervals.interval_index,
    intervals.interval_start,
    groups.breakdown,
    coalesce(measured.value, series.empty_value) as value
from series
cross join intervals
cross join groups
left join measured
    on series.series_index = measured.series_index
    and intervals.is_compared = measured.is_compared
    and intervals.interval_index = measured.interval_index
    and groups.breakdown = measured.breakdown
"""
_ADDED_UP = """
select * replace (
    sum(value) over (partition by series_index, is_compared, breakdown order by interval_index) as value
)
from single_cells
"""
_WIDE = "select is_compared, interval_index, interval_start, breakdown from measured_cells group by all"
_FORMULA = """
select $index as series_index, is_compared, interval_index, interval_start, breakdown, $formula as value from wide_cells
"""
_ROWS = """
select
    cells.series_index,
    names.series_name,
    cells.interval_start,
    $shown as breakdown,
    cells.value,
    earlier.interval_start as compared_start,
    earlier.value as compared_value
from cells
inner join names on cells.series_index = names.series_index
left join (select * from cells where is_compared) as earlier
    on cells.series_index = earlier.series_index
    and cells.interval_index = earlier.interval_index
    and cells.breakdown = earlier.breakdown
where not cells.is_compared
order by cells.series_index, breakdown nulls last, cells.interval_index
"""


def build_trend(question: TrendQuestion, scope: Scope) -> Statement:
    """The trend's statement; raises QuestionError where the scope lacks what it needs."""
    return _Trend(question, scope).statement()


class _Trend:
    """The CTEs of one trend, in the order in which they build on each other."""

    def __init__(self, question: TrendQuestion, scope: Scope) -> None:
        self.question = question
        self.seen = SeenEvents(question, scope)
        self.periods = [question.period]
        if question.comparison:
            self.periods.append(question.comparison.period(question.period, self.seen.calendar))

    def statement(self) -> Statement:
        question = self.question
        # Groups are as large as they have events, also where few of them carry what is measured.
        first_events = self._series_rows(Series(question.series[0].any_of), [question.period])
        ctes: dict[str, exp.Query] = {**self._interval_ctes(), **kept_groups(question.breakdown, first_events)}
        for index, series in enumerate(question.series, start=1):
            ctes |= self._series_ctes(index, series)
        ctes |= self._cell_ctes()
        ctes["people_of_series"] = union_all(
            [
                select(_SERIES_PEOPLE, {"placed": self._counted_rows(index)}, index=index)
                for index in range(1, len(question.series) + 1)
            ]
        )
        return Statement(
            ctes={**self.seen.ctes, **ctes},
            rows=select(_ROWS, shown=group_as_shown(question.breakdown, "cells")),
            people=select(
                _PEOPLE_SO_FAR if question.cumulative else _PEOPLE,
                shown=group_as_shown(question.breakdown, "people_of_series"),
            ),
            materialized=(*INTERVAL_CTES, "kept_groups", "measured", "single_cells", "measured_cells", "cells"),
        )

    def _interval_ctes(self) -> Mapping[str, exp.Query]:
        question, ctes = self.question, dict[str, exp.Query]()
        is_open = not (question.period.start and question.period.end)
        extent = "extent" if is_open and question.interval else None
        if extent:
            meant = matches_any([match for each in question.series for match in each.any_of], self.seen.columns)
            ctes[extent] = self.seen.rows({"event_at": _event_column("event_at")}, [meant])
        spans = [
            span_of(period, self.seen.calendar, extent, is_compared=position > 0)
            for position, period in enumerate(self.periods)
        ]
        return ctes | dict(interval_ctes(spans, question.interval, self.seen.calendar))

    def _series_ctes(self, index: int, series: Series) -> Mapping[str, exp.Query]:
        events, placed = f"series_{index}", f"placed_{index}"
        is_of_all_time = series.occurrence in ("first_time", "last_time")
        rows = self._series_rows(series, None if is_of_all_time else self.periods)
        in_place = select("select subject_id, measured from series_events", {"series_events": events})
        in_place = beside_kept_groups(in_place, self.question.breakdown)
        in_place = in_place.select(joined_group(self.question.breakdown), copy=False)
        in_place = in_interval(in_place, exp.column("event_at"), self.question.interval)
        if is_of_all_time:
            rows = _one_per_subject(rows, series, ["subject_id"])
        elif series.occurrence != "all":
            in_place = _one_per_subject(in_place, series, ["subject_id", "is_compared"])
        ctes: dict[str, exp.Query] = {events: rows, placed: in_place}
        if self.question.cumulative:
            ctes[self._counted_rows(index)] = select(_FIRST_INTERVALS, {"placed": placed})
        return ctes

    def _series_rows(self, series: Series, periods: Sequence[Period] | None) -> exp.Select:
        """The events of a series in any of the periods (None: of all time), with their group and what is measured."""
        columns = self.seen.columns
        values = {
            "event_at": _event_column("event_at"),
            "log_order": _event_column("log_order"),
            "breakdown": group_key(self.question.breakdown, columns),
            "measured": literal(None),
        }
        where = [matches_any(series.any_of, columns)]
        if series.property:
            read = columns.text if series.measure == "distinct" else columns.number
            values["measured"] = read(series.property)
            where.append(fragment("$measured is not null", measured=values["measured"]))
        if periods is not None:
            where.append(self._in_any(periods))
        return self.seen.rows(values, where, period=ALL_TIME)

    def _in_any(self, periods: Sequence[Period]) -> exp.Expr:
        inside = [instant_conditions(*period.bounds_utc(self.seen.calendar)) for period in periods]
        return any_of([exp.and_(*conditions) if conditions else exp.true() for conditions in inside])

    def _counted_rows(self, index: int) -> str:
        """The CTE whose subjects are the series' people: in every interval, or in the first that has them."""
        return f"first_intervals_{index}" if self.question.cumulative else f"placed_{index}"

    def _cell_ctes(self) -> Mapping[str, exp.Query]:
        question = self.question
        series = list(enumerate(question.series, start=1))
        ctes: dict[str, exp.Query] = {
            "measured": union_all([self._measured(index, each) for index, each in series]),
            "groups": all_groups(question.breakdown, "measured"),
            "series": union_all([_series_row(index, each) for index, each in series]),
            "single_cells": select(_CELLS),
            "measured_cells": select(_ADDED_UP if question.cumulative else "select * from single_cells"),
        }
        labels = [each.label for each in question.series] + [each.label for each in question.formulas]
        ctes["names"] = values_table("names", ("series_index", "series_name"), enumerate(labels, start=1))
        return ctes | self._formula_ctes()

    def _formula_ctes(self) -> dict[str, exp.Query]:
        question, cells = self.question, [select("select * from measured_cells")]
        wide = select(_WIDE)
        for index in range(1, len(question.series) + 1):
            value = fragment("max(value) filter (where series_index = $index)", index=index)
            wide = wide.select(exp.alias_(value, f"value_{index}"), copy=False)
        values = {name: exp.column(f"value_{position + 1}") for name, position in question.series_names.items()}
        for position, formula in enumerate(question.formulas_over(values), start=len(question.series) + 1):
            cells.append(select(_FORMULA, index=position, formula=formula))
        every_cell = {"cells": union_all(cells)}
        return {"wide_cells": wide, **every_cell} if question.formulas else every_cell

    def _measured(self, index: int, series: Series) -> exp.Select:
        if self.question.cumulative and series.measure == "subjects":
            rows = self._counted_rows(index)
            return select(_MEASURED, {"placed": rows}, index=index, measure=fragment("count(*)"))
        share = literal((series.percentile or 0) / 100)
        measure = fragment(_MEASURES[series.measure], share=share)
        return select(_MEASURED, {"placed": f"placed_{index}"}, index=index, measure=measure)


def _event_column(name: str) -> exp.Expr:
    return exp.column(name, table="events")


def _series_row(index: int, series: Series) -> exp.Select:
    empty = literal(0 if series.measure in ZERO_WHERE_EMPTY else None)
    return select("select $index as series_index, $empty as empty_value", index=index, empty=empty)


def _one_per_subject(query: exp.Select, series: Series, keys: Sequence[str]) -> exp.Select:
    """`query` with the first or the last event of each subject only."""
    direction = "desc" if series.occurrence.startswith("last") else "asc"
    row = fragment(
        f"row_number() over (partition by {', '.join(keys)} order by event_at {direction}, log_order {direction}) = 1"
    )
    return query.qualify(row, copy=False)
