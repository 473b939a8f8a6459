"""The demo's story: the same for a seed, true to its own rules, and posted as told."""

import ast
import base64
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

import pytest

import api.demo
from api.demo.calls import ANONYMOUS, DAYS, FIRST_DATE, LOGIN, MOBILE, STAGES, ZONE, Call, Identity, week_of
from api.demo.senders import Posted, PostError, post
from api.demo.story import Story, tell
from tests import story_oracle

SMALL = 0.02
MIDDLE = 0.1


@pytest.fixture(scope="module")
def small_story() -> Story:
    """About a hundred persons."""
    return tell(scale=SMALL)


@pytest.fixture(scope="module")
def small(small_story: Story) -> list[Call]:
    """The calls of the small story, in order of arrival."""
    return list(small_story.calls())


@pytest.fixture(scope="module")
def middle() -> Story:
    """About five hundred persons and thirty schools."""
    return tell(scale=MIDDLE)


def test_one_seed_tells_one_story() -> None:
    assert tell(seed=7, scale=SMALL) == tell(seed=7, scale=SMALL)
    assert tell(seed=7, scale=SMALL) != tell(seed=8, scale=SMALL)


def test_a_scale_that_would_lose_special_cases_is_refused() -> None:
    with pytest.raises(ValueError, match="0\\.01"):
        tell(scale=0.01)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_stated_persons_accounts_and_links_follow_from_the_written_rules(seed: int) -> None:
    assert_statements_follow_from_the_rules(tell(seed=seed, scale=SMALL))


def test_the_rules_hold_in_a_larger_story_too(middle: Story) -> None:
    assert_statements_follow_from_the_rules(middle)


def test_events_lie_in_the_ninety_days_and_no_two_share_a_moment(middle: Story) -> None:
    calls = [call for call in middle.calls() if call.is_accepted]
    local_dates = {call.event_at.astimezone(ZONE).date() for call in calls}
    assert min(local_dates) >= FIRST_DATE
    assert max(local_dates) <= FIRST_DATE + timedelta(days=DAYS - 1) == date(2026, 8, 29)
    assert len({call.event_at for call in calls}) == len(calls)
    assert all(call.event_at.microsecond % 1000 == 0 for call in calls)


def test_numbers_keep_their_proportions(middle: Story) -> None:
    calls = list(middle.calls())
    events = [call for call in calls if call.outcome == "event"]
    assert story_oracle.count_persons(calls) == len(middle.persons) == 500
    assert story_oracle.count_accounts(calls) == len(middle.accounts) == 30
    assert 9_000 < len(events) < 16_000
    assert {call.properties["region"] for call in events if "region" in call.properties} == {
        "east", "south", "west", "north",
    }  # fmt: skip
    assert len({call.properties["channel"] for call in events if "channel" in call.properties}) == 5
    assert {call.properties["platform"] for call in events} == {"web", "mini_program", "app", "server"}


def test_accounts_walk_all_stages_some_skipped_and_some_out_of_order(middle: Story) -> None:
    rows = {row.name: row for row in story_oracle.sales_path(middle.calls(), "account")}
    assert list(rows) == [stage.name for stage in STAGES]
    entered = [row.entered for row in rows.values()]
    assert entered[0] > entered[1] > entered[2] and entered[4] > entered[6] > 0
    assert rows["project_setup"].furthest_here == 1
    assert rows["project_setup"].out_of_order > 0  # procurement: the project was set up before the signature
    assert rows["trial"].out_of_order > 0  # a seller came before the first visit
    assert all(rows[name].skipped > 0 for name in ("reach", "trial", "project_setup"))
    assert all(row.entered + row.skipped == row.reached for row in rows.values())


def test_persons_come_back_less_and_less(middle: Story) -> None:
    retention = story_oracle.weekly_retention(middle.calls())
    assert sum(counts[0] for counts in retention.values()) == len(middle.persons)
    old_cohorts = [counts for counts in retention.values() if len(counts) > 6]
    kept = [sum(counts[week] for counts in old_cohorts) for week in range(7)]
    assert kept[0] > kept[1] > kept[3] > kept[6] > 0.05 * kept[0]


