"""The rules of the house, kept by machine: who may import whom, who may touch what, and that the documents are true."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from api.cli import app
from api.project_file import PROJECT_FIELDS
from api.settings import SECTIONS, settable_fields, variable_name
from ingest.errors import RejectReason
from warehouse.statements import list_statements, read_statement

ROOT = Path(__file__).parent.parent
ROOMS = ["ingest", "warehouse", "models", "api"]
DOCS = ROOT / "docs"


def modules(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Full names of everything a module imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively; name the room"
            yield node.module or ""


def top(name: str) -> str:
    return name.partition(".")[0]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_rooms_to_its_left(room: str) -> None:
    allowed = set(ROOMS[: ROOMS.index(room) + 1])
    for path in modules(room):
        for name in imports(path):
            assert top(name) not in set(ROOMS) - allowed, f"{path.relative_to(ROOT)} imports {name}"
            assert top(name) != "tests", f"{path.relative_to(ROOT)} imports a test"


def test_modules_do_not_import_each_other_in_circles() -> None:
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for room in ROOMS for path in modules(room)}
    graph = {name: {each for each in imports(path) if each in names} for name, path in names.items()}
    done: set[str] = set()

    def walk(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"a circle: {' -> '.join((*trail, name))}"
        if name not in done:
            for each in graph[name]:
                walk(each, (*trail, name))
            done.add(name)

    for name in graph:
        walk(name, ())


def test_only_the_warehouse_imports_duckdb() -> None:
    # `api` catches what DuckDB raises on its own; it never opens or asks it.
    users = {path.relative_to(ROOT).as_posix() for room in ROOMS for path in modules(room) if "duckdb" in imports(path)}
    assert {user.partition("/")[0] for user in users} == {"warehouse"}


def test_only_ingest_writes_the_log_and_only_api_reads_the_environment() -> None:
    for room in ROOMS:
        for path in modules(room):
            text = path.read_text(encoding="utf-8")
            if room != "api":
                assert "os.environ" not in text, path
                assert "getenv" not in text, path
            if room in ("warehouse", "models"):
                assert "ingest.log.writer" not in set(imports(path)), path
                assert not {"fastapi", "starlette", "httpx"} & {top(name) for name in imports(path)}, path


def test_rooms_promise_what_they_are_in_their_first_line() -> None:
    for room in ROOMS:
        for path in modules(room):
            assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), f"{path} has no docstring"


def test_no_module_has_outgrown_its_noun() -> None:
    for room in ROOMS:
        for path in modules(room):
            length = len(path.read_text(encoding="utf-8").splitlines())
            assert length <= 400, f"{path.relative_to(ROOT)} has {length} lines: a second noun is hiding in it"


def test_the_sql_folder_is_text_only_and_each_statement_says_what_it_is_for() -> None:
    assert not list((ROOT / "sql").rglob("*.py"))
    for folder in ("migrations", "views", "marts", "load", "refresh"):
        for name in list_statements(folder):
            assert read_statement(name).startswith("-- Purpose: "), name
            assert "-- Grain: " in read_statement(name), name


def documents() -> str:
    texts = [path.read_text(encoding="utf-8") for path in sorted(DOCS.rglob("*.md"))]
    return "\n".join([(ROOT / "README.md").read_text(encoding="utf-8"), *texts])


def test_every_setting_is_documented() -> None:
    text = (DOCS / "operations" / "settings.md").read_text(encoding="utf-8")
    for section, form in SECTIONS.items():
        for each in settable_fields(form):
            assert f"`{variable_name(section, each.name)}`" in text, each.name
            assert each.metadata["doc"] in text, f"the sentence of {each.name} has changed"
    for name, doc in PROJECT_FIELDS.items():
        assert f"`{name}`" in text, name
        assert doc in text, name


def test_every_command_endpoint_view_mart_and_reject_reason_is_documented() -> None:
    text = documents()
    group = get_command(app)
    commands = group.commands  # type: ignore[attr-defined]  # typer's command is a group of commands
    for name in commands:
        assert f"onepath {name}" in text, f"command {name}"
    asked = ("funnel", "retention", "sales-path", "sql", "arrivals", "status", "refresh", "tail", "catalog")
    for path in (
        *asked,
        "rejects",
        "rejects/summary",
        "rejects/original",
        "replay",
        "plan",
        "plan/check",
        "plan/draft",
        "account",
        "persons/{person}/why",
        "identity/acts",
        "identity/alarms",
        "identity/numbers",
        "identity/rules",
    ):
        assert f"/api/v1/projects/{{project}}/{path}" in text, f"endpoint {path}"
    for folder in ("views", "marts"):
        for name in list_statements(folder):
            assert f"`{name.partition('/')[2]}`" in text, name
    for reason in RejectReason.__args__:  # type: ignore[attr-defined]  # a Literal knows its values
        assert f"`{reason}`" in text, reason


def test_links_between_documents_lead_somewhere() -> None:
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (path.parent / target).exists(), f"{path.relative_to(ROOT)} links to {target}"


def test_nothing_names_a_package_registry() -> None:
    hosts = ["pypi" + ".org", "python" + "hosted.org", "npm" + "js.org", "deb" + ".debian.org"]
    for path in [
        ROOT / "requirements.lock",
        ROOT / "pyproject.toml",
        ROOT / "Makefile",
        *(ROOT / "tests" / "sdks").glob("*.json"),
        *ROOT.glob("*.md"),
        *DOCS.rglob("*.md"),
    ]:
        text = path.read_text(encoding="utf-8")
        assert not [host for host in hosts if host in text], path
