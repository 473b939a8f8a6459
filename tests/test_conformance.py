"""Cases of other engines' test suites pass, through decoder, loader and the public models.

Every tenth case here; `python -m tests.conformance FILE.jsonl ...` asks all of any file of cases, `make test-random`
all that are given.
"""

from pathlib import Path

import pytest

from tests.conformance.__main__ import GIVEN, main
from tests.conformance.cases import Case
from tests.conformance.judging import judge
from tests.examples import FACTOR

FILES = sorted(path.name for path in GIVEN.glob("*.jsonl"))


@pytest.mark.parametrize("name", FILES)
def test_cases_pass(name: str) -> None:
    cases = [
        Case.read(line) for line in (GIVEN / name).read_text(encoding="utf-8").splitlines()[:: 1 if FACTOR > 1 else 10]
    ]

    failed = [
        verdict.case.id for verdict in map(judge, cases) if not verdict.is_passed and not verdict.case.is_ambiguous
    ]

    assert failed == []


def test_the_command_names_what_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, *_ = (GIVEN / "stickiness.jsonl").read_text(encoding="utf-8").splitlines()
    right, path = Case.read(first), tmp_path / "cases.jsonl"
    path.write_text(first.replace('"expect": {"data": [', '"expect": {"data": [7, '), encoding="utf-8")

    assert main([str(path)]) == 1
    assert capsys.readouterr().out == f"cases.jsonl: 0 passed, 1 failed\n  {right.id}\n"
