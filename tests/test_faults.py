"""kill -9 under load: what was answered is there once, whoever dies and when.

Several clients of several families keep posting and, as real ones do, send a request again until it is answered. This
is the short form; `make test-faults` kills two hundred times.
"""

from pathlib import Path

from tests.fault_kills import VICTIMS, sweep_kills

SEED = 20_261_122
KILLS = 6


def test_services_killed_under_load_keep_every_answered_event_once(tmp_path: Path) -> None:
    sweep = sweep_kills(tmp_path, KILLS, SEED)
    assert [sweep.toll.moments[victim].total() for victim in VICTIMS] == [2, 2, 2]
    assert sum(sweep.toll.inside(victim) for victim in VICTIMS) * 2 >= KILLS, "half of the kills tear something"
    assert sweep.verdict.events == sweep.requests * 6
    assert sweep.verdict.is_clean, sweep.verdict
