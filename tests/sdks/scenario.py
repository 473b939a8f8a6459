"""The story that every client tells: a teacher reaches the site, signs up, tries, teaches, signs a contract.

One list of steps for all; a driver turns each step into the calls of its client, or leaves it out where the client has
no such call. Dates are `{"$date_ms": ...}` here and in what the drivers say, since JSON has none.
"""

from datetime import datetime, timedelta, timezone
from typing import Any

Json = dict[str, Any]

SHANGHAI = timezone(timedelta(hours=8))
ZONE = "Asia/Shanghai"  # the clock on the wall of every client
START = datetime(2026, 3, 2, 9, 30, 0, 7_000, SHANGHAI)  # 7 ms: the Python client writes them as ".7"
LESSONS = 60  # more than any client puts into one request

# Kinds of values that only some clients take: the names of the properties that carry them.
NULL, OBJECT, HUGE, DAY = "left_empty", "invoice", "huge", "starts_on"


def story(run: str) -> Json:
    """The people and steps of one run; every event carries the run and its own step, so that each is found again."""
    steps = [
        *_reaching(),
        *_signing_up(),
        *_describing(),
        *_trying(),
        *_teaching(),
        *_signing(run),
    ]
    for number, step in enumerate(steps):
        step["step"] = number
        if step["do"] in ("track", "page", "screen"):
            step["at_ms"] = moment_ms(number)
            step["properties"] |= {"run": run, "step": number}
    return {"run": run, **people(run), "steps": steps}


def people(run: str) -> dict[str, str]:
    """Who is in the story of a run."""
    digits = sum(ord(letter) * (place + 1) for place, letter in enumerate(run)) % 10**8
    return {
        "teacher": f"teacher-{run}",
        "device": f"device-{run}",
        "tablet": f"tablet-{run}",
        "mobile": f"138{digits:08}",
        "account": f"school-{run}",
    }


def moment_ms(minutes: int) -> int:
    """So many minutes into the story, in milliseconds since 1970."""
    return round((START + timedelta(minutes=minutes)).timestamp() * 1000)


def _reaching() -> list[Json]:
    return [
        _track("SiteReached", by="device", channel="展会 🎓", first_time=True),
        {"do": "page", "by": "device", "name": "价格", "properties": {"plan_shown": "school"}},
        {"do": "screen", "by": "device", "name": "Pricing", "properties": {"plan_shown": "teacher"}},
        _track("SiteReached", by="tablet", channel="微信", first_time=False),
    ]


def _signing_up() -> list[Json]:
    return [{"do": "sign_up"}, {"do": "alias"}, {"do": "bind"}]


def _describing() -> list[Json]:
    return [
        _profile("set", draft="to be deleted"),
        {"do": "profile", "operation": "delete", "properties": {}},
        _profile("set", name="李老师 👩‍🏫", subject="数学", years=7, is_head=False, note="x"),
        _profile("set", years=8, since={"$date_ms": moment_ms(0)}),
        _profile("set_once", first_channel="展会", name="somebody else"),
        _profile("increment", points=5),
        _profile("increment", points=7),
        _profile("append", tags=["奥数", "math"]),
        _profile("append", tags=["chess"]),
        _profile("unset", note=True),
    ]


def _trying() -> list[Json]:
    values: Json = {
        "seats": 35,
        "rate": 0.125,
        "is_paid": False,
        "tags": ["a, b", "引号 \" ' \\", "😀"],
        "wish": "多行\nline two\ttab & <b>%20+=</b> é 👨‍👩‍👧‍👦 \u2028",
        "empty": "",
        "negative": -12.5,
        "big": 9_007_199_254_740_991,
        "starts_at": {"$date_ms": moment_ms(1) + 40},
        DAY: "2026-03-05",
        NULL: None,
        HUGE: 9_007_199_254_740_993,
        OBJECT: {"city": "杭州", "lines": [{"sku": "seat", "count": 35}]},
    }
    return [_track("TrialStarted", by="teacher", account=True, **values)]


def _teaching() -> list[Json]:
    return [_track("LessonTaught", by="teacher", minutes=20 + number % 26, lesson=number) for number in range(LESSONS)]


def _signing(run: str) -> list[Json]:
    return [
        {"do": "account", "properties": {"name": "杭州第七中学", "city": "杭州", "seats": 420, "is_public": True}},
        {"do": "item", "operation": "set", "type": "course", "name": f"course-{run}", "properties": {"price": 99.5}},
        {"do": "item", "operation": "delete", "type": "course", "name": f"course-{run}", "properties": {}},
        _track("ContractSigned", by="teacher", account=True, amount=128_000.5, currency="CNY"),
        {"do": "unbind"},
    ]


def _track(event: str, *, by: str, account: bool = False, **properties: Any) -> Json:
    return {"do": "track", "event": event, "by": by, "names_account": account, "properties": properties}


def _profile(operation: str, **properties: Any) -> Json:
    return {"do": "profile", "operation": operation, "properties": properties}
