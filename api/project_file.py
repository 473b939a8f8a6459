"""`onepath.toml` in the data folder: what the project's numbers depend on, kept beside its data.

Made at the first start with a salt of its own; the salt keys the public person ids, so the file belongs into every
backup.
"""

import os
import secrets
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from api.errors import SettingsError
from models.errors import QuestionError
from models.matching import Stage
from warehouse.project import Project

FILE_NAME = "onepath.toml"
PROJECT_FIELDS = {
    "name": "Name of the project, of its warehouse file and of its path in the API; every write key lands in it.",
    "write_keys": "Keys of the senders whose messages are taken, as a list; empty: any.",
    "timezone": "IANA time zone of the project's days.",
    "week_start": "First day of the week: monday or sunday.",
    "currency": "Currency of amounts, as ISO 4217 writes it.",
    "salt": "Secret that keys the public person ids; never change it.",
}
_TEMPLATE = """\
# One project of Onepath. Changing the salt changes every person_id; keep this file with the data.
[project]
name = "default"
timezone = "Asia/Shanghai"
week_start = "monday"
currency = "CNY"
salt = "{salt}"

# The sales path: a stage is entered by any of its events. Put your own event names here.
{stages}"""
DEFAULT_STAGES = (
    ("reach", ("$pageview", "$screen", "$MPViewScreen", "$AppViewScreen")),
    ("trial", ("TrialStarted",)),
    ("sign", ("ContractSigned",)),
    ("project_setup", ("ProjectSetUp",)),
    ("pay", ("OrderPaid",)),
    ("routine_use", ("LessonTaught",)),
    ("refer", ("ReferralMade",)),
)


@dataclass(frozen=True)
class ProjectFile:
    """The project and its sales path, as configured."""

    project: Project
    stages: tuple[Stage, ...]
    given: frozenset[str]
    was_made: bool
    write_keys: frozenset[str] = field(default=frozenset(), repr=False)
    exists: bool = True

    def origin(self, name: str) -> Literal["default", "onepath.toml", "made at first start"]:
        """Where a value comes from; before the first start all are defaults."""
        if not self.exists:
            return "default"
        if name == "salt" and self.was_made:
            return "made at first start"
        return "onepath.toml" if name in self.given else "default"


def read_project_file(data: Path, *, create: bool) -> ProjectFile:
    """Read the file, or make it (in memory only unless `create`). Raises `SettingsError` naming what is wrong."""
    path = data / FILE_NAME
    was_made = False
    if not path.exists() and (data / "log").exists():
        raise SettingsError(
            f"{path} is missing beside its log: bring it back from a backup, as another salt gives persons other ids"
        )
    if not path.exists():
        text = default_project_file(secrets.token_hex(16))
        was_made = not create or _make(path, text)
    if path.exists():
        text = path.read_text(encoding="utf-8")
    try:
        return replace(_parse(tomllib.loads(text), was_made), exists=path.exists())
    except (tomllib.TOMLDecodeError, ValidationError, QuestionError, ValueError, TypeError) as error:
        raise SettingsError(f"{path}: {_one_sentence(error)}") from error


def default_project_file(salt: str, stages: str | None = None) -> str:
    """The text of a first `onepath.toml`."""
    return _TEMPLATE.format(salt=salt, stages=stages or "\n".join(_stage_text(*stage) for stage in DEFAULT_STAGES))


def _stage_text(name: str, events: tuple[str, ...]) -> str:
    matches = ", ".join(f'{{ event = "{event}" }}' for event in events)
    return f'[[stages]]\nname = "{name}"\nany_of = [{matches}]\n'


def _make(path: Path, text: str) -> bool:
    """Write the file unless another process, starting at the same moment, already has; says whether this one did."""
    # The log and the warehouse in it hold names and phone numbers.
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return True


def _parse(content: dict[str, Any], was_made: bool) -> ProjectFile:
    if unknown := content.keys() - {"project", "stages"}:
        raise ValueError(f"{sorted(unknown)[0]!r} is no section; there are [project] and [[stages]]")
    given = content.get("project", {})
    if not isinstance(given, dict):
        raise ValueError("project is no section; write [project] on a line of its own")
    if unknown := given.keys() - PROJECT_FIELDS.keys():
        raise ValueError(f"project.{sorted(unknown)[0]} is no setting; there are {', '.join(PROJECT_FIELDS)}")
    write_keys = _write_keys(given.get("write_keys", []))
    for name, value in given.items():
        if name != "write_keys" and not isinstance(value, str):
            raise ValueError(f"project.{name} is {value!r}; write it in quotes")
    if "salt" not in given:
        raise ValueError("project.salt is missing; write salt = and 32 random characters, once and for all")
    values = {name: value for name, value in given.items() if name != "write_keys"}
    project = Project(**{"name": "default", **values})
    stages = TypeAdapter(tuple[Stage, ...]).validate_python(content.get("stages", ()))
    names = [stage.name for stage in stages]
    if len(stages) < 2 or len(set(names)) < len(names):
        raise ValueError("a sales path has at least two [[stages]] with different names")
    return ProjectFile(project, stages, frozenset(given) | (content.keys() & {"stages"}), was_made, write_keys)


def _write_keys(value: Any) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(key, str) and key for key in value):
        raise ValueError('project.write_keys is no list of keys; write it as ["KEY", "ANOTHER"]')
    return frozenset(value)


def _one_sentence(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    return str(error).splitlines()[0]
