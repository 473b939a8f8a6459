"""Drives the Python client of Sensors Analytics with each of its consumers: `python -m tests.sdks.sensors_python`."""

from datetime import date
from typing import Any

from sensorsanalytics.sdk import (
    SDK_VERSION,
    AsyncBatchConsumer,
    BatchConsumer,
    DebugConsumer,
    DefaultConsumer,
    SensorsAnalytics,
    SensorsAnalyticsIdentity,
)

from tests.sdks.saying import Saying, native_values, tell, wall_clock, without
from tests.sdks.scenario import DAY, OBJECT, Json

LEFT_OUT = (OBJECT,)  # this client takes no objects
CONSUMERS = {
    "default": DefaultConsumer,
    "batch": BatchConsumer,
    "async batch": lambda url: AsyncBatchConsumer(url, flush_max_time=0.2),
    "debug": DebugConsumer,
    "debug, dry run": lambda url: DebugConsumer(url, write_data=False),
}
LOGIN, MOBILE, ANONYMOUS = "$identity_login_id", "$identity_mobile", "$identity_anonymous_id"


def drive(story: Json, url: str, mode: str) -> Saying:
    """Tell one story with one consumer; what the client raises is a failure."""
    saying = Saying("sensorsanalyticssdk", SDK_VERSION)
    client = SensorsAnalytics(CONSUMERS[mode](f"{url}/sa?project=default"))
    try:
        for step in story["steps"]:
            tell_step(client, saying, story, step)
        client.flush()
        client.close()
    except Exception as error:  # noqa: BLE001  # whatever the client raises is what it has to say
        saying.failures.append(repr(error))
    return saying


def tell_step(client: Any, saying: Saying, story: Json, step: Json) -> None:
    """One step as calls of this client; it has none for pages, screens and accounts."""
    match step["do"]:
        case "track":
            track(client, saying, story, step)
        case "sign_up" | "alias":
            device = story["device" if step["do"] == "sign_up" else "tablet"]
            client.track_signup(story["teacher"], device, {"plan": "trial"})
            saying.sent(step, "track_signup", {"plan": "trial"}, event="$SignUp")
            saying.knows(LOGIN, story["teacher"])
            saying.knows(ANONYMOUS, device)
        case "bind":
            client.bind(identity(LOGIN, story["teacher"]), identity(MOBILE, story["mobile"]))
            saying.sent(step, "track_id_bind", event="$BindID")
            saying.knows(MOBILE, story["mobile"])
        case "unbind":
            client.unbind(identity(MOBILE, story["mobile"]))
            saying.sent(step, "track_id_unbind", event="$UnbindID", unbound=[MOBILE, story["mobile"]])
        case "profile":
            change_profile(client, saying, story, step)
        case "item":
            change = client.item_set if step["operation"] == "set" else client.item_delete
            change(step["type"], step["name"], native_values(step["properties"], wall_clock))
            saying.sent(step, f"item_{step['operation']}")


def track(client: Any, saying: Saying, story: Json, step: Json) -> None:
    """An event; every second lesson by the calls of ID-Mapping 3."""
    properties = native_values(without(step["properties"], LEFT_OUT), wall_clock) | {"$time": wall_clock(step["at_ms"])}
    if DAY in properties:
        properties[DAY] = date.fromisoformat(properties[DAY])
    if step["names_account"]:
        properties["account_id"] = story["account"]
    if step["properties"].get("lesson", 0) % 2:
        both = identity(LOGIN, story["teacher"]), identity(MOBILE, story["mobile"])
        client.track_by_id(step["event"], properties, *both)
    else:
        client.track(story[step["by"]], step["event"], properties, is_login_id=step["by"] == "teacher")
    saying.sent(step, "track", without(step["properties"], LEFT_OUT), event=step["event"], at_ms=step["at_ms"])


def change_profile(client: Any, saying: Saying, story: Json, step: Json) -> None:
    """A change of the teacher's profile; `delete` and `unset` by the calls of ID-Mapping 3."""
    operation, properties = step["operation"], native_values(step["properties"], wall_clock)
    if operation == "delete":
        client.profile_delete_by_id(identity(LOGIN, story["teacher"]))
    elif operation == "unset":
        client.profile_unset_by_id(list(properties), identity(LOGIN, story["teacher"]))
    else:
        getattr(client, f"profile_{operation}")(story["teacher"], properties, is_login_id=True)
    saying.sent(step, f"profile_{operation}")


def identity(key: str, value: str) -> SensorsAnalyticsIdentity:
    """One identity in the client's own form."""
    return SensorsAnalyticsIdentity(key, value)


if __name__ == "__main__":
    tell(drive)
