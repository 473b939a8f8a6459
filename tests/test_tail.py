"""The live view: what arrives is seen as it arrives, rejects in place, and watching ends cleanly."""

import asyncio
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, MutableMapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest
from fastapi import FastAPI

from api.printing.tail_lines import as_object, to_text
from api.routes.tailing import TailHub, Watcher, create_tailing
from api.settings import Settings, read_settings
from ingest.log.files import list_files
from ingest.log.writer import LogWriter
from ingest.message import Message, Reject
from ingest.plan.plan import FORCE_DELAY_US, SET_PLAN
from ingest.record import Act
from ingest.settings import DecodeSettings
from ingest.tail import Arrival, Skipped, Tail, TailFilter
from tests.stories import NOON_US, SECOND_US, StoryLog, event, login, native, post, retraction, segment
from tests.waiting import DEADLINE_S, until

LI = login("teacher-1")
WANG = login("teacher-2")
SHANGHAI = ZoneInfo("Asia/Shanghai")


def names(arrivals: list[Arrival | Skipped] | list[Arrival]) -> list[str | None]:
    """Event names and reasons, in order."""
    found = []
    for arrival in arrivals:
        assert isinstance(arrival, Arrival)
        what = arrival.what
        assert isinstance(what, Message | Reject)
        found.append(what.reason if isinstance(what, Reject) else what.event_name)
    return found


def tail_of(log: StoryLog, passes: TailFilter | None = None) -> Tail:
    return Tail(log.folder, DecodeSettings(), passes)


@pytest.fixture
def log(tmp_path: Path) -> StoryLog:
    return StoryLog(tmp_path / "log")


# Following


def test_it_starts_at_the_end_and_shows_what_comes_in_order_of_arrival_over_all_streams(log: StoryLog) -> None:
    log.append(native(event("before", LI)), NOON_US)
    tail = tail_of(log)
    assert tail.start() == []
    assert tail.poll() == []
    log.append(native(event("second", LI)), NOON_US + 2 * SECOND_US)
    log.append(native(event("first", LI)), NOON_US + SECOND_US, stream="other")
    assert names(tail.poll()) == ["first", "second"]
    assert tail.poll() == []


def test_it_begins_with_the_last_that_pass(log: StoryLog) -> None:
    log.tell(*(native(event(f"e{number}", LI), event("noise", WANG)) for number in range(5)))
    assert names(tail_of(log).start(3)) == ["noise", "e4", "noise"]
    assert names(tail_of(log, TailFilter(identity="teacher-1")).start(2)) == ["e3", "e4"]
    assert names(tail_of(log).start(100)) == [name for number in range(5) for name in (f"e{number}", "noise")]


def test_rejects_stand_in_their_place(log: StoryLog) -> None:
    log.tell(native(event("good", LI), {"event_name": "nobody"}, event("also good", WANG)))
    assert names(tail_of(log).start(10)) == ["good", "missing_identity", "also good"]


def test_filters_pass_the_rejects_that_are_about_what_is_looked_for(log: StoryLog) -> None:
    log.tell(
        native(event("pay", LI), event("reach", WANG), {"event_name": "pay"}, {"event_name": "reach"}),
        segment({"type": "identify", "userId": "teacher-1", "traits": {"city": "Hangzhou"}}),
        post("/events", b'{"event_name": "pay", "identities": {"$identity_login_id": "teacher-1"'),
        retraction(LI, WANG),
    )
    everything = tail_of(log).start(100)
    assert len(everything) == 7
    assert names(tail_of(log, TailFilter(event="pay")).start(9)) == ["pay", "missing_identity", "unreadable_message"]
    assert names(tail_of(log, TailFilter(event="identify")).start(9)) == [None]
    assert names(tail_of(log, TailFilter(identity="teacher-1")).start(9)) == ["pay", None, "unreadable_message"]
    assert names(tail_of(log, TailFilter(rejects_only=True)).start(9)) == [
        "missing_identity",
        "missing_identity",
        "unreadable_message",
    ]


