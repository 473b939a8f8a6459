"""The SQL files: read by name, with their parameters bound as literals where DuckDB binds none (in views)."""

from functools import cache, lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from itertools import pairwise

from sqlglot import Dialect, TokenType, exp

_FIRST_VIEWS = ("views/property_history", "views/property_values")


@cache
def _folder() -> Traversable:
    return resources.files("sql")


@cache
def read_statement(name: str) -> str:
    """The text of `sql/NAME.sql`, as in `read_statement("views/events")`."""
    return _folder().joinpath(f"{name}.sql").read_text(encoding="utf-8")


def list_statements(folder: str) -> list[str]:
    """Names of the files in a folder of `sql/`, sorted, each usable with `read_statement`."""
    files = _folder().joinpath(folder).iterdir()
    return sorted(f"{folder}/{file.name.removesuffix('.sql')}" for file in files if file.name.endswith(".sql"))


def list_views() -> list[str]:
    """The public views, each usable with `read_statement`; those that others are built on come first."""
    return [*_FIRST_VIEWS, *(name for name in list_statements("views") if name not in _FIRST_VIEWS)]


def list_attribution_views(history: str) -> list[str]:
    """The views inside `store` that say whose an event is, where history `follows` a merge or `stays`."""
    return [f"history_{history}/attributed_events", f"history_{history}/past_persons"]


def view_name(name: str) -> str:
    """The name of the view that a file of `sql/` holds."""
    return name.rpartition("/")[2]


def with_literals(statement: str, parameters: dict[str, str]) -> str:
    """`statement` with each `$name` of `parameters` replaced by a text literal."""
    texts, names = _around_parameters(statement)
    values = [
        exp.Literal.string(parameters[name]).sql("duckdb") if name in parameters else f"${name}" for name in names
    ]
    return texts[0] + "".join(value + text for value, text in zip(values, texts[1:], strict=True))


@lru_cache(maxsize=256)
def _around_parameters(statement: str) -> tuple[list[str], list[str]]:
    """The texts before, between and after the parameters of a statement, and the parameters' names."""
    texts, names, end = list[str](), list[str](), 0
    for sign, name in pairwise(Dialect.get_or_raise("duckdb").tokenize(statement)):
        if sign.token_type is TokenType.PARAMETER and name.start == sign.end + 1:
            texts.append(statement[end : sign.start])
            names.append(name.text)
            end = name.end + 1
    return [*texts, statement[end:]], names