def test_an_anonymous_past_is_found_again_in_both_families(small: list[Call]) -> None:
    for protocol in ("sensors", "segment"):
        own = [call for call in small if call.protocol == protocol and call.outcome == "event"]
        anonymous = {call.person for call in own if LOGIN not in dict(call.identities)}
        assert anonymous & {call.person for call in own if LOGIN in dict(call.identities)}


def test_one_login_comes_through_both_families_and_is_one_person(small: list[Call]) -> None:
    logins: dict[str, set[Identity]] = {"sensors": set(), "segment": set(), "native": set()}
    for call in small:
        logins[call.protocol] |= {identity for identity in call.identities if identity[0] == LOGIN}
    shared = logins["sensors"] & logins["segment"]
    assert shared
    for login in shared:
        owners = {call.person for call in small if login in call.identities and call.outcome == "event"}
        assert len(owners) == 1


def test_a_shared_device_stays_with_its_first_login(small_story: Story, small: list[Call]) -> None:
    refused = story_oracle.simulate(small, small_story.retracted).refused
    devices = {identity for pair in refused for identity in pair if identity[0] not in (LOGIN, MOBILE)}
    assert len(devices) == 4  # one for each way of naming people, and the tablet of a family
    for device in devices:
        uses = [call for call in small if call.identities == (device,) and call.outcome == "event"]
        attempts = [
            call for call in small if len(call.identities) > 1 and device in call.identities and call.is_accepted
        ]
        assert len({call.person for call in uses}) == 1
        assert max(call.event_at for call in uses) > max(call.event_at for call in attempts)
        assert len({call.person for call in attempts}) == 2


def test_a_shared_mobile_number_is_refused_once_however_often_it_is_sent(small_story: Story, small: list[Call]) -> None:
    refused = [pair for pair in story_oracle.simulate(small, small_story.retracted).refused if MOBILE in dict(pair)]
    assert len(refused) == 1
    assert sum(1 for call in small if frozenset(call.identities) == refused[0]) == 2


def test_a_number_typed_wrongly_makes_two_teachers_one_until_the_link_is_taken_back(
    small_story: Story, small: list[Call]
) -> None:
    [(number, phone)] = small_story.retracted
    wrong, right = story_oracle.simulate(small), story_oracle.simulate(small, small_story.retracted)
    [teacher] = {call.person for call in small if call.identities == (number, phone) and call.outcome == "event"}
    [visitor] = {call.person for call in small if call.identities == (phone,) and call.outcome == "event"}
    assert teacher != visitor
    [login] = {each for call in small if call.person == visitor for each in call.identities if each[0] == LOGIN}
    assert any({number, phone} <= person for person in wrong.persons.values())
    assert frozenset((login, phone)) in wrong.refused - right.refused
    assert any({login, phone} <= person for person in right.persons.values())
    moved = story_oracle.moved_events(small, small_story.retracted)
    assert moved == len([call for call in small if call.outcome == "event" and call.person == visitor])


def test_a_family_walks_the_whole_path_that_none_of_it_walks_alone(small_story: Story, small: list[Call]) -> None:
    [family] = small_story.families
    own = [call for call in small if call.family == family]
    assert len({call.person for call in own}) == 3
    assert [row.entered for row in story_oracle.sales_path(own, "family")] == [1] * len(STAGES)
    assert max(row.entered for row in story_oracle.sales_path(own, "person")) <= 2
    for person in {call.person for call in own}:
        alone = story_oracle.sales_path([call for call in own if call.person == person], "person")
        assert 0 in [row.entered for row in alone]
    names = {call.client for call in own}
    assert names == {"native"}


def test_an_older_event_that_arrives_late_decides_the_account(small: list[Call]) -> None:
    late = [call for call in small if call.outcome == "event" and week_of(call.event_at) < call.chapter]
    assert late
    decided = [
        (call, other)
        for call in late
        for other in small
        if other.person == call.person and call.names_account and not other.names_account and other.outcome == "event"
    ]
    assert any(other.chapter < call.chapter and other.account == call.account for call, other in decided)
    accounts_of: dict[str | None, set[str | None]] = {}
    for call in small:
        if call.outcome == "event":
            accounts_of.setdefault(call.person, set()).add(call.account)
    assert sum(1 for accounts in accounts_of.values() if len(accounts - {None}) == 2) >= 2