def test_what_comes_too_fast_is_counted(log: StoryLog) -> None:
    tail = tail_of(log)
    tail.start()
    log.tell(*(native(event(f"e{number}", LI)) for number in range(10)))
    shown = tail.poll_newest(max_bytes=300)
    assert isinstance(shown[-1], Skipped)
    assert len(shown) - 1 + shown[-1].requests == 10
    assert tail.poll_newest(max_bytes=300) == []


def test_what_arrives_while_the_newest_is_being_shown_comes_next_and_is_not_skipped(log: StoryLog) -> None:
    class ArrivesMeanwhile(TailFilter):
        def passes(self, arrival: Arrival) -> bool:
            if names([arrival]) == ["first"]:
                log.append(native(event("meanwhile", LI)))
            return True

    log.append(native(event("before", LI)))
    tail = tail_of(log, ArrivesMeanwhile())
    tail.start()
    log.append(native(event("first", LI)))
    assert names(tail.poll_newest(max_bytes=1 << 20)) == ["first"]
    assert names(tail.poll_newest(max_bytes=1 << 20)) == ["meanwhile"]


def test_history_is_found_behind_files_without_records(tmp_path: Path) -> None:
    with closing(LogWriter(tmp_path, "collector")) as writer:
        for request in native(event("before", LI)), native(event("latest", LI)):
            writer.append(request)
    for _ in range(2):  # restarts that nobody sent anything to
        LogWriter(tmp_path, "collector").close()
    assert [each.number for each in list_files(tmp_path / "collector")] == [1, 2, 3]
    tail = Tail(tmp_path, DecodeSettings())
    assert names(tail.start(10)) == ["before", "latest"]
    with closing(LogWriter(tmp_path, "collector")) as writer:
        writer.append(native(event("after", LI)))
    assert names(tail.poll()) == ["after"]
    assert names(Tail(tmp_path, DecodeSettings()).start(2)) == ["latest", "after"]


# The plan in force


def plan(mode: str) -> Act:
    """An operator declares the event `pay` with its amount."""
    declared = {"pay": {"properties": {"amount": "number"}}}
    return Act(SET_PLAN, "head office", {"plan": {"mode": mode, "events": declared}, "file_name": "plan.yaml"})


def test_what_the_plan_in_force_refuses_is_refused_in_its_place(log: StoryLog) -> None:
    log.append(plan("enforce"), NOON_US, stream="operator")
    log.append(native(event("pai", LI)), NOON_US + FORCE_DELAY_US - 1)  # the plan is not yet in force
    log.append(native(event("pay", LI), event("pai", LI)), NOON_US + FORCE_DELAY_US)
    tail = tail_of(log, TailFilter(identity="teacher-1"))
    assert names(tail.start(10)) == ["pai", "pay", "undeclared_event"]
    refused = tail_of(log, TailFilter(rejects_only=True)).start(1)[0]
    line = to_text(refused, SHANGHAI, None)
    assert "pai undeclared_event: event 'pai' is not in the plan; did you mean 'pay'?" in line.plain
    assert line.style == "red"
    assert isinstance(refused.what, Reject)
    assert b'"pai"' in refused.what.original


def test_a_plan_that_is_applied_while_somebody_watches_judges_what_comes_next(log: StoryLog) -> None:
    tail = tail_of(log, TailFilter(event="pay"))
    assert tail.start() == []
    wrong = native(event("pay", LI, amount="a lot"))
    log.append(wrong, NOON_US)
    assert names(tail.poll()) == ["pay"]
    log.append(plan("enforce"), NOON_US + 1, stream="operator")
    log.append(wrong, NOON_US + 2 * SECOND_US)
    assert names(tail.poll()) == ["wrong_type"]
    log.append(plan("learn"), NOON_US + 3 * SECOND_US, stream="operator")
    log.append(wrong, NOON_US + 5 * SECOND_US)
    assert names(tail.poll()) == ["pay"]


