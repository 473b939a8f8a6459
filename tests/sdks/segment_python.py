"""Drives the Python clients of Segment and RudderStack, which have the same calls.

Run as `python -m tests.sdks.segment_python`, as `house.drive` does.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from rudderstack.analytics.client import Client as RudderClient
from segment.analytics.client import Client as SegmentClient

from tests.sdks.saying import Saying, native_values, tell
from tests.sdks.scenario import Json

CLIENTS: dict[str, Callable[..., Any]] = {"segment-analytics-python": SegmentClient, "rudder-sdk-python": RudderClient}
OPTIONS: dict[str, Json] = {"plain": {"gzip": False}, "gzip": {"gzip": True}, "sync": {"sync_mode": True}}
LOGIN, ANONYMOUS = "$identity_login_id", "$identity_anonymous_id"


def drive(story: Json, url: str, mode: str) -> Saying:
    """Tell one story with one client; what it raises or hands to `on_error` is a failure."""
    name = next(each for each in CLIENTS if story["run"].startswith(each))
    saying = Saying(name, version(name))
    client = CLIENTS[name](
        "key-s", host=url, on_error=lambda error, _items: saying.failures.append(repr(error)), **OPTIONS[mode]
    )
    try:
        for step in story["steps"]:
            tell_step(client, saying, story, step)
        if client.consumers is not None:
            client.flush()
            client.join()
    except Exception as error:  # noqa: BLE001  # whatever the client raises is what it has to say
        saying.failures.append(repr(error))
    return saying


def tell_step(client: Any, saying: Saying, story: Json, step: Json) -> None:
    """One step as one of the six calls; of the profile they know `set`, and no bind, unbind or items."""
    match step["do"]:
        case "track":
            track(client, saying, story, step)
        case "page" | "screen":
            call = client.page if step["do"] == "page" else client.screen
            who = {"anonymous_id": story["device"]}
            call(name=step["name"], properties=step["properties"], timestamp=moment(step["at_ms"]), **who)
            event = "$pageview" if step["do"] == "page" else "$screen"
            properties = step["properties"] | {"name": step["name"]}
            saying.sent(step, step["do"], properties, event=event, at_ms=step["at_ms"])
        case "sign_up":
            client.identify(story["teacher"], anonymous_id=story["device"])
            saying.sent(step, "identify", {})
            saying.knows(LOGIN, story["teacher"])
            saying.knows(ANONYMOUS, story["device"])
        case "alias":
            client.alias(story["tablet"], story["teacher"])
            saying.sent(step, "alias", {})
            saying.knows(ANONYMOUS, story["tablet"])
        case "profile" if step["operation"] == "set":
            client.identify(story["teacher"], native_values(step["properties"], moment))
            saying.sent(step, "identify")
        case "account":
            client.group(story["teacher"], story["account"], step["properties"])
            saying.sent(step, "group", account=story["account"])


def track(client: Any, saying: Saying, story: Json, step: Json) -> None:
    """An event; the account stands in the context, where these clients keep it."""
    who = {"user_id" if step["by"] == "teacher" else "anonymous_id": story[step["by"]]}
    context = {"groupId": story["account"]} if step["names_account"] else {}
    properties = native_values(step["properties"], moment)
    client.track(event=step["event"], properties=properties, context=context, timestamp=moment(step["at_ms"]), **who)
    saying.sent(step, "track", event=step["event"], at_ms=step["at_ms"])


def moment(at_ms: int) -> datetime:
    """A moment with its zone: a naive one these clients would take for UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)


if __name__ == "__main__":
    tell(drive)
