"""Arithmetic over the series of a trend: numbers, names of series, + - * / and parentheses, and nothing else.

A formula is read into a tree, judged node by node and built anew, so that no other SQL can pass through it.
"""

import math
import re
from collections.abc import Mapping

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from models.errors import QuestionError
from models.sql import DIALECT, fragment, literal

MAX_LENGTH = 200
MAX_PARENTHESES = 20

_TOKEN = re.compile(r'\s+|"(?:[^"]|"")*"|[^\W\d]\w*|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[-+*/()]')
_BINARY: tuple[type[exp.Binary], ...] = (exp.Add, exp.Sub, exp.Mul)


def formula_sql(text: str, values: Mapping[str, exp.Expr]) -> exp.Expr:
    """The formula over `values`, doubles by the names of their series; division by nothing is null.

    Raises QuestionError where the text is no formula or names a series that is not there.
    """
    if len(text) > MAX_LENGTH or text.count("(") > MAX_PARENTHESES:
        raise QuestionError(
            f"A formula has at most {MAX_LENGTH} characters and {MAX_PARENTHESES} parentheses: {text[:40]!r} has more."
        )
    tokens = _TOKEN.findall(text)
    if "".join(tokens) != text:
        raise _no_formula(text, values)
    try:
        # Apart, two minuses are two, and nothing begins a comment of SQL.
        tree = sqlglot.parse_one(" ".join(tokens), dialect=DIALECT)
    except SqlglotError as error:
        raise _no_formula(text, values) from error
    result = _build(tree, text, values)
    return fragment("case when isfinite($result) then $result end", result=result)


def _build(node: object, text: str, values: Mapping[str, exp.Expr]) -> exp.Expr:
    if isinstance(node, exp.Paren):
        return exp.paren(_build(node.this, text, values))
    if isinstance(node, exp.Neg):
        return exp.Neg(this=exp.paren(_build(node.this, text, values)))
    if isinstance(node, exp.Div):
        left, right = (_build(side, text, values) for side in (node.this, node.expression))
        return fragment("$left / nullif($right, 0)", left=left, right=right)
    if type(node) in _BINARY:
        assert isinstance(node, exp.Binary)
        return type(node)(this=_build(node.this, text, values), expression=_build(node.expression, text, values))
    if isinstance(node, exp.Literal) and not node.is_string and math.isfinite(float(node.this)):
        return literal(float(node.this))
    if isinstance(node, exp.Column) and len(node.parts) == 1 and node.name in values:
        return values[node.name].copy()
    raise _no_formula(text, values)


def _no_formula(text: str, values: Mapping[str, exp.Expr]) -> QuestionError:
    names = ", ".join(f'"{name}"' if not name.isidentifier() else name for name in values)
    return QuestionError(f"{text!r} is no formula: it takes numbers, + - * /, parentheses and the series {names}.")
