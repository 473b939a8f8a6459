"""The catalog as SQL.

Events and all their properties take one scan, their examples another; then what persons and accounts have.
"""

from collections.abc import Collection, Sequence

from sqlglot import exp

from models.columns import property_column
from models.sql import fragment, json_pointer, render, select

_EVENTS = """
select
    event_name,
    count(*) as event_count,
    min(event_at) as first_seen_at,
    max(event_at) as last_seen_at,
    count(distinct person_id) as persons,
    list_sort(list(distinct source) filter (where source is not null)) as sources,
    list_sort(list(distinct struct_pack(sdk := sdk, version := sdk_version)) filter (where sdk is not null)) as sdks
from events
group by event_name
order by event_name
"""

_EXAMPLES = """
select event_name
from events
group by event_name
order by event_name
"""

# The most frequent values; of equally frequent ones the smallest.
_MOST_FREQUENT = """
list_transform(
    list_slice(
        list_sort(
            list_transform(
                map_entries(histogram($column)),
                lambda entry: struct_pack(rank := -cast(entry.value as bigint), example := entry.key)
            )
        ),
        1,
        $examples
    ),
    lambda entry: entry.example
)
"""

_OTHER_PROPERTIES = """
select event_name, unnest(json_keys(other_properties)) as property_name, other_properties
from events
where other_properties is not null
"""

# Equal values are told apart from different ones only after the smallest were found, so more than needed are taken.
_SMALLEST = "list_slice(list_sort(list_distinct(min($column, 100))), 1, $examples)"

_OTHER_VALUES = """
select
    event_name,
    property_name,
    json_extract(other_properties, $pointer) as value
from other_properties
"""

_OTHER_TYPES = """
select
    event_name,
    property_name,
    json_type(value) as json_type,
    count(*) as value_count,
    list_slice(list_sort(list_distinct(min(value ->> '$', 100))), 1, $examples) as examples
from other_values
group by event_name, property_name, json_type(value)
order by event_name, property_name, json_type
"""

_COUNTED_VALUES = """
select
    case target when 'person' then 'person' else 'account' end as target,
    property_name,
    json_type(value) as json_type,
    value ->> '$' as text,
    count(*) as value_count
from property_values
group by case target when 'person' then 'person' else 'account' end, property_name, json_type(value), value ->> '$'
"""

_TARGET_PROPERTIES = """
select
    target,
    property_name,
    json_type,
    cast(sum(value_count) as bigint) as value_count,
    count(*) as distinct_count,
    list_transform(
        min(struct_pack(rank := -cast(value_count as bigint), example := text), $examples), lambda entry: entry.example
    ) as examples
from counted_values
group by target, property_name, json_type
order by target, property_name, value_count desc, json_type
"""

TARGET_COUNTS = """
select 'person' as target, count(*) as target_count from persons
union all
select 'account' as target, count(*) as target_count from accounts
"""

PROPERTY_TYPES = "select property_name, property_type from event_properties order by property_name"


def build_events_query(columns: Sequence[str], event: str | None) -> str:
    """One row per event; `filled_N` and `distinct_N` say how many events have the Nth column, and how many values."""
    query = _of_event(select(_EVENTS), event)
    for index, name in enumerate(columns):
        column = property_column(name)
        query.select(
            exp.alias_(fragment("count($column)", column=column), f"filled_{index}"),
            exp.alias_(fragment("approx_count_distinct($column)", column=column), f"distinct_{index}"),
            copy=False,
        )
    return render({}, query)


def build_examples_query(columns: Sequence[str], few_valued: Collection[str], event: str | None, examples: int) -> str:
    """One row per event; `examples_N` is of the Nth column.

    Only columns with few values are counted value by value; of the others the smallest values stand for all.
    """
    query = _of_event(select(_EXAMPLES), event)
    for index, name in enumerate(columns):
        text = _MOST_FREQUENT if name in few_valued else _SMALLEST
        found = fragment(text, column=property_column(name), examples=examples)
        query.select(exp.alias_(found, f"examples_{index}"), copy=False)
    return render({}, query)


def build_other_types_query(event: str | None, examples: int) -> str:
    """One row per event, property and JSON type of what has no column, or does not fit it."""
    ctes: dict[str, exp.Query] = {
        "other_properties": _of_event(select(_OTHER_PROPERTIES), event),
        "other_values": select(_OTHER_VALUES, pointer=json_pointer(exp.column("property_name"))),
    }
    return render(ctes, select(_OTHER_TYPES, examples=examples))


def build_target_properties_query(examples: int) -> str:
    """One row per property of persons and accounts and JSON type of its values."""
    return render({"counted_values": select(_COUNTED_VALUES)}, select(_TARGET_PROPERTIES, examples=examples))


def _of_event(query: exp.Select, event: str | None) -> exp.Select:
    return query if event is None else query.where(fragment("event_name = $event", event=event), copy=False)
