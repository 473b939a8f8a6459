"""Decoding: events per second of one core, beside msgspec reading the same bytes into typed structs.

The peer does the least that any decoder must: open the body and read every event into a struct with its properties.
"""

import base64
import time
import zlib
from functools import partial
from typing import Any
from urllib.parse import parse_qs

import msgspec

from bench.events import FAMILIES
from bench.timing import show, take_turns
from ingest.decode import decode
from ingest.protocols.native import NativeMessage
from ingest.protocols.segment import SegmentMessage
from ingest.protocols.sensors import SensorsMessage
from ingest.record import Record, Request
from ingest.settings import DecodeSettings

EVENTS, BATCH = 20_000, 100
RECEIVED_AT_US = 1_788_307_200_000_000


class _Batch(msgspec.Struct):
    batch: list[SegmentMessage]


_SEGMENT = msgspec.json.Decoder(_Batch)
_NATIVE = msgspec.json.Decoder(list[NativeMessage])
_SENSORS = msgspec.json.Decoder(list[SensorsMessage])


def read_typed(family: str, request: Request) -> list[Any]:
    """The peer: the events of one request as typed structs, nothing interpreted."""
    if family == "segment":
        return list(_SEGMENT.decode(request.body).batch)
    if family == "native":
        return list(_NATIVE.decode(request.body))
    packed = parse_qs(request.body)[b"data_list"][0]
    return list(_SENSORS.decode(zlib.decompress(base64.b64decode(packed), wbits=31)))


def run() -> None:
    """Print events per CPU second of each family, and the time as a multiple of the peer's."""
    rows = []
    for family, requests_of in FAMILIES.items():
        requests = requests_of(EVENTS, BATCH)
        taken = take_turns({"ours": partial(decode_all, requests), "peer": partial(read_all, family, requests)})
        rows.append(
            (
                family,
                f"{EVENTS / taken['ours']:,.0f}",
                f"{EVENTS / taken['peer']:,.0f}",
                f"{taken['ours'] / taken['peer']:.2f} x",
            )
        )
    columns = ("family", "events per CPU second", "msgspec into structs", "our time / msgspec's")
    show(f"Decoding {EVENTS:,} events in batches of {BATCH}", columns, rows)


def decode_all(requests: list[Request]) -> float:
    """CPU seconds that our decoder takes for them."""
    records = [Record(RECEIVED_AT_US + number, request) for number, request in enumerate(requests)]
    settings, found = DecodeSettings(), 0
    began = time.thread_time()
    for record in records:
        found += len(decode(record, settings).messages)
    taken = time.thread_time() - began
    assert found == EVENTS, f"{found} of {EVENTS} events were decoded"
    return taken


def read_all(family: str, requests: list[Request]) -> float:
    """CPU seconds that the peer takes for them."""
    began = time.thread_time()
    found = sum(len(read_typed(family, request)) for request in requests)
    taken = time.thread_time() - began
    assert found == EVENTS, f"{found} of {EVENTS} events were read"
    return taken
