"""The clients that are driven, each in its modes: how, and what it sends of its own beside what it is told to send."""

import sys
from collections import Counter
from pathlib import Path

from tests.sdks.house import Run, Views
from tests.sdks.judging import Kinds, judge, judge_dry
from tests.sdks.scenario import Json, story

DOCUMENT = Path(__file__).parents[2] / "docs" / "sdk" / "clients.md"

_SENSORS_PYTHON = (sys.executable, "-m", "tests.sdks.sensors_python")
_SEGMENT_PYTHON = (sys.executable, "-m", "tests.sdks.segment_python")
_BY_PROTOCOL = (sys.executable, "-m", "tests.sdks.sensors_protocol")
_SENSORS_NODE = ("node", "tests/sdks/sensors_node.js")
_MINI_PROGRAM = ("node", "tests/sdks/sensors_miniprogram.js")
_SEGMENT_NODE = ("node", "tests/sdks/segment_node.js")
_RUDDER_NODE = ("node", "tests/sdks/rudder_node.js")

PYTHON_RUNS = [
    *(Run("sensorsanalyticssdk", mode, _SENSORS_PYTHON) for mode in ("default", "batch", "async batch")),
    *(Run("sensorsanalyticssdk", mode, _SENSORS_PYTHON) for mode in ("debug", "debug, dry run")),
    *(Run("segment-analytics-python", mode, _SEGMENT_PYTHON) for mode in ("plain", "gzip", "sync")),
    *(Run("rudder-sdk-python", mode, _SEGMENT_PYTHON) for mode in ("gzip", "plain")),
    *(Run("by protocol", mode, _BY_PROTOCOL) for mode in ("Java", "Android", "iOS")),
]
NODE_RUNS = [
    *(Run("sa-sdk-node", mode, _SENSORS_NODE, alone=True) for mode in ("gzip", "plain", "batch")),
    *(Run("sa-sdk-node", mode, _SENSORS_NODE, alone=True) for mode in ("debug and track", "debug, dry run")),
    *(Run("sa-sdk-miniprogram", mode, _MINI_PROGRAM, alone=True) for mode in ("batch", "gzip plugin", "single")),
    *(Run("@segment/analytics-node", mode, _SEGMENT_NODE) for mode in ("batches", "one by one")),
    *(Run("@rudderstack/rudder-sdk-node", mode, _RUDDER_NODE) for mode in ("gzip", "plain")),
]
PAGE_RUNS = [
    *(Run("sa-sdk-javascript", mode, ("sensors_page",)) for mode in ("image", "ajax", "beacon", "batch")),
    *(Run("@segment/analytics-next", mode, ("segment_page",)) for mode in ("single", "batching")),
]

# What a client sends of its own: on the first opening of a mini program, and on the first visit of a site.
_AUTOMATIC: dict[str, Kinds] = {
    "sa-sdk-miniprogram": Counter(
        {
            ("profile_set_once", None): 1,
            ("track", "$MPLaunch"): 1,
            ("track", "$MPShow"): 1,
            ("track", "$MPViewScreen"): 1,
            ("track", "$MPHide"): 1,
        }
    ),
    "sa-sdk-javascript": Counter({("profile_set_once", None): 1, ("track", "$pageview"): 1}),
}
# By what the client itself says that its messages arrived.
REPORTS = {
    "sensorsanalyticssdk": "no exception",
    "segment-analytics-python": "no `on_error`",
    "rudder-sdk-python": "no `on_error`",
    "by protocol": "status 200",
    "sa-sdk-node": "its submitter, per request",
    "sa-sdk-miniprogram": "its queue is empty, no request failed",
    "@segment/analytics-node": "a callback per message",
    "@rudderstack/rudder-sdk-node": "a callback per message",
    "sa-sdk-javascript": "nothing (every request was answered 200)",
    "@segment/analytics-next": "a promise per message",
}


def automatic(run: Run) -> Kinds:
    """What the client of this run sends of its own."""
    return _AUTOMATIC.get(run.client, Counter())


def is_dry(run: Run) -> bool:
    """Does this client only want to know what the collector thinks of its messages?"""
    return run.mode.endswith("dry run")


def reports_by(run: Run) -> str:
    """How this client says that it was successful."""
    if run.client == "sa-sdk-javascript" and run.mode in ("ajax", "batch"):
        return "`sendSuccess`, no `sendFail`"
    return REPORTS[run.client]


def row(run: Run, said: Json, views: Views) -> str:
    """Judge one run and say it as a row of the table."""
    if is_dry(run):
        judge_dry(views, story(run.name), said)
        meant, automatic = f"{len(said['sent'])} judged, none kept", "none"
    else:
        tally = judge(views, story(run.name), said)
        kinds = sorted(tally.automatic.items(), key=lambda item: (item[0][1] or "", item[0][0]))
        automatic = ", ".join(f"{event or record_type} {count}" for (record_type, event), count in kinds) or "none"
        meant = f"{tally.events} + {tally.calls}"
    version = said["version"] or "reference"
    return f"| {run.client} | {version} | {run.mode} | {meant} | {automatic} | {reports_by(run)} |"
