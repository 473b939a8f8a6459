"""The demo's story: what a school-software company's endpoints sent in ninety days, and what must come of it.

`tell` is pure: the same seed and scale tell the same story, byte for byte. It knows neither warehouse nor SDK.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from api.demo.arrival import Shipment, count_links, ship
from api.demo.calls import Call, Identity
from api.demo.cast import draw_cast
from api.demo.diary import Diary
from api.demo.incidents import persons_needed, play_all
from api.demo.lives import live_all

SEED = 20_260_601


@dataclass(frozen=True, slots=True)
class Story:
    """Everything to send, in order of arrival, and the numbers it must come to."""

    seed: int
    scale: float
    shipments: tuple[Shipment, ...]
    persons: frozenset[str]
    """The story's keys of everybody who has at least one accepted event."""
    accounts: frozenset[str]
    """The accounts which accepted records name."""
    merged_count: int
    """Joins of two persons who had both appeared before."""
    refused_count: int
    """Distinct pairs of identities whose join is refused."""
    retracted: tuple[tuple[Identity, Identity], ...]
    """Links that an operator takes back when all has arrived; the counts are those of the time after."""
    families: frozenset[str]
    """The families which accepted records name."""

    def calls(self) -> Iterator[Call]:
        """All calls in order of arrival."""
        for shipment in self.shipments:
            yield from shipment.calls


def tell(seed: int = SEED, scale: float = 1.0) -> Story:
    """The story of `seed`: 5,000 persons and 300 schools at `scale` 1; 0.02 is the least for all special cases."""
    if not 0.02 <= scale <= 1:
        raise ValueError(f"scale {scale!r} is outside 0.02..1")
    rng = random.Random(seed)
    cast = draw_cast(rng, scale, persons_needed(scale))
    diary = Diary(rng)
    live_all(cast, diary)
    play_all(cast, diary, scale)
    shipments = ship(diary.calls, rng, scale)
    in_order = [call for shipment in shipments for call in shipment.calls]
    merged_count, refused_count = count_links(in_order, cast.owners, {frozenset(link) for link in diary.retracted})
    return Story(
        seed=seed,
        scale=scale,
        shipments=shipments,
        persons=frozenset(call.person for call in in_order if call.outcome == "event" and call.person),
        accounts=frozenset(call.names_account for call in in_order if call.is_accepted and call.names_account),
        merged_count=merged_count,
        refused_count=refused_count,
        retracted=tuple(diary.retracted),
        families=frozenset(call.names_family for call in in_order if call.is_accepted and call.names_family),
    )
