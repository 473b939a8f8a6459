"""Tells the story as the Java, Android and iOS clients of Sensors Analytics put it on the wire.

Those clients do not run here: these are requests built by hand after their protocol, and labelled so. Forms differ in
fields (`crc` before the rest on Android), headers, identities and sizes; all but a 2xx is a failure to these clients.
"""

import base64
import gzip
import json
import time
from typing import Any
from urllib.parse import quote

import httpx

from tests.sdks.saying import Saying, tell, wall_clock, without
from tests.sdks.scenario import OBJECT, Json

LOGIN, MOBILE, ANONYMOUS = "$identity_login_id", "$identity_mobile", "$identity_anonymous_id"
# The library's name, its own key for a device, and how many events go into a request.
FORMS = {
    "Java": ("Java", None, 1000),
    "Android": ("Android", "$identity_android_uuid", 50),
    "iOS": ("iOS", "$identity_idfv", 50),
}
EVENT_NAMES = {"sign_up": "$SignUp", "alias": "$SignUp", "bind": "$BindID", "unbind": "$UnbindID"}
RECORD_TYPES = {
    "sign_up": "track_signup",
    "alias": "track_signup",
    "bind": "track_id_bind",
    "unbind": "track_id_unbind",
}


def drive(story: Json, url: str, mode: str) -> Saying:
    """Build every event, post them in batches, and take any status but 2xx for a failure."""
    saying = Saying(f"Sensors {mode}, by protocol", "")
    library, device_key, batch_size = FORMS[mode]
    events = [
        event
        for step in story["steps"]
        for event in [_event(saying, story, step, library, device_key)]
        if event is not None
    ]
    with httpx.Client() as client:
        for start in range(0, len(events), batch_size):
            batch = [event | _flush_time(mode) for event in events[start : start + batch_size]]
            body, headers = _form(mode, json.dumps(batch, ensure_ascii=False).encode())
            answer = client.post(f"{url}/sa?project=default", content=body, headers=headers)
            if not answer.is_success:
                saying.failures.append(f"status {answer.status_code}")
    return saying


def _form(mode: str, events: bytes) -> tuple[bytes, dict[str, str]]:
    packed = base64.b64encode(gzip.compress(events)).decode()
    if mode == "Android":
        # No content type of its own; the checksum is that of the base64 text.
        return f"crc={_java_hash(packed)}&gzip=1&data_list={quote(packed, safe='')}".encode(), {}
    form = {"content-type": "application/x-www-form-urlencoded"}
    return f"data_list={quote(packed, safe='')}&gzip=1".encode(), form


def _java_hash(text: str) -> int:
    """`String.hashCode()`: 31 times the hash so far plus the letter, in 32 signed bits."""
    found = 0
    for letter in text:
        found = (31 * found + ord(letter)) & 0xFFFFFFFF
    return found - (1 << 32) if found >= 1 << 31 else found


def _flush_time(mode: str) -> Json:
    return {} if mode == "Java" else {"_flush_time": time.time_ns() // 1_000_000}


def _event(saying: Saying, story: Json, step: Json, library: str, device_key: str | None) -> Json | None:
    lib = {"$lib": library, "$lib_version": "6.8.0", "$lib_method": "code"}
    common = {"_track_id": 1_000_000 + step["step"], "time": step.get("at_ms", _now_ms()), "lib": lib}
    properties = _properties(step, story)
    match step["do"]:
        case "track":
            who = _who(story, step["by"], device_key)
            saying.sent(step, "track", without(step["properties"], (OBJECT,)), event=step["event"], at_ms=step["at_ms"])
            return common | who | {"type": "track", "event": step["event"], "properties": properties}
        case "sign_up" | "alias":
            device = story["device" if step["do"] == "sign_up" else "tablet"]
            saying.knows(LOGIN, story["teacher"])
            saying.knows(ANONYMOUS if device_key is None else device_key, device)
            who = _who(story, "teacher", device_key, device) | {"original_id": device}
        case "bind":
            saying.knows(MOBILE, story["mobile"])
            who = {"identities": {LOGIN: story["teacher"], MOBILE: story["mobile"]}, "distinct_id": story["teacher"]}
        case "unbind":
            saying.sent(step, "track_id_unbind", event="$UnbindID", unbound=[MOBILE, story["mobile"]])
            who = {"identities": {MOBILE: story["mobile"]}, "distinct_id": f"{MOBILE}+{story['mobile']}"}
            return common | who | {"type": "track_id_unbind", "event": "$UnbindID", "properties": {}}
        case "profile":
            saying.sent(step, f"profile_{step['operation']}")
            who = _who(story, "teacher", device_key)
            return common | who | {"type": f"profile_{step['operation']}", "properties": properties}
        case "item":
            saying.sent(step, f"item_{step['operation']}")
            item = {"item_type": step["type"], "item_id": step["name"]}
            return common | item | {"type": f"item_{step['operation']}", "properties": properties}
        case _:
            return None
    saying.sent(step, RECORD_TYPES[step["do"]], event=EVENT_NAMES[step["do"]])
    named = {"type": RECORD_TYPES[step["do"]], "event": EVENT_NAMES[step["do"]]}
    return common | who | named | {"properties": {}}


def _who(story: Json, by: str, device_key: str | None, device: str | None = None) -> Json:
    """Ids as each client sends them: a server one `distinct_id`, an app everything it knows of its user."""
    if by != "teacher":
        key = device_key or ANONYMOUS
        return {"distinct_id": story[by], "anonymous_id": story[by], "identities": {key: story[by]}}
    who = {"distinct_id": story["teacher"], "login_id": story["teacher"], "identities": {LOGIN: story["teacher"]}}
    if device is not None:
        who["identities"][device_key or ANONYMOUS] = device
        who["anonymous_id"] = device
    return who


def _properties(step: Json, story: Json) -> Json:
    given = {name: _dated(value) for name, value in step.get("properties", {}).items() if name != OBJECT}
    return given | ({"account_id": story["account"]} if step.get("names_account") else {})


def _dated(value: Any) -> Any:
    if isinstance(value, dict) and "$date_ms" in value:
        return wall_clock(value["$date_ms"]).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    return value


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


if __name__ == "__main__":
    tell(drive)
