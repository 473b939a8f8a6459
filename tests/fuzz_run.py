"""The fuzzer as a command: `python -m tests.fuzz_run --requests 100000`.

Prints what every endpoint was asked and what became of it; ends with status 1 when anything was found. `--seed` makes
the same requests again, `--only N` shows and sends just one of them.
"""

import argparse
import asyncio
import base64
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from rich.console import Console
from rich.table import Table

from api.services.collecting import create_collector
from api.settings import Settings, read_settings
from ingest.protocols.mapping import Condition, MessageMapping, Webhook
from ingest.protocols.mapping import Path as JsonPath
from tests.fuzz_account import Account, Finding, folder_bytes
from tests.fuzz_mutations import mutate
from tests.fuzz_requests import CAPTURES, Sent, native_requests, other_requests, read_captures
from tests.fuzz_sending import Answered, send_many

PHONE = JsonPath("$.contact.phone")
CRM = Webhook(
    "crm",
    (
        MessageMapping(
            event_name=JsonPath("$.type"),
            event_at=JsonPath("$.occurred_at"),
            identities=(
                ("$identity_email", JsonPath("$.contact.email")),
                ("$identity_mobile", JsonPath("$.contact.phone")),
            ),
            account_id=JsonPath("$.company.id"),
            dedupe_key=JsonPath("$.id"),
            properties=(("amount", JsonPath("$.amount")),),
            properties_from=JsonPath("$"),
        ),
        MessageMapping(
            record_type="group",
            items=JsonPath("$..company"),
            when=(Condition(JsonPath("@.id")),),
            identities=(("$identity_email", JsonPath("$.contact.email")),),
            account_id=JsonPath("@.id"),
        ),
    ),
)
MEMORY_SAMPLES = 200
# How much the process may grow after its first requests: in flight are 64 requests, some of them bombs of 18 MB.
MAX_GROWTH_MB = 300
SHOWN_FINDINGS = 25


@dataclass
class Memory:
    """Resident memory while requests are answered, in megabytes."""

    first: float = 0.0
    most: float = 0.0

    def look(self) -> None:
        now = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6
        self.first = self.first or now
        self.most = max(self.most, now)


@dataclass
class Fuzz:
    """Seeded requests, by number: `request(n)` is the same in every run with the same seed and captures."""

    seed: int
    folders: tuple[Path, ...] = (CAPTURES,)
    memory: Memory = field(default_factory=Memory)

    @cached_property
    def templates(self) -> list[Sent]:
        """Recorded requests; the families take turns by their number, the native form as often as a recorded one."""
        captures = read_captures(self.folders)
        return [*captures, *native_requests() * (len(captures) // 12), *other_requests(captures)]

    def source(self, number: int) -> random.Random:
        return random.Random(f"{self.seed}/{number}")

    def request(self, number: int) -> Sent:
        return mutate(self.source(number), self.templates)

    def run(self, settings: Settings, numbers: Iterator[int]) -> Account:
        """Send them, load what was kept, and settle the account."""
        account = Account(self.request)

        def prepare(number: int) -> tuple[Sent, random.Random]:
            rng = self.source(number)
            return mutate(rng, self.templates), rng

        def note(number: int, sent: Sent, answer: Answered | Exception) -> None:
            if number % MEMORY_SAMPLES == 0:
                self.memory.look()
            account.answered(number, sent, answer)

        asyncio.run(send_many(create_collector(settings), numbers, prepare, note))
        account.settle(settings)
        return account


def fuzz_settings(folder: Path) -> Settings:
    """The collector as it ships, on a folder of its own, with one webhook configured."""
    settings = read_settings(folder, {}, {})
    return replace(settings, decode=replace(settings.decode, webhooks=(CRM,)))


def print_account(console: Console, account: Account) -> None:
    """The table by endpoint and the one by reason."""
    table = Table(title="What every endpoint was asked, and what became of it")
    table.add_column("endpoint")
    for column in (
        "requests",
        "2xx",
        "3xx",
        "4xx",
        "5xx",
        "gone",
        "records",
        "events",
        "calls",
        "duplicates",
        "rejects",
    ):
        table.add_column(column, justify="right")
    reasons = Counter[str]()
    for name, line in sorted(account.lines.items()):
        statuses = [line.statuses[kind] for kind in ("2xx", "3xx", "4xx", "5xx", "gone")]
        figures = [line.requests, *statuses, line.records, line.events, line.calls, line.duplicates]
        table.add_row(name, *(f"{figure:,}" for figure in [*figures, line.rejects.total()]))
        reasons += line.rejects
    console.print(table)
    console.print("rejects: " + ", ".join(f"{count:,} {reason}" for reason, count in reasons.most_common()))


def print_findings(console: Console, fuzz: Fuzz, findings: list[Finding]) -> None:
    """Each finding with the request that leads to it, shortest first."""

    def size(finding: Finding) -> int:
        return len(fuzz.request(finding.number).body) if finding.number >= 0 else 0

    for finding in sorted(findings, key=size)[:SHOWN_FINDINGS]:
        console.print(f"FOUND request {finding.number}: {finding.what}"[:600], markup=False, style="red")
        if finding.number >= 0:
            print_request(console, fuzz.request(finding.number))
    if len(findings) > SHOWN_FINDINGS:
        console.print(f"... and {len(findings) - SHOWN_FINDINGS} more")


def print_request(console: Console, sent: Sent) -> None:
    headers = ", ".join(f"{name.decode()}: {value[:80]!r}" for name, value in sent.headers)
    console.print(f"  {sent.method} {sent.target[:300]}\n  {headers}", markup=False)
    body = repr(sent.body[:600]) if sent.body.isascii() else base64.b64encode(sent.body[:600]).decode()
    console.print(f"  {len(sent.body)} bytes: {body}", markup=False)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    parser.add_argument("--only", type=int, help="send just the request of this number")
    parser.add_argument("--captures", type=Path, action="append", default=[CAPTURES], help="more recorded requests")
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 160)
    fuzz = Fuzz(arguments.seed, tuple(arguments.captures))
    console.print(f"seed {fuzz.seed}, {len(fuzz.templates)} templates")
    if arguments.only is not None:
        print_request(console, fuzz.request(arguments.only))
    numbers = iter(range(arguments.requests)) if arguments.only is None else iter([arguments.only])
    with tempfile.TemporaryDirectory(prefix="onepath-fuzz-") as folder:
        began = time.monotonic()
        account = fuzz.run(fuzz_settings(Path(folder)), numbers)
        took, log_mb = time.monotonic() - began, folder_bytes(Path(folder) / "log") / 1e6
    print_account(console, account)
    growth = fuzz.memory.most - fuzz.memory.first
    console.print(
        f"{took:.0f} s, log {log_mb:,.0f} MB, memory {fuzz.memory.first:.0f} MB and {growth:.0f} MB more at most"
    )
    print_findings(console, fuzz, account.findings)
    if growth > MAX_GROWTH_MB:
        console.print(f"FOUND memory grew by {growth:.0f} MB; at most {MAX_GROWTH_MB}", style="red")
    sys.exit(bool(account.findings) or growth > MAX_GROWTH_MB)


if __name__ == "__main__":
    main()
