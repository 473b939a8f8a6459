"""The account of a fuzz run: what was answered, what the log holds, what became of it; and whatever is wrong with that.

A request that was answered 2xx is in the log once, and its record becomes at least one event, call, duplicate or reject
unless it is an empty list. Nothing answers 5xx, raises, or makes a decoder fail.
"""

import json
import logging
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from api.offline import open_offline
from api.settings import Settings
from ingest.decode import decode, find_endpoint, recognise
from ingest.log.files import list_streams, read_records
from ingest.record import Record
from tests.fuzz_requests import Sent, open_layers
from tests.fuzz_sending import Answered, number_of
from warehouse.load import Loader

# Statuses that the documents name: anything else is a finding.
DOCUMENTED = frozenset({200, 204, 304, 307, 400, 401, 403, 404, 405, 408, 411, 413, 415, 421, 422, 429})
_EXPLAINED_BY = ("error", "detail", "message", "results")
_WHOLE_LOG = 1 << 50


@dataclass
class Line:
    """What one endpoint was asked, and what became of it."""

    requests: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    records: int = 0
    events: int = 0
    calls: int = 0
    duplicates: int = 0
    rejects: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Finding:
    """Something that must not be; `number` leads back to the request."""

    number: int
    what: str


@dataclass
class Account:
    """Filled while answers come in, then from the log and the warehouse."""

    request: Callable[[int], Sent]
    findings: list[Finding] = field(default_factory=list)
    lines: dict[str, Line] = field(default_factory=dict)
    _expected: dict[int, str] = field(default_factory=dict)  # by number: must be in the log, at this endpoint
    _verdicts: dict[int, tuple[int, int]] = field(default_factory=dict)

    def answered(self, number: int, sent: Sent, answer: Answered | Exception) -> None:
        """Note one answer, and whether its status and form are documented ones."""
        line = self._line(endpoint_of(sent))
        line.requests += 1
        if isinstance(answer, Exception):
            line.statuses["raised"] += 1
            self._find(number, f"raised {type(answer).__name__}: {answer}")
            return
        line.statuses["gone" if answer.status is None else f"{answer.status // 100}xx"] += 1
        if answer.status is None:
            return
        if answer.status not in DOCUMENTED:
            self._find(number, f"answered {answer.status}: {answer.body[:200]!r}")
        elif answer.status >= 400 and sent.method != "HEAD" and not is_explained(sent, answer):
            self._find(number, f"answered {answer.status} without a reason: {answer.body[:200]!r}")
        if is_kept(sent) and answer.status < 300:
            self._expected[number] = endpoint_of(sent)
        if is_kept(sent) and answer.body[:11] == b'{"accepted"':  # the native form and webhooks tell how many
            told = json.loads(answer.body)
            self._verdicts[number] = told["accepted"], told["rejected"]

    def settle(self, settings: Settings) -> None:
        """Load the log with the real loader and hold both against what was answered."""
        with _errors_of("onepath") as errors:
            places, totals = self._read_log(settings)
            self._read_warehouse(settings, places, totals)
        for message in errors:
            self.findings.append(Finding(-1, f"logged: {message}"))

    def _read_log(self, settings: Settings) -> tuple[dict[int, tuple[int, int]], Counter[str]]:
        """By arrival: the request's number and how many messages it holds; and messages by endpoint."""
        places = dict[int, tuple[int, int]]()
        seen, messages = set[int](), Counter[str]()
        for stream in list_streams(settings.log_folder):
            for item in read_records(settings.log_folder, stream, 0, 0, _WHOLE_LOG):
                record = item[2]
                assert isinstance(record, Record)
                assert record.request is not None
                number = number_of(record.request.remote_address)
                if number in seen:
                    self._find(number, "is in the log twice")
                seen.add(number)
                decoded = decode(record, settings.decode)
                places[record.received_at_us] = number, len(decoded.messages)
                label = endpoint_of(self.request(number))
                messages[label] += len(decoded.messages)
                self._line(label).records += 1
                self._check_record(number, len(decoded.messages), len(decoded.rejects))
        for number in self._expected.keys() - seen:
            self._find(number, "was answered 2xx and is not in the log")
        return places, messages

    def _check_record(self, number: int, messages: int, rejects: int) -> None:
        if messages + rejects == 0 and not is_empty(self.request(number)):
            self._find(number, "became neither a message nor a reject")
        if self._verdicts.get(number, (messages, rejects)) != (messages, rejects):
            self._find(number, f"was told {self._verdicts[number]} accepted and rejected, is {messages} and {rejects}")

    def _read_warehouse(self, settings: Settings, places: dict[int, tuple[int, int]], messages: Counter[str]) -> None:
        with open_offline(settings) as warehouse:
            Loader(warehouse, settings.log_folder, settings.decode).load_all()
            with warehouse.snapshot() as snapshot:
                found = snapshot.query(_ROWS).to_pylist()
                duplicates = snapshot.query(_DUPLICATES).to_pylist()
        for row in found:
            number, _ = places[row["received_at_us"]]
            line = self._line(endpoint_of(self.request(number)))
            if row["kind"] == "reject":
                line.rejects[row["reason"]] += row["times"]
                if row["reason"] == "decoder_failed":
                    self._find(number, f"decoder_failed: {row['detail']}")
            elif row["kind"] == "event":
                line.events += row["times"]
            else:
                line.calls += row["times"]
        for label, count in messages.items():
            line = self._line(label)
            line.duplicates = count - line.events - line.calls
        counted = sum(row["times"] for row in duplicates)
        if counted != sum(line.duplicates for line in self.lines.values()):
            self.findings.append(Finding(-1, f"{counted} duplicates counted, and messages are missing or too many"))

    def _line(self, endpoint: str) -> Line:
        return self.lines.setdefault(endpoint, Line())

    def _find(self, number: int, what: str) -> None:
        self.findings.append(Finding(number, what))


