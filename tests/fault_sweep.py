"""The fault sweep as a command: `python -m tests.fault_sweep --kills 200 --damages 200`.

Prints its seed and a table; ends with status 1 when anything acknowledged was lost, came twice, or reads otherwise.
"""

import argparse
import os
import random
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.fault_damage import DamageSweep, sweep_damage
from tests.fault_kills import VICTIMS, KillSweep, Toll, sweep_kills

KILLS = 200
DAMAGES = 200


def print_kills(console: Console, sweep: KillSweep) -> None:
    """Who was killed when, and what came of it."""
    table = Table(title=f"kill -9 under load, seed {sweep.seed}")
    for column in ("victim", "kills", "strictly inside", "by moment"):
        table.add_column(column, justify="right" if column in ("kills", "strictly inside") else "left")
    for victim in VICTIMS:
        counts = sweep.toll.moments[victim]
        moments = ", ".join(f"{count} {moment}" for moment, count in counts.most_common())
        table.add_row(victim, str(counts.total()), str(sweep.toll.inside(victim)), moments)
    console.print(table)
    verdict = sweep.verdict
    result = Table()
    for column in ("requests answered", "sent again", "events", "lost", "twice", "unasked", "other ids", "seconds"):
        result.add_column(column, justify="right")
    figures = [sweep.requests, sweep.resent, verdict.events, verdict.lost, verdict.twice, verdict.unasked]
    result.add_row(*(f"{figure:,}" for figure in (*figures, verdict.other_ids)), f"{sweep.took_s:.0f}")
    console.print(result)
    different = ", ".join(verdict.different_views) or "none"
    console.print(f"views that differ from an undisturbed load of the same log: {different}")
    for complaint in verdict.complaints[:20]:
        console.print(complaint, style="red", markup=False)


def print_damage(console: Console, sweep: DamageSweep) -> None:
    """How often the log was wounded, and what came of it."""
    table = Table(title=f"torn, flipped, cut, removed and inserted bytes in a log, seed {sweep.seed}")
    names = ("samples", "damages", "requests destroyed", "events")
    for column in (*names, "told wrongly", "seconds"):
        table.add_column(column, justify="right")
    table.add_row(*(f"{sweep.counts[name]:,}" for name in names), str(len(sweep.findings)), f"{sweep.took_s:.0f}")
    console.print(table)
    for finding in sweep.findings[:20]:
        console.print(finding[:600], style="red", markup=False)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=int(os.environ.get("KILLS", KILLS)))
    parser.add_argument("--damages", type=int, default=int(os.environ.get("DAMAGES", DAMAGES)))
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(f"seed {arguments.seed}")

    def progress(toll: Toll) -> None:
        if toll.kills % 20 == 0:
            console.print(f"{toll.kills} kills", style="dim")

    with tempfile.TemporaryDirectory(prefix="onepath-faults-") as folder:
        damage = sweep_damage(Path(folder), arguments.damages, arguments.seed)
        print_damage(console, damage)
        kills = sweep_kills(Path(folder), arguments.kills, arguments.seed, progress)
        print_kills(console, kills)
    sys.exit(bool(damage.findings) or not kills.verdict.is_clean)


if __name__ == "__main__":
    main()
