"""The collector's address, kept in the data folder while it receives.

So that whoever looks at the folder finds the collector, whatever port it was given.
"""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx

from api.local_http import local_health
from api.settings import COLLECTOR_FILE, Settings, local_url

logger = logging.getLogger("onepath.collector")


@contextmanager
def announced(settings: Settings) -> Iterator[None]:
    """Keep the address in the folder while the block runs. A full disk leaves it out: receiving does not need it."""
    path = settings.data / COLLECTOR_FILE
    text = json.dumps({"url": collector_url(settings)})
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        logger.warning("cannot write %s: %s", COLLECTOR_FILE, error.strerror)
    try:
        yield
    finally:
        # Another collector may have come, for another stream of this folder; and a file cut off by a full disk goes.
        with suppress(OSError):
            if path.read_text(encoding="utf-8") in (text, ""):
                path.unlink()


def say_where(settings: Settings) -> None:
    """Tell the person who started it where events go, once they are received."""
    with suppress(OSError):  # nobody listens
        sys.stdout.write(f"Send events to {collector_url(settings)} (/sa, /v1/batch, /events); Ctrl-C ends it\n")
        sys.stdout.flush()


def collector_url(settings: Settings) -> str:
    """Where a collector with these settings receives."""
    return local_url(settings.collector.host, settings.collector.port)


def place_of_collector(settings: Settings) -> str:
    """Where this folder's collector is, or was last; as set when none has left its address."""
    try:
        return str(json.loads((settings.data / COLLECTOR_FILE).read_text(encoding="utf-8"))["url"])
    except (OSError, ValueError, KeyError, TypeError):
        return collector_url(settings)


def running_collector(settings: Settings) -> str | None:
    """The address of the collector that receives into this folder; None when there is none."""
    url = place_of_collector(settings)
    try:
        log_id = local_health(url, timeout_s=2).json()["log_id"]
    except (ValueError, KeyError, TypeError, httpx.HTTPError, httpx.InvalidURL):
        return None
    return url if log_id == settings.log_id else None