_ROWS = """
with
rows as (
    select 'event' as kind, received_at, cast(null as varchar) as reason, cast(null as varchar) as detail, from events
    union all
    select 'call', received_at, null, null, from calls
    union all
    select 'reject', received_at, reason, if(reason = 'decoder_failed', detail, null), from rejects
)
select kind, epoch_us(received_at) as received_at_us, reason, detail, count(*) as times,
from rows
group by all
order by all
"""
_DUPLICATES = (
    "select protocol, sum(message_count)::bigint as times, from arrivals where outcome = 'duplicate' group by all"
)


def endpoint_of(sent: Sent) -> str:
    """The line of the table that a request belongs to."""
    path = unquote(sent.path).rstrip("/")
    protocol = recognise(path) if sent.method not in ("OPTIONS",) else None
    for start in ("/webhook", "/config", "/debug"):
        if start in path:
            return f"{start}{'/...' if start != '/debug' else ''}"
    if protocol is not None and sent.method in ("GET", "POST"):
        return f"{sent.method} {path}"
    return "other methods" if protocol is not None or sent.method != "GET" else "GET elsewhere"


def is_kept(sent: Sent) -> bool:
    """Whether a request that is answered 2xx must be in the log: on every receiving path, unless it was a dry run."""
    endpoint = find_endpoint(unquote(sent.path))
    if endpoint is None or sent.method not in endpoint.methods:
        return False
    is_dry = any(name == b"dry-run" and value.strip().lower() == b"true" for name, value in sent.headers)
    return not (is_dry and unquote(sent.path).rstrip("/").endswith("/debug"))


def is_empty(sent: Sent) -> bool:
    """An empty list of messages, or no lines at all: the requests that are well-formed and say nothing."""
    if (b"content-type", b"application/x-ndjson") in sent.headers and not sent.body.strip():
        return True
    if sent.body.strip() == b"[]":
        return True
    try:
        packed = open_layers(sent)
        # What is not UTF-8 is read all the same, as the decoders do.
        said = json.loads(packed.plain.decode("utf-8", "surrogateescape")) if packed is not None else None
    except (ValueError, OSError, EOFError, zlib.error):  # layers that do not open say something, if nothing good
        return False
    return (said.get("batch") if isinstance(said, dict) else said) == []


def is_explained(sent: Sent, answer: Answered) -> bool:
    """Whether a refusal says why, in the form that the documents name for this path."""
    path = unquote(sent.path).rstrip("/")
    if path.endswith("/debug") and answer.status in (413, 422):
        return answer.body.startswith(b"message ")  # text, which those clients print
    if answer.status == 404 and recognise(path) == "sensors":
        return answer.body == b"{}"  # nothing of ours is there; those clients carry on
    try:
        said = json.loads(answer.body)
    except ValueError:
        return False
    return isinstance(said, dict) and any(said.get(name) for name in _EXPLAINED_BY)


class _errors_of(logging.Handler):  # noqa: N801  # reads as what it is: with _errors_of("onepath")
    """What our own loggers say at level ERROR while the block runs."""

    def __init__(self, name: str) -> None:
        super().__init__(logging.ERROR)
        self._logger = logging.getLogger(name)
        self._messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._messages.append(record.getMessage())

    def __enter__(self) -> list[str]:
        self._logger.addHandler(self)
        return self._messages

    def __exit__(self, *_error: object) -> None:
        self._logger.removeHandler(self)


def folder_bytes(folder: Path) -> int:
    """How much lies in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
