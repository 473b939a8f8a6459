"""The events of paths under the names they have there."""

from functools import reduce

from sqlglot import exp

from models.columns import Columns
from models.conditions import matches_any
from models.groups import group_key
from models.paths.question import NodeLabel, PathsQuestion
from models.questions import SeenEvents
from models.sql import fragment, literal, select


def node_ctes(question: PathsQuestion, seen: SeenEvents) -> dict[str, exp.Query]:
    """CTEs that end in nodes: one row per event that is on a path, with its node and what sessions are cut by."""
    values = {
        "event_at": exp.column("event_at", table="events"),
        "log_order": exp.column("log_order", table="events"),
        "own_name": _own_name(question, seen.columns),
        "breakdown": group_key(question.breakdown, seen.columns),
        **question.session.flags(seen.columns),
    }
    where = [matches_any(question.any_of, seen.columns)] if question.any_of else []
    named_events = seen.rows(values, where)
    nodes = select("select * exclude (own_name), $name as node from named_events", name=_grouped(question))
    excluded = [literal(each) for each in question.exclude]
    nodes = nodes.where(fragment("own_name is not null"), copy=False)
    if excluded:
        nodes = nodes.where(exp.not_(exp.In(this=exp.column("node"), expressions=excluded)), copy=False)
    return {**seen.ctes, "named_events": named_events, "nodes": nodes}


def shown_name(name: str, question: PathsQuestion) -> str:
    """The name of a node as events of that name would have it."""
    if question.without_trailing_slash and len(name) > 1 and name.endswith("/"):
        return name[:-1]
    return name


def _own_name(question: PathsQuestion, columns: Columns) -> exp.Expr:
    name = exp.Case()
    for label in question.labels:
        is_meant = matches_any(label.any_of, columns) if label.any_of else exp.true()
        name.when(is_meant, _labelled(label, columns), copy=False)
    own = name.else_(fragment("events.event_name"), copy=False) if question.labels else fragment("events.event_name")
    if not question.without_trailing_slash:
        return own
    return fragment(r"regexp_replace($name, '(.)/$', '\1', 's')", name=own)


def _labelled(label: NodeLabel, columns: Columns) -> exp.Expr:
    parts: list[exp.Expr] = []
    for part in label.parts:
        parts.extend([literal(label.separator)] if parts and label.separator else [])
        parts.append(columns.text(part))
    # `||` is null where a part is: concat() would pass over it.
    return reduce(lambda left, right: fragment("$left || $right", left=left, right=right), parts)


def _grouped(question: PathsQuestion) -> exp.Expr:
    if not question.groupings:
        return exp.column("own_name")
    name = exp.Case()
    for grouping in question.groupings:
        name.when(
            fragment(r"own_name like $pattern escape '\'", pattern=_pattern(grouping)), literal(grouping), copy=False
        )
    return name.else_(exp.column("own_name"), copy=False)


def _pattern(grouping: str) -> str:
    """A grouping as LIKE wants it: found anywhere, `*` anything, all else itself."""
    escaped = grouping.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{escaped.replace('*', '%')}%"
