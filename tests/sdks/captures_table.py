"""The table of what every recorded request of the real clients became: `python -m tests.sdks.captures_table`.

Without an argument it prints the table; with `--write` it puts it into docs/sdk/captures.md.
"""

import base64
import gzip
import json
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from ingest.decode import decode, find_endpoint
from ingest.message import Decoded
from ingest.record import Record, Request
from ingest.settings import DecodeSettings
from tests.sdks.scenario import Json

FOLDER = Path(__file__).parents[1] / "captures" / "whole"
DOCUMENT = Path(__file__).parents[2] / "docs" / "sdk" / "captures.md"
BEGIN, END = "<!-- made by python -m tests.sdks.captures_table --write -->", "<!-- end of table -->"
RECORDED_AT_US = 1_795_309_200_000_000  # an hour after the recordings
MOST_NAMES = 8  # event names listed per record type; the rest is counted


@dataclass(frozen=True)
class Recorded:
    """One recorded request, what it decoded to, and whether the collector would only have judged it (a dry run)."""

    client: str
    step: str
    request: Request
    answered: int
    decoded: Decoded
    is_dry_run: bool

    @property
    def is_refused(self) -> bool:
        """Refused by the recording server, to see it sent again."""
        return self.answered >= 400


def recordings() -> list[Recorded]:
    """Every recorded request that carries something; preflights are left out."""
    return [
        _recorded(path.name.removesuffix(".jsonl.gz"), entry)
        for path in sorted(FOLDER.glob("*.jsonl.gz"))
        for entry in map(json.loads, gzip.decompress(path.read_bytes()).decode().splitlines())
        if entry["method"] != "OPTIONS"
    ]


def table(found: Iterable[Recorded]) -> str:
    """One row per client and step of its scenario."""
    rows = [
        "| client | step | requests | messages | became | refused |",
        "|---|---|---|---|---|---|",
    ]
    for (client, step), group in groupby(found, key=lambda each: (each.client, each.step)):
        requests = list(group)
        messages = sum(len(each.decoded.messages) for each in requests)
        rejects = Counter(reject.reason for each in requests for reject in each.decoded.rejects)
        refused = ", ".join(f"{count} {reason}" for reason, count in sorted(rejects.items())) or "none"
        cells = [client, step.replace("|", "/"), _paths(requests), str(messages), _became(requests), refused]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def document_with(rows: str) -> str:
    """The page with this table in it."""
    text = DOCUMENT.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    return f"{head}{BEGIN}\n{rows}\n{END}{rest.partition(END)[2]}"


def _recorded(client: str, entry: Json) -> Recorded:
    path, _, query = entry["path"].partition("?")
    request = Request(
        entry["method"], path, query, entry["headers"], "203.0.113.7", base64.b64decode(entry["body_b64"])
    )
    endpoint = find_endpoint(path)
    assert endpoint is not None, f"nobody answers on {path}"
    return Recorded(
        client,
        entry["scenario_step"],
        request,
        entry["answered"],
        decode(Record(RECORDED_AT_US, request), DecodeSettings()),
        endpoint.is_dry_run(request),
    )


def _paths(requests: list[Recorded]) -> str:
    kinds = Counter(
        (f"{each.request.method} {each.request.path}", each.is_refused, each.is_dry_run) for each in requests
    )
    notes = {
        (True, False): ", refused by the recorder",
        (False, True): ", dry run: judged, not kept",
        (False, False): "",
    }
    return "; ".join(_times(path, count) + notes[refused, dry] for (path, refused, dry), count in sorted(kinds.items()))


def _became(requests: list[Recorded]) -> str:
    names: dict[str, Counter[str]] = {}
    for each in requests:
        for message in each.decoded.messages:
            names.setdefault(message.record_type, Counter())[message.event_name or ""] += 1
    return "; ".join(_record_type(record_type, counts) for record_type, counts in sorted(names.items()))


def _record_type(record_type: str, counts: Counter[str]) -> str:
    named = [_times(f"`{name}`", count) for name, count in counts.most_common() if name]
    if not named:
        return _times(record_type, counts.total())
    more = f", {len(named) - MOST_NAMES} other names" if len(named) > MOST_NAMES else ""
    return f"{record_type}: {', '.join(named[:MOST_NAMES])}{more}"


def _times(what: str, count: int) -> str:
    return what if count == 1 else f"{what} ×{count}"


if __name__ == "__main__":
    made = table(recordings())
    if "--write" in sys.argv:
        DOCUMENT.write_text(document_with(made), encoding="utf-8")
    else:
        sys.stdout.write(made + "\n")
