"""The examples of the documentation that ask questions: commands, requests and Python, as a reader copies them."""

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.kinds import KIND_OF

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", ROOT / "docs/asking.md", *sorted((ROOT / "docs/concepts").glob("*.md")))
_BLOCK = re.compile(r"```(?:sh|python)?\n(.*?)```", re.DOTALL)
_ASKING = {*KIND_OF, "ask", "sql"}
# One line of a block, or a cell of a table; the folder is the demo's, said once for the shell or with each command.
_FOLDER = " --data demo-data"
_COMMAND = re.compile(r"^(?:\$ )?(?:\.venv/bin/)?onepath (.*)$", re.MULTILINE)
_IN_TABLE = re.compile(r"^\|.*?`onepath ([^`]*)`(?:, with `([^`]*)`)?(?:, with `([^`]*)`)?", re.MULTILINE)
_REQUEST = re.compile(r"curl -s \S+/api/v1/projects/default/(\S+) .*?-d '(\{.*?\})'$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Request:
    """A question over HTTP: what follows the project in the path, and the body."""

    path: str
    body: Any


def commands() -> list[list[str]]:
    """The words after `onepath` of every command that asks by options of its own."""
    return [words for words in _commands() if words[0] != "ask"]


def requests() -> list[Request]:
    """Every question that is asked over HTTP, or by `onepath ask`, which takes the same JSON."""
    over_http = [Request(path, json.loads(body)) for text in _texts() for path, body in _REQUEST.findall(text)]
    return over_http + [_request(*words[1:]) for words in _commands() if words[0] == "ask"]


def _request(kind: str, question: str, option: str = "--format", value: str = "") -> Request:
    if option == "--people":
        return Request(f"{kind}/people", {"question": json.loads(question), "of": json.loads(value)})
    return Request(f"{kind}/sql" if option == "--sql" else kind, json.loads(question))


def _commands() -> list[list[str]]:
    found = list[str]()
    for text in _texts():
        found += [line for block in _BLOCK.findall(text) for line in _COMMAND.findall(block)]
        for command, *additions in _IN_TABLE.findall(text):
            found += [command, *(f"{command} {addition}" for addition in additions if addition)]
    words = {line.replace(_FOLDER, ""): shlex.split(line.replace(_FOLDER, ""), comments=True) for line in found}
    return [each for each in words.values() if each and each[0] in _ASKING and each != ["ask"]]


def programs() -> list[str]:
    """Every Python program that asks a project."""
    return [block for text in _texts() for block in _BLOCK.findall(text) if "with Project(" in block]


def _texts() -> list[str]:
    # What the README says below that heading is asked of the reader's own data.
    return [page.read_text(encoding="utf-8").split("\n## Use it\n", 1)[0] for page in PAGES]