def test_what_the_plan_sets_aside_is_told_beside_the_message(log: StoryLog) -> None:
    log.append(plan("enforce"), NOON_US, stream="operator")
    log.append(native(event("pay", LI, amount=3, colour="red")), NOON_US + 2 * SECOND_US)
    [shown] = tail_of(log).start(1)
    told = as_object(shown)
    assert (told["properties"], told["other_properties"]) == ({"amount": 3}, {"colour": "red"})
    assert [each["reason"] for each in told["violations"]] == ["undeclared_property"]
    assert "! property 'colour' is not in the plan" in to_text(shown, SHANGHAI, None).plain


# Lines


def test_in_a_narrow_terminal_the_reason_survives(log: StoryLog) -> None:
    log.tell(native(event("pay", LI), {"event_name": "A name that is longer than anybody would ever give"}))
    good, bad = tail_of(log).start(2)
    assert to_text(good, SHANGHAI, 80).plain == "12:00:00 native pay  teacher-1"
    line = to_text(bad, SHANGHAI, 80).plain
    assert line.startswith("12:00:00 native ✗ A name that is longer t… missing_identity: ")


def test_a_call_has_a_call_id_as_in_the_answer_to_its_sender(log: StoryLog) -> None:
    log.tell(native(event("pay", LI)), segment({"type": "identify", "userId": "teacher-1", "traits": {"a": 1}}))
    paid, identified = map(as_object, tail_of(log).start(2))
    assert "call_id" not in paid
    assert "event_id" not in identified
    assert paid["event_id"] != identified["call_id"]


def test_a_line_says_when_what_who_and_with_what(log: StoryLog) -> None:
    message = {**event("pay", LI, amount=20, note="a\x1b[31mb"), "account_id": "school-7"}
    log.tell(native(message, {"event_name": "nobody"}))
    good, bad = tail_of(log).start(2)
    line = to_text(good, SHANGHAI, None).plain
    assert line.split() == ["12:00:00.000", "native", "pay", "teacher-1", "@school-7", "amount=20", "note=a", "[31mb"]
    assert "\x1b" not in line
    assert "missing_identity" in to_text(bad, SHANGHAI, None).plain
    assert len(to_text(good, SHANGHAI, 40).plain) == 40
    assert as_object(good)["properties"] == {"amount": 20, "note": "a\x1b[31mb"}
    assert (as_object(bad)["kind"], as_object(bad)["reason"]) == ("reject", "missing_identity")


# The command


@pytest.fixture
def folder(tmp_path: Path, log: StoryLog) -> Path:
    read_settings(tmp_path, environment={})
    log.tell(*(native(event(f"e{number}", LI)) for number in range(20)))
    return tmp_path


def tail_command(folder: Path, *options: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "api.cli", "tail", "--data", str(folder), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_ctrl_c_ends_the_command_without_a_word(folder: Path) -> None:
    process = tail_command(folder, "--json", "--last", "2")
    assert process.stdout is not None
    shown = [json.loads(process.stdout.readline())["event_name"] for _ in range(2)]
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=DEADLINE_S)
    assert (shown, rest, errors, process.returncode) == (["e18", "e19"], b"", b"", 0)


def test_a_reader_that_has_seen_enough_ends_the_command(folder: Path, log: StoryLog) -> None:
    process = tail_command(folder)
    assert process.stdout is not None
    assert b"e10" in process.stdout.readline()
    process.stdout.close()
    assert process.wait(DEADLINE_S) == 0
    assert process.stderr is not None
    with process.stderr:
        assert process.stderr.read() == b""


# Over HTTP


