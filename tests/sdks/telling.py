"""Clients that tell their stories at once, and what must be true of each of them afterwards and of all together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.sdks.clients import DOCUMENT, automatic, is_dry, row
from tests.sdks.house import Run, Views, collecting, load
from tests.sdks.judging import judge, judge_nothing_else
from tests.sdks.scenario import Json, story


@dataclass
class Told:
    """Everything that was said, by the run's name, and what became of it."""

    runs: Sequence[Run]
    said: dict[str, Json]
    views: Views

    @classmethod
    def to_collector(
        cls, runs: Sequence[Run], data: Path, tell: Callable[[Sequence[Run], str], dict[str, Json]]
    ) -> "Told":
        """Let `tell` make the clients talk to a collector at an address, and load what it kept."""
        with collecting(data) as url:
            said = tell(runs, url)
        return cls(runs, said, load(data))

    def judge(self, run: Run) -> None:
        """The client is content, the views show what it meant, and the table of the documents says the same."""
        # Count and content are judged in making the row; that what it says is written down is the rest.
        assert row(run, self.said[run.name], self.views) in DOCUMENT.read_text(encoding="utf-8")
        if not is_dry(run):
            assert judge(self.views, story(run.name), self.said[run.name]).automatic == automatic(run)

    def judge_all_together(self) -> None:
        """Nothing was refused, and nobody is there but the people of these stories."""
        judge_nothing_else(self.views, [story(run.name) for run in self.runs if not is_dry(run)])
