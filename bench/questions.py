"""The questions over many events, beside ClickHouse in the same process: seconds, and how many times as long it takes.

Ours join each event to its person when they are asked; ClickHouse has persons in a column. `sizes` halves show whether
a question gets slower than linear.
"""

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any

from bench.clickhouse import ClickHouse
from bench.linked import fill_identities, open_warehouse
from bench.timing import out, show, take_turns
from models.asking import ask
from models.breakdown import Breakdown, BreakdownProperty
from models.calendar import Calendar
from models.filters import PropertyFilter
from models.funnel import FunnelStep
from models.kinds import kind_of
from models.matching import EventMatch, Step
from models.questions import Question
from warehouse.warehouse import Warehouse

GOAL = 5.0
"""At most so many times ClickHouse's time."""

_EVENTS = """
insert into store.events by name
select
    cast(md5(cast(number as varchar)) as uuid) as event_id,
    'Event' || (hash(2 * number) % 40) as event_name,
    timestamp '2026-01-01' + to_microseconds(cast(floor(number * 90.0 * 86400e6 / $events) as bigint)) as event_at,
    event_at as received_at,
    event_at as original_event_at,
    hash(2 * number + 1) % $identities as identity_id,
    ['web', 'app', 'server', 'mini_program'][1 + cast(hash(3 * number) % 4 as bigint)] as source,
    'native' as protocol,
    'track' as record_type,
    printf('%017d/bench/000000000001/%012d/000000', epoch_us(event_at), number) as log_order,
    1 as load_id,
from range($events) as numbers (number)
"""


@dataclass(frozen=True)
class Sizes:
    """How much of everything."""

    events: int = 20_000_000
    identities: int = 1_500_000
    rounds: int = 3
    memory_limit_mb: int = 4096


def questions() -> Mapping[str, Question]:
    """Ours, by the name of ClickHouse's statement."""
    from models import (
        distribution,
        funnel,
        interval,
        lifecycle,
        paths,
        retention,
        sequences,
        sessions,
        stickiness,
        trend,
    )

    events = [EventMatch(f"Event{number}") for number in range(5)]
    steps = tuple(Step((each,)) for each in events)
    funnel_steps = tuple(FunnelStep((each,)) for each in events)
    every_event = (trend.Series((EventMatch(None),)), trend.Series((EventMatch(None),), measure="subjects"))
    by_source = Breakdown((BreakdownProperty("source", of="field"),))
    # Those without any of the events are counted by neither.
    of_steps = PropertyFilter("event_name", "eq", tuple(f"Event{number}" for number in range(5)), of="field")
    return {
        "funnel": funnel.FunnelQuestion(funnel_steps),
        "funnel, strict": funnel.FunnelQuestion(funnel_steps, order="strict"),
        "trend, by day": trend.TrendQuestion(series=every_event),
        "trend, by day and source": trend.TrendQuestion(series=every_event, breakdown=by_source),
        "retention, first time, by day": retention.RetentionQuestion(mode="first_time", periods=30),
        "lifecycle, by day": lifecycle.LifecycleQuestion(),
        "stickiness, by day": stickiness.StickinessQuestion(),
        "distribution": distribution.DistributionQuestion(any_of=(EventMatch(None),)),
        "interval": interval.IntervalQuestion(first=steps[0], second=steps[1]),
        "sessions, by day": sessions.SessionsQuestion(interval="day"),
        "paths": paths.PathsQuestion(any_of=tuple(events)),
        "sequence match": sequences.SequenceMatchQuestion(
            conditions=steps[:3], pattern="(?1).*(?2).*(?3)", where=(of_steps,)
        ),
    }


def run(sizes: Sizes = Sizes()) -> None:  # frozen
    """Print the table."""
    with tempfile.TemporaryDirectory() as name, open_warehouse(Path(name), sizes.memory_limit_mb) as warehouse:
        fill_identities(warehouse, sizes.identities)
        with warehouse.write() as connection:
            connection.execute(_EVENTS, {"identities": sizes.identities, "events": sizes.events})
        warehouse.checkpoint()
        clickhouse = ClickHouse(Path(name))
        clickhouse.load(warehouse)
        rows = [_compare(each, question, warehouse, clickhouse, sizes) for each, question in questions().items()]
        clickhouse.close()
    title = f"Questions over {sizes.events:,} events of {sizes.identities:,} identities"
    show(title, ("question", "ours s", "ClickHouse s", f"ratio (goal {GOAL:g} x)"), rows)
    peak_gb = getrusage(RUSAGE_SELF).ru_maxrss / 1024**2
    out.print(f"most memory of the process, ClickHouse included: {peak_gb:.1f} GB", highlight=False)


def _compare(
    name: str, question: Question, warehouse: Warehouse, clickhouse: ClickHouse, sizes: Sizes
) -> tuple[str, str, str, str]:
    contenders: dict[str, Callable[[], float]] = {
        "ours": lambda: _seconds(lambda: _ask(question, warehouse)),
        "theirs": lambda: _seconds(lambda: clickhouse.ask(name)),
    }
    found = take_turns(contenders, sizes.rounds)
    row = (name, f"{found['ours']:.2f}", f"{found['theirs']:.2f}", f"{found['ours'] / found['theirs']:.1f} x")
    out.print(*row, sep="  ", highlight=False)
    return row


def _ask(question: Question, warehouse: Warehouse) -> Any:
    with warehouse.snapshot(timeout_s=3600) as snapshot:
        return ask(kind_of(question), question, snapshot, Calendar())


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
