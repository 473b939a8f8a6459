"""Values kept as JSON, in the forms that typed properties of events have."""

from sqlglot import exp

from models.sql import fragment

_PLAIN = r"""
case
    when json_type($value) = 'DOUBLE' then regexp_replace($value ->> '$', '\.0$', '')
    else $value ->> '$'
end
"""
_TEXT = "case when json_type($value) = 'ARRAY' then array_to_string($value ->> '$[*]', ', ') else $plain end"
_ITEMS = """
case
    when json_type($value) = 'ARRAY' then $value ->> '$[*]'
    when json_type($value) <> 'NULL' then [$plain]
end
"""


def json_text(value: exp.Expr) -> exp.Expr:
    """The value as text: a number without a needless fraction, items joined by commas; null where there is none."""
    return fragment(_TEXT, value=value, plain=_plain(value))


def json_items(value: exp.Expr) -> exp.Expr:
    """The items of a list as texts, any other value as the only one; null where there is none."""
    return fragment(_ITEMS, value=value, plain=_plain(value))


def _plain(value: exp.Expr) -> exp.Expr:
    return fragment(_PLAIN, value=value)
