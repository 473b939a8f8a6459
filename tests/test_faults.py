"""kill -9 under load: what was answered is there once, whoever dies and when.

Several clients of three families keep posting and, as real ones do, send a request again until it is answered. The
services are killed at seeded moments: most between writing and answering or inside a load (the process kills itself
there), the others from outside at any moment. The short form runs with all tests; `make test-faults` runs the long one.
"""

import base64
import gzip
import json
import random
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from api.offline import load_once, open_offline
from api.settings import Settings, read_settings
from tests.fault_launcher import NEVER

SEED = 20_261_121
CLIENTS = 4
EVENTS_PER_REQUEST = 6
START_TIMEOUT_S = 60.0
GIVE_UP_AFTER_S = 240.0
PAUSE_S = 0.02
# How many times a service reaches the chosen stage before it dies there.
FIRST_TO_LAST = {"collect": (20, 200), "serve": (1, 6)}
MOST_REQUESTS = 100_000


@dataclass(frozen=True)
class Post:
    """One request of a client; sent again with the same bytes until it is answered."""

    path: str
    body: bytes


def native_post(person: str, names: list[str]) -> Post:
    messages = [
        {
            "event_name": "LessonTaught",
            "event_at": "2026-11-20T08:00:00Z",
            "identities": {"$identity_login_id": person},
            "dedupe_key": name,
            "properties": {"name": name},
        }
        for name in names
    ]
    return Post("/events", json.dumps(messages).encode())


def segment_post(person: str, names: list[str]) -> Post:
    batch = [
        {
            "type": "track",
            "messageId": name,
            "event": "LessonTaught",
            "timestamp": "2026-11-20T08:00:00Z",
            "userId": person,
            "properties": {"name": name},
        }
        for name in names
    ]
    return Post("/v1/batch", json.dumps({"batch": batch}).encode())


def sensors_post(person: str, names: list[str]) -> Post:
    events = [
        {
            "type": "track",
            "event": "LessonTaught",
            "time": 1_763_625_600_000,
            "distinct_id": person,
            "properties": {"$is_login_id": True, "name": name},
        }
        for name in names
    ]
    data = base64.b64encode(gzip.compress(json.dumps(events).encode())).decode()
    return Post("/sa", urllib.parse.urlencode({"data_list": data, "gzip": "1"}).encode())


FAMILIES: tuple[Callable[[str, list[str]], Post], ...] = (native_post, segment_post, sensors_post)


def event_names(client: int, number: int) -> list[str]:
    """The events of one request; every event has a name of its own."""
    return [f"client {client} request {number} event {event}" for event in range(EVENTS_PER_REQUEST)]


def client_post(client: int, number: int) -> Post:
    """The n-th request of a client; the families take turns."""
    return FAMILIES[number % len(FAMILIES)](f"teacher-{client}-{number % 5}", event_names(client, number))


