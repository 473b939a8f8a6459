"""`python -m tests.conformance FILE.jsonl ...`: asks every case of the files (those given), and names those that fail.

With -v, what was expected and what came. Exits with 1 when a case fails that is not marked ambiguous.
"""

import sys
from pathlib import Path

from rich.console import Console
from rich.progress import track

from tests.conformance.cases import Case
from tests.conformance.judging import Verdict, judge

GIVEN = Path(__file__).parent / "given"


def main(arguments: list[str]) -> int:
    """Judge the files; prints a line for each and the ids that fail."""
    is_verbose = "-v" in arguments
    names = [each for each in arguments if each != "-v"] or sorted(map(str, GIVEN.glob("*.jsonl")))
    out, failed_count = Console(highlight=False, soft_wrap=True), 0
    for name in names:
        cases = [Case.read(line) for line in Path(name).read_text(encoding="utf-8").splitlines() if line.strip()]
        progress = track(cases, description=Path(name).name, console=Console(stderr=True), transient=True)
        failed = [verdict for verdict in map(judge, progress) if not verdict.is_passed]
        out.print(f"{Path(name).name}: {len(cases) - len(failed)} passed, {len(failed)} failed")
        for verdict in failed:
            out.print(f"  {verdict.case.id}{' (ambiguous)' if verdict.case.is_ambiguous else ''}", markup=False)
            if is_verbose:
                out.print(_said(verdict), markup=False)
        failed_count += sum(not verdict.case.is_ambiguous for verdict in failed)
    return 1 if failed_count else 0


def _said(verdict: Verdict) -> str:
    lines = [f"    {key}: expected {verdict.case.expect[key]!r}" for key in verdict.failed_keys]
    return "\n".join(
        [*lines, *(f"    {key}: came {verdict.came.get(key)!r}" for key in verdict.failed_keys), verdict.error]
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
