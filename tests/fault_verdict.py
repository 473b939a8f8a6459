"""The verdict: what was answered is in `events` exactly once, and every view equals an undisturbed load of the log."""

import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from api.offline import open_offline
from api.settings import Settings
from tests.fault_clients import Crowd
from tests.fault_services import House
from tests.stories import VIEWS
from warehouse.load import Loader

_NAMED = (
    "select properties.name as name, cast(event_id as varchar) as event_id from events where event_name like 'Lesson%'"
)


@dataclass(frozen=True)
class Verdict:
    """All is well when nothing is lost, twice, unasked for, renamed or different, and nobody complained."""

    events: int
    lost: int
    twice: int
    unasked: int
    other_ids: int
    different_views: tuple[str, ...]
    complaints: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        return not (
            self.lost or self.twice or self.unasked or self.other_ids or self.different_views or self.complaints
        )


def judge(house: House, undisturbed: Path, crowd: Crowd) -> Verdict:
    """Load what is left to load, and compare with the clients' memory and with a fresh load of the same log."""
    load_all(house.settings)
    disturbed = read_views(house.settings)
    fresh = read_views(load_again(house.settings, undisturbed))
    with open_offline(house.settings) as warehouse, warehouse.snapshot() as snapshot:
        rows = snapshot.query(_NAMED).to_pylist()
    found, meant = Counter(row["name"] for row in rows), crowd.names
    ids = {row["name"]: row["event_id"] for row in rows}
    return Verdict(
        events=len(rows),
        lost=sum(name not in found for name in meant),
        twice=sum(times > 1 for times in found.values()),
        unasked=len(found.keys() - set(meant)),
        other_ids=sum(ids.get(name) != event_id for name, event_id in crowd.event_ids.items()),
        different_views=tuple(view for view in VIEWS if not disturbed[view].equals(fresh[view])),
        complaints=tuple(crowd.complaints),
    )


def load_again(settings: Settings, folder: Path) -> Settings:
    """The same log in a fresh warehouse, loaded in one go by nobody disturbed; returns its settings."""
    folder.mkdir()
    shutil.copy(settings.data / "onepath.toml", folder)
    (folder / "log").symlink_to(settings.log_folder, target_is_directory=True)
    again = House(folder).settings
    load_all(again)
    return again


def load_all(settings: Settings) -> None:
    """Load what the log holds, in this process."""
    with open_offline(settings) as warehouse:
        Loader(warehouse, settings.log_folder, settings.decode).load_all()


def read_views(settings: Settings) -> dict[str, pa.Table]:
    """Every public view, row for row, in an order of its own."""
    with open_offline(settings) as warehouse, warehouse.snapshot() as snapshot:
        return {view: snapshot.query(f"select * from {view} order by all") for view in VIEWS}