@dataclass
class Crowd:
    """Clients posting at once, each in its own order, until they are told that it is enough.

    `said` is how many requests of each client were answered; a request is sent again until it is. With `to_say` each
    client says just as much.
    """

    url: str
    to_say: list[int] | None = None
    said: list[int] = field(default_factory=lambda: [0] * CLIENTS)
    resent: int = 0
    _enough: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        self._threads = [threading.Thread(target=self._say, args=(number,), daemon=True) for number in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Let every client end the request it is at."""
        if self.to_say is None:
            self._enough.set()
        for thread in self._threads:
            thread.join(GIVE_UP_AFTER_S)
            assert not thread.is_alive(), "a client is still waiting for its answer"

    def _say(self, number: int) -> None:
        limit = MOST_REQUESTS if self.to_say is None else self.to_say[number]
        with httpx.Client(base_url=self.url, timeout=5) as client:
            while self.said[number] < limit and not self._enough.is_set():
                post = client_post(number, self.said[number])
                while not self._is_answered(client, post):
                    time.sleep(0.01)  # the pause of a client whose request was refused, not a wait of the test
                self.said[number] += 1
                if self.to_say is None:
                    time.sleep(PAUSE_S)

    def _is_answered(self, client: httpx.Client, post: Post) -> bool:
        try:
            is_answered = client.post(post.path, content=post.body).status_code == 200
        except httpx.HTTPError:
            is_answered = False
        with self._lock:
            self.resent += not is_answered
        return is_answered


@dataclass
class Kills:
    """How often a service was killed, by the moment it happened in."""

    seed: int
    moments: Counter[str] = field(default_factory=Counter)

    @property
    def inside(self) -> int:
        """Kills between write and answer, or inside a load."""
        return sum(count for moment, count in self.moments.items() if moment not in ("from outside", "committed"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class House:
    """A data folder and its two ports."""

    data: Path
    collector_port: int
    server_port: int

    @property
    def settings(self) -> Settings:
        return read_settings(self.data, {"collector.port": self.collector_port, "server.port": self.server_port})

    @contextmanager
    def service(self, name: str, stage: str = NEVER, count: int = 0) -> Iterator[subprocess.Popen[bytes]]:
        """The real service, killed at the count-th time of `stage`; SIGKILLed at the end in any case."""
        ports = [str(self.collector_port), str(self.server_port)]
        arguments = [name, stage, str(count), str(self.data), *ports, str(self.trace)]
        child = subprocess.Popen([sys.executable, "-m", "tests.fault_launcher", *arguments])
        try:
            yield child
        finally:
            child.kill()
            child.wait()

    @property
    def trace(self) -> Path:
        return self.data.with_name(self.data.name + "-killed-at")

    def wait_until_healthy(self, name: str, child: subprocess.Popen[bytes]) -> bool:
        """True when the service answers, False when it died before."""
        port = self.collector_port if name == "collect" else self.server_port
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if child.poll() is not None:
                return False
            try:
                return httpx.get(f"http://127.0.0.1:{port}/health", timeout=2).is_success
            except httpx.HTTPError:
                time.sleep(0.02)
        raise AssertionError(f"{name} did not answer within {START_TIMEOUT_S} seconds")


def new_house(folder: Path) -> House:
    return House(folder, free_port(), free_port())


def kill_repeatedly(house: House, name: str, stages: list[str], times: int, seed: int) -> Kills:
    """Start the service again and again; every third time it is killed from outside, else at one of its own stages."""
    rng, kills = random.Random(seed), Kills(seed)
    for number in range(times):
        house.trace.unlink(missing_ok=True)
        from_outside = number % 3 == 2
        stage = "committed" if name == "serve" and number % 9 == 4 else rng.choice(stages)
        stage, count = (NEVER, 0) if from_outside else (stage, rng.randint(*FIRST_TO_LAST[name]))
        with house.service(name, stage, count) as child:
            if from_outside and house.wait_until_healthy(name, child):
                time.sleep(rng.uniform(0.0, 0.2))  # any moment of its life
                child.kill()
            child.wait(GIVE_UP_AFTER_S)
        kills.moments[house.trace.read_text(encoding="utf-8") if house.trace.exists() else "from outside"] += 1
    return kills


def contents(settings: Settings) -> dict[str, object]:
    """What the warehouse holds, after everything in the log is loaded."""
    load_once(settings)
    with open_offline(settings) as warehouse, warehouse.snapshot() as snapshot:
        names = snapshot.query(
            "select properties.name as name, count(*) as times from events group by all order by all"
        )
        by_family = snapshot.query("select protocol, count(*) from events group by all order by all").to_pylist()
        persons = snapshot.query("select person_id, count(*) from events group by all order by all").num_rows
        rejects = snapshot.query("select count(*) as rejects from rejects").to_pylist()
    return {
        "names": dict(zip(names["name"].to_pylist(), names["times"].to_pylist(), strict=True)),
        "by_family": by_family,
        "persons": persons,
        "rejects": rejects,
    }


def undisturbed(folder: Path, said: list[int]) -> dict[str, object]:
    """The same load on services that nobody kills."""
    house = new_house(folder)
    with house.service("collect") as child:
        assert house.wait_until_healthy("collect", child)
        crowd = Crowd(f"http://127.0.0.1:{house.collector_port}", to_say=said)
        crowd.start()
        crowd.finish()
    return contents(house.settings)


def report(service: str, kills: Kills, crowd: Crowd) -> None:
    moments = ", ".join(f"{count} {moment}" for moment, count in sorted(kills.moments.items()))
    sys.stdout.write(
        f"\n{service}: seed {kills.seed}, {kills.moments.total()} kills ({moments}); "
        f"{sum(crowd.said)} requests answered, {crowd.resent} sent again\n"
    )


def check_collector(folder: Path, times: int, seed: int) -> None:
    house = new_house(folder / "disturbed")
    crowd = Crowd(f"http://127.0.0.1:{house.collector_port}")
    crowd.start()
    kills = kill_repeatedly(house, "collect", ["written", "synced"], times, seed)
    with house.service("collect") as child:
        assert house.wait_until_healthy("collect", child)
        crowd.finish()
    report("collector", kills, crowd)
    assert kills.inside * 2 >= times, "at least half of the kills fall between write and answer"
    judge(contents(house.settings), folder, crowd.said)


def check_server(folder: Path, times: int, seed: int) -> None:
    house = new_house(folder / "disturbed")
    with house.service("collect") as child:
        assert house.wait_until_healthy("collect", child)
        crowd = Crowd(f"http://127.0.0.1:{house.collector_port}")
        crowd.start()
        kills = kill_repeatedly(house, "serve", ["begun", "stored"], times, seed)
        crowd.finish()
    report("server", kills, crowd)
    assert kills.inside * 2 >= times, "at least half of the kills fall inside a load"
    judge(contents(house.settings), folder, crowd.said)


def judge(disturbed: dict[str, object], folder: Path, said: list[int]) -> None:
    names = [
        name for client, count in enumerate(said) for number in range(count) for name in event_names(client, number)
    ]
    assert disturbed["names"] == dict.fromkeys(names, 1)
    assert disturbed == undisturbed(folder / "undisturbed", said)


def test_collector_killed_under_load_keeps_every_answered_event_once(tmp_path: Path) -> None:
    check_collector(tmp_path, times=3, seed=SEED)


def test_server_killed_under_load_loads_every_event_once(tmp_path: Path) -> None:
    check_server(tmp_path, times=3, seed=SEED)


@pytest.mark.slow
def test_collector_killed_twenty_times(tmp_path: Path) -> None:
    check_collector(tmp_path, times=20, seed=random.SystemRandom().randrange(10**9))


@pytest.mark.slow
def test_server_killed_twenty_times(tmp_path: Path) -> None:
    check_server(tmp_path, times=20, seed=random.SystemRandom().randrange(10**9))
