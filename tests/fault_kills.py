"""Kills: which service dies when, by seed, while the clients post; and the account of it.

A third of the kills each strike the collector, the server and the server's decoder child. Most fall strictly inside:
between write and answer, inside a load, or while the child decodes.
"""

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.fault_clients import Crowd
from tests.fault_services import House, Service, is_working, kill_process
from tests.fault_verdict import Verdict, judge
from tests.waiting import until

Victim = Literal["collector", "decoder", "server"]
VICTIMS: tuple[Victim, ...] = ("collector", "decoder", "server")
OUTSIDE = "outside"
STARTING = "starting"
COMMITTED = "committed"
# Moments when nothing was under way that a kill could tear.
NOT_INSIDE = frozenset({OUTSIDE, STARTING, COMMITTED, "idle"})
# What a service is told to die at, how often (weights), and at which time it comes there.
_COLLECTOR_MOMENTS = {"written": 5, "synced": 3, OUTSIDE: 1, STARTING: 1}
_SERVER_MOMENTS = {"begun": 4, "stored": 3, COMMITTED: 1, OUTSIDE: 1, STARTING: 1}
_FIRST_TO_LAST = {"collect": (1, 60), "serve": (1, 3)}
_LONGEST_WAIT_S = 30.0


@dataclass
class Toll:
    """How often each victim was killed, by the moment it happened in."""

    moments: dict[Victim, Counter[str]] = field(default_factory=lambda: {victim: Counter() for victim in VICTIMS})

    @property
    def kills(self) -> int:
        return sum(counts.total() for counts in self.moments.values())

    def inside(self, victim: Victim) -> int:
        """Kills while something was under way."""
        return sum(count for moment, count in self.moments[victim].items() if moment not in NOT_INSIDE)


@dataclass(frozen=True)
class KillSweep:
    """What a sweep did and what it found."""

    seed: int
    toll: Toll
    requests: int
    resent: int
    verdict: Verdict
    took_s: float


def sweep_kills(folder: Path, kills: int, seed: int, told: Callable[[Toll], None] = lambda _toll: None) -> KillSweep:
    """Kill that many times while clients post; then hold what was answered against what the warehouse shows."""
    began, house, toll = time.monotonic(), House(folder / "disturbed"), Toll()
    rng = random.Random(seed)
    plan = [VICTIMS[number % len(VICTIMS)] for number in range(kills)]
    rng.shuffle(plan)
    crowd = Crowd(house.collector_port)
    with house.running("collect") as collector, house.running("serve") as server:
        crowd.start()
        for victim in plan:
            if victim == "decoder":
                toll.moments[victim][_kill_decoder(server, rng)] += 1
            else:
                service, moments = (
                    (collector, _COLLECTOR_MOMENTS) if victim == "collector" else (server, _SERVER_MOMENTS)
                )
                toll.moments[victim][_kill_service(service, moments, rng)] += 1
            told(toll)
        crowd.finish()
    verdict = judge(house, folder / "undisturbed", crowd)
    return KillSweep(seed, toll, sum(crowd.said), crowd.resent, verdict, time.monotonic() - began)


def _kill_service(service: Service, moments: dict[str, int], rng: random.Random) -> str:
    """One death and the next life, up to its first answer; returns the moment of the death."""
    moment = rng.choices(list(moments), list(moments.values()))[0]
    if moment == STARTING:
        # Between two kills nothing was up: the first counts for the one that the seed chose, at its start.
        service.kill()
        service.start()
        time.sleep(rng.uniform(0.2, 1.5))
        service.kill()
    elif moment == OUTSIDE:
        time.sleep(rng.uniform(0.0, 0.3))
        service.kill()
    else:
        moment = service.die_at(moment, rng.randint(*_FIRST_TO_LAST[service.name]), _LONGEST_WAIT_S)
    service.start()
    service.wait_until_healthy()
    return moment


def _kill_decoder(server: Service, rng: random.Random) -> str:
    """The child dies, mostly while it decodes; the server must carry on with a new one, in the same life."""
    life = server.pid
    until(lambda: server.decoder_pid() is not None, "the server has its decoder")
    child = server.decoder_pid()
    assert child is not None
    moment = "idle"
    if rng.random() < 0.75:
        until(lambda: is_working(child), "the decoder works", every_s=0.0005)
        moment = "decoding"
    kill_process(child)
    until(lambda: server.decoder_pid() not in (None, child), "the server has a new decoder")
    assert server.is_alive, "the server died of its decoder's death"
    assert server.pid == life
    assert server.is_healthy()
    return moment