def test_a_school_is_reached_tried_and_paid_by_different_persons(middle: Story) -> None:
    first: dict[tuple[str, str], Call] = {}
    for call in sorted(middle.calls(), key=lambda call: call.event_at):
        for stage in STAGES:
            if call.outcome == "event" and call.account and stage.matches(str(call.event_name), call.properties):
                first.setdefault((call.account, stage.name), call)
    different = [
        account
        for account in middle.accounts
        if len({first[account, stage].person for stage in ("reach", "trial", "pay") if (account, stage) in first}) == 3
    ]
    assert different


def test_every_way_of_linking_and_refusing_occurs(small: list[Call]) -> None:
    methods = {(call.client, call.method) for call in small}
    assert {
        ("sensors_classic", "track_signup"), ("sensors_classic", "profile_set"), ("sensors_idm3", "bind"),
        ("sensors_idm3", "profile_set_by_id"), ("segment_web", "identify"), ("segment_web", "alias"),
        ("segment_web", "group"), ("segment_web", "page"), ("segment_server", "group"), ("segment_server", "track"),
    } <= methods  # fmt: skip
    logins = {value for call in small for key, value in call.identities if key == LOGIN}
    assert any(key == ANONYMOUS and value in logins for call in small for key, value in call.identities)
    assert any(call.group_id and call.method == "track" for call in small)
    reasons = Counter(call.reason for call in small if call.outcome == "rejected")
    assert set(reasons) == {"too_old", "too_new", "empty_name", "no_identity"}
    duplicates = [call for call in small if call.outcome == "duplicate"]
    assert {call.client for call in duplicates} == {call.client for call in small}
    assert all(call.person is None for call in small if not call.is_accepted)


def test_a_property_has_one_type_and_one_spelling_everywhere(middle: Story) -> None:
    kinds: dict[str, set[str]] = {}
    for call in middle.calls():
        for name, value in call.properties.items():
            kinds.setdefault(name, set()).add("text" if isinstance(value, str) else "number")
    assert all(len(kind) == 1 for kind in kinds.values())
    assert len({name.lower() for name in kinds}) == len(kinds)


@pytest.mark.parametrize("path", sorted(Path(api.demo.__path__[0]).glob("*.py")), ids=lambda path: path.name)
def test_the_story_knows_neither_warehouse_nor_models_and_only_the_senders_know_sdks(path: Path) -> None:
    roots = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            roots |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            roots.add(node.module.partition(".")[0])
    assert not roots & {"warehouse", "models", "ingest", "duckdb"}
    if path.name != "senders.py":
        assert not roots & {"sensorsanalytics", "segment", "urllib", "requests"}


