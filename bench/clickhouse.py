"""ClickHouse in process, as a peer: the events of a warehouse in its own table, and the questions in its own words.

Persons stand in a column of the table, so that it joins nothing; the order of the table is the one that ClickHouse
documents for events, (event, day, person).
"""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from warehouse.warehouse import Warehouse

_EVENTS = """
select event_name as event, event_at as at, identity.founder_id as person, source
from store.events
inner join store.identity_persons as identity using (identity_id)
"""
_TABLE = """
create table bench.events (
    event LowCardinality(String), at DateTime64(6, 'UTC'), person UInt32, source LowCardinality(String)
)
engine = MergeTree order by (event, toDate(at), person)
"""
_IS_STEP = ", ".join(f"event = 'Event{number}'" for number in range(5))
_STEPS = ", ".join(f"'Event{number}'" for number in range(5))
_WINDOW_US = 14 * 86_400 * 1_000_000
_MICROSECONDS = "toUInt64(toUnixTimestamp64Micro(at))"
_DAYS = "select person, toDate(at) as day from bench.events group by person, day"

# What each question of the benchmark is in ClickHouse: its own functions where it has them.
STATEMENTS = {
    "funnel": f"""
        select level, count() from (
            select person, windowFunnel({_WINDOW_US})({_MICROSECONDS}, {_IS_STEP}) as level
            from bench.events where event in ({_STEPS}) group by person
        ) where level > 0 group by level order by level
    """,
    "funnel, strict": f"""
        select level, count() from (
            select person, windowFunnel({_WINDOW_US}, 'strict_order')({_MICROSECONDS}, {_IS_STEP})
                as level
            from bench.events group by person
        ) where level > 0 group by level order by level
    """,
    "trend, by day": "select toDate(at) as day, count(), uniqExact(person) from bench.events group by day order by day",
    "trend, by day and source": """
        select toDate(at) as day, source, count(), uniqExact(person) from bench.events
        group by day, source order by day, source
    """,
    "retention, first time, by day": """
        select first_day, dateDiff('day', first_day, day) as later, count() from (
            select min(toDate(at)) as first_day, arrayJoin(groupUniqArray(toDate(at))) as day
            from bench.events group by person
        ) where later <= 30 group by first_day, later order by first_day, later
    """,
    "lifecycle, by day": f"""
        select day, status, count() from (
            select day, multiIf(isNull(before), 'new', before = day - 1, 'returning', 'resurrecting') as status from (
                select day, lagInFrame(toNullable(day)) over (partition by person order by day) as before from ({_DAYS})
            )
        ) group by day, status order by day, status
    """,
    "stickiness, by day": f"""
        select days, count() from (select person, count() as days from ({_DAYS}) group by person) group by days
    """,
    "distribution": """
        select least(total, 100) as amount, count() from (
            select person, count() as total from bench.events group by person
        ) group by amount order by amount
    """,
    "interval": """
        select quantiles(0.1, 0.25, 0.5, 0.75, 0.9)(gap), count() from (
            select event, dateDiff('microsecond', at, min(if(event = 'Event1', toNullable(at), null)) over (
                partition by person order by at rows between 1 following and unbounded following
            )) as gap from bench.events where event in ('Event0', 'Event1')
        ) where event = 'Event0' and gap is not null
    """,
    "sessions, by day": """
        select toDate(began) as day, count(), uniqExact(person), avg(depth) from (
            select person, session, min(at) as began, count() as depth from (
                select person, at, sum(is_new) over (partition by person order by at) as session from (
                    select person, at,
                        dateDiff('second', lagInFrame(at) over (partition by person order by at), at) >= 1800 as is_new
                    from bench.events
                )
            ) group by person, session
        ) group by day order by day
    """,
    "paths": """
        select source, target, count() from (
            select event as source,
                leadInFrame(toNullable(toString(event))) over (partition by person order by at) as target,
                dateDiff('second', at, leadInFrame(at) over (partition by person order by at)) as gap
            from bench.events where event in ('Event0', 'Event1', 'Event2', 'Event3', 'Event4')
        ) where target is not null and gap < 1800 group by source, target
    """,
    "sequence match": f"""
        select countIf(matched) from (
            select sequenceMatch('(?1).*(?2).*(?3)')(
                toDateTime(at), event = 'Event0', event = 'Event1', event = 'Event2'
            ) as matched
            from bench.events where event in ({_STEPS}) group by person
        )
    """,
}


class ClickHouse:
    """A ClickHouse in this process, with the events of a warehouse. Needs chdb, a development dependency."""

    def __init__(self, folder: Path) -> None:
        from chdb.session import Session

        self._folder = folder
        self._session: Any = Session(str(folder / "clickhouse"))
        self._session.query("create database if not exists bench")
        self._session.query(_TABLE)

    def load(self, warehouse: Warehouse) -> None:
        """Take over all events, by way of a Parquet file."""
        path = self._folder / "events.parquet"
        with warehouse.snapshot(timeout_s=3600) as snapshot:
            pq.write_table(snapshot.query(_EVENTS), path)
        self._session.query(f"insert into bench.events select event, at, person, source from file('{path}', Parquet)")
        self._session.query("optimize table bench.events final")
        path.unlink()

    def ask(self, name: str) -> None:
        """Run the statement of a question to its last row."""
        self._session.query(STATEMENTS[name], "CSV")

    def close(self) -> None:
        """End it; its files stay in the folder."""
        self._session.close()