class Shown:
    """The answer of the live view, read in the background; the application is told when its reader leaves."""

    def __init__(self, app: FastAPI, url: str, accept: str = "application/x-ndjson") -> None:
        path, _, query = url.partition("?")
        self.status = 0
        self.body: asyncio.Queue[bytes] = asyncio.Queue()
        self._leaving = asyncio.Event()
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(b"accept", accept.encode())],
        }
        self.task = asyncio.create_task(app(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, object]:
        await self._leaving.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: MutableMapping[str, object]) -> None:
        if message["type"] == "http.response.start":
            self.status = int(str(message["status"]))
        elif isinstance(body := message.get("body"), bytes) and body:
            self.body.put_nowait(body)

    async def text(self) -> str:
        return (await asyncio.wait_for(self.body.get(), 20)).decode()

    async def leave(self) -> None:
        self._leaving.set()
        await asyncio.wait_for(self.task, 20)


class House:
    """The route over a log, and the switch that stops it."""

    def __init__(self, settings: Settings) -> None:
        self.is_ending = False
        self.app = FastAPI()
        self.app.include_router(create_tailing(settings, lambda: self.is_ending))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    settings = read_settings(tmp_path, environment={})
    house = House(replace(settings, server=replace(settings.server, max_tails=1)))
    yield house
    house.is_ending = True


TAIL = "/api/v1/projects/default/tail"


def test_the_answer_begins_with_the_last_and_goes_on_until_its_reader_leaves(house: House, log: StoryLog) -> None:
    async def story() -> None:
        log.append(native(event("before", LI)), NOON_US)
        shown = Shown(house.app, f"{TAIL}?last=5")
        assert json.loads(await shown.text())["event_name"] == "before"
        log.append(native(event("after", WANG), {"event_name": "nobody"}), NOON_US + SECOND_US)
        after, nobody = map(json.loads, (await shown.text()).splitlines())
        assert (after["event_name"], nobody["reason"]) == ("after", "missing_identity")
        await shown.leave()
        again = Shown(house.app, f"{TAIL}?last=1&event=after", accept="text/event-stream")
        place, line, *_ = (await again.text()).splitlines()
        assert place.startswith("id: collector/1/")
        assert json.loads(line.removeprefix("data: "))["event_name"] == "after"
        await again.leave()

    asyncio.run(story())


def test_only_so_many_may_watch_and_a_stopping_server_ends_the_answer(house: House, log: StoryLog) -> None:
    async def story() -> None:
        shown = Shown(house.app, TAIL)
        assert json.loads(await shown.text()) == {"kind": "heartbeat"}
        transport = httpx.ASGITransport(app=house.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://server.test") as client:
            refused = await client.get(TAIL)
            nowhere = await client.get(TAIL.replace("default", "nowhere"))
        assert (refused.status_code, nowhere.status_code) == (503, 404)
        assert "ONEPATH_SERVER__MAX_TAILS" in refused.json()["detail"]
        house.is_ending = True
        await asyncio.wait_for(shown.task, 20)

    asyncio.run(story())


def test_a_slow_reader_loses_the_oldest_and_is_told(log: StoryLog) -> None:
    async def story() -> None:
        watcher = Watcher(TailFilter())
        log.tell(native(*(event(f"e{number}", LI) for number in range(1200))))
        watcher.offer(tail_of(log).start(1200))
        skipped, *rest = await watcher.next(1)
        assert skipped == Skipped(messages=200)
        assert names(rest)[:1] == ["e200"]
        assert await watcher.next(0.01) == []

    asyncio.run(story())


def nobody_decodes() -> bool:
    return all(thread.name != "tail" for thread in threading.enumerate())


def test_nothing_is_decoded_while_nobody_watches(log: StoryLog) -> None:
    async def story() -> None:
        hub = TailHub(log.folder, DecodeSettings(), 1, lambda: False)
        watcher = Watcher(TailFilter())
        hub.join(watcher)
        assert hub.is_full
        hub.leave(watcher)
        await asyncio.to_thread(until, nobody_decodes, "the thread of the tail ends")

    asyncio.run(story())