@dataclass
class Sink:
    """A collector that acknowledges everything and keeps the records in order of arrival."""

    records: list[dict[str, Any]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    url: str = ""


@dataclass(frozen=True)
class Delivery:
    """The small story and what a sink got of it."""

    calls: list[Call]
    posted: Posted
    progress: list[int]
    sink: Sink


@pytest.fixture(scope="module")
def delivery() -> Iterator[Delivery]:
    """The small story, posted by the SDKs."""
    story = tell(scale=SMALL)
    progress: list[int] = []
    with listening_sink() as sink:
        yield Delivery(list(story.calls()), post(story, sink.url, progress.append), progress, sink)


@contextmanager
def listening_sink(status: int = 200) -> Iterator[Sink]:
    """A sink on a free loopback port."""
    kept = Sink()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.requests.append(self.path)
            kept.records += _records(self.path, body, self.headers.get("Content-Encoding"))
            self.send_response(status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        kept.url = f"http://127.0.0.1:{server.server_port}"
        yield kept
        server.shutdown()
        thread.join()


def test_the_sdks_post_the_story_as_told_and_in_its_order(delivery: Delivery) -> None:
    for call, record in zip(delivery.calls, delivery.sink.records, strict=True):
        assert _as_received(record) == _as_stated(call)
    assert set(delivery.sink.requests) == {"/sa?project=default", "/v1/batch", "/events"}
    assert len(delivery.sink.requests) < len(delivery.calls) / 4


def test_every_call_is_counted_once_when_it_is_acknowledged(delivery: Delivery) -> None:
    assert sum(delivery.progress) == delivery.posted.total == len(delivery.calls)
    told = Counter((call.protocol, call.record_type) for call in delivery.calls)
    assert delivery.posted.by_record_type == dict(told)


def test_records_are_identical_only_where_stated(delivery: Delivery) -> None:
    seen: set[str] = set()
    for call, record in zip(delivery.calls, delivery.sink.records, strict=True):
        written = json.dumps(record)
        assert (written in seen) == (call.outcome == "duplicate")
        seen.add(written)


def test_a_collector_that_refuses_is_an_error_not_a_shorter_story() -> None:
    with listening_sink(status=400) as sink, pytest.raises(PostError, match="could not deliver"):
        post(tell(scale=SMALL), sink.url, lambda _: None)


def test_totals_add_up_over_clients_of_one_family() -> None:
    posted = Posted({("segment_web", "track"): 3, ("segment_server", "track"): 2, ("sensors_idm3", "track"): 1})
    assert posted.by_record_type == {("segment", "track"): 5, ("sensors", "track"): 1}


@pytest.mark.slow
def test_the_whole_story_has_the_promised_size() -> None:
    story = tell()
    calls = list(story.calls())
    assert len(story.persons) == 5_000
    assert len(story.accounts) == 300
    assert 110_000 < len(calls) < 140_000
    assert_statements_follow_from_the_rules(story)
    entered = [row.entered for row in story_oracle.sales_path(calls, "account")]
    assert entered == [258, 178, 112, 96, 90, 70, 30]


def assert_statements_follow_from_the_rules(story: Story) -> None:
    """The persons stated by who acted are the persons found by the rules, one to one, and so are the accounts."""
    calls = list(story.calls())
    found = story_oracle.simulate(calls, story.retracted)
    pairs = {
        (call.person, person) for call, person in zip(calls, found.person_of, strict=True) if call.outcome == "event"
    }
    assert len(pairs) == len({person for person, _ in pairs}) == len({person for _, person in pairs})
    assert {person for person, _ in pairs} == story.persons
    assert [call.account for call in calls] == found.account_of
    assert [call.family for call in calls] == found.family_of
    assert {frozenset(link) for link in story.retracted} == found.retracted
    assert (story.merged_count, story.refused_count) == (found.merged, len(found.refused))
    assert len(found.persons) == len(story.persons)


def _records(path: str, body: bytes, encoding: str | None) -> list[dict[str, Any]]:
    if path.startswith("/sa"):
        data = gzip.decompress(base64.b64decode(parse_qs(body.decode())["data_list"][0]))
        return list(json.loads(data))
    if path == "/events":
        return list(json.loads(body))
    return list(json.loads(gzip.decompress(body) if encoding == "gzip" else body)["batch"])


def _as_received(record: dict[str, Any]) -> tuple[str, str | None, datetime, frozenset[Identity], str | None]:
    """Type, event name, time, identities, account named: read from the wire in this test's own way."""
    if "event_name" in record:
        at, family = datetime.fromisoformat(record["event_at"]), record.get("accounts", {}).get("family")
        return "track", record["event_name"], at, frozenset(record["identities"].items()), family
    if "messageId" in record:
        at = datetime.fromisoformat(record["timestamp"])
        named = {LOGIN: record["userId"], ANONYMOUS: record.get("anonymousId") or record.get("previousId")}
        account = record.get("groupId") or record["context"].get("groupId")
        name = "$pageview" if record["type"] == "page" else record.get("event")
    else:
        at = datetime.fromtimestamp(record["time"] / 1000, tz=ZONE)
        name, account = record.get("event"), None
        named = record.get("identities") or _classic_identities(record)
    identities = frozenset((key, value) for key, value in named.items() if value)
    return record["type"], name, at, identities, account or record.get("properties", {}).get("account_id")


def _classic_identities(record: dict[str, Any]) -> dict[str, str]:
    if record["type"] == "track_signup":
        return {LOGIN: record["distinct_id"], ANONYMOUS: record["original_id"]}
    key = LOGIN if record["properties"].get("$is_login_id") else ANONYMOUS
    return {key: record["distinct_id"]}


def _as_stated(call: Call) -> tuple[str, str | None, datetime, frozenset[Identity], str | None]:
    return (
        call.record_type,
        call.event_name,
        call.event_at,
        frozenset(call.identities),
        call.names_account or call.names_family,
    )
