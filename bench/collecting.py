"""Collecting: requests per second of one worker, durable before answered, beside applications that do nothing.

Each contender is served by uvicorn in a process of its own and driven by wrk (Debian package `wrk`) over loopback; they
take turns. CPU seconds are those of the serving process.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx

from bench.events import FAMILIES
from bench.timing import ROUNDS, fsync_ms, out, show, show_disk
from ingest.record import Request

CONNECTIONS = int(os.environ.get("BENCH_CONNECTIONS", "32"))
SECONDS = 2
SLOW_DISK_MS = 0.5


@dataclass(frozen=True)
class Sample:
    """What wrk saw of one contender in one round."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: float


@dataclass(frozen=True)
class Served:
    """A contender that answers on a port."""

    pid: int
    url: str

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serve_app(name: str) -> Iterator[Served]:
    """`bench.peers.NAME` under uvicorn."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", f"bench.peers:{name}", "--port", str(port), "--http", "httptools"]
    with _running([*command, "--log-level", "warning", "--no-access-log"], f"http://127.0.0.1:{port}/x") as served:
        yield served


@contextmanager
def serve_collector(data: Path) -> Iterator[Served]:
    """`onepath collect` on a folder of its own."""
    port = free_port()
    command = [sys.executable, "-m", "api.cli", "collect", "--data", str(data), "--collector-port", str(port)]
    with _running(command, f"http://127.0.0.1:{port}/health") as served:
        yield served


@contextmanager
def _running(command: list[str], probe: str) -> Iterator[Served]:
    with subprocess.Popen(command, env=os.environ | {"ONEPATH_COLLECTOR__MAX_BACKLOG_BYTES": "0"}) as process:
        try:
            wait_for(probe)
            yield Served(process.pid, probe.rpartition("/")[0])
        finally:
            process.send_signal(signal.SIGTERM)


def wait_for(url: str) -> None:
    """Return when somebody answers there."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            httpx.get(url, timeout=1)
        except httpx.HTTPError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"nobody answered on {url}")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def drive(served: Served, request: Request, folder: Path, connections: int) -> Sample:
    """Send `request` again and again over `connections` for some seconds."""
    body, script = folder / "body", folder / "post.lua"
    body.write_bytes(request.body)
    script.write_text(
        f'local file = io.open("{body}", "rb")\nwrk.method = "POST"\nwrk.body = file:read("*a")\n'
        'wrk.headers["Content-Type"] = "application/json"\n'
        'done = function(summary, latency)\n  io.write(string.format("P50 %d P99 %d BAD %d\\n", '
        "latency:percentile(50), latency:percentile(99), summary.errors.status))\nend\n"
    )
    began = served.cpu_s()
    command = ["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "-s", str(script), served.url + request.path]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    spent = served.cpu_s() - began
    rate = float(re.findall(r"Requests/sec:\s+([\d.]+)", said)[0])
    p50, p99, bad = (int(number) for number in re.findall(r"P50 (\d+) P99 (\d+) BAD (\d+)", said)[0])
    if bad:
        raise SystemExit(f"{bad} requests to {served.url}{request.path} were refused: the figures would mean nothing")
    return Sample(rate, p50 / 1000, p99 / 1000, spent / (rate * SECONDS) * 1_000_000)


def run() -> None:
    """Print requests per second, latencies, CPU and ratios for single events and batches of 100."""
    if shutil.which("wrk") is None:
        raise SystemExit("this benchmark drives the collector with wrk: apt install wrk")
    connections = CONNECTIONS if fsync_ms()[0] < SLOW_DISK_MS else max(CONNECTIONS, 256)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        serving = {
            "onepath": stack.enter_context(serve_collector(Path(folder) / "data")),
            "FastAPI": stack.enter_context(serve_app("fastapi_app")),
            "bare ASGI": stack.enter_context(serve_app("bare_app")),
        }
        show_disk(Path(folder))
        for batch in (1, 100):
            for family in ("segment", "native"):
                request = FAMILIES[family](batch, batch)[0]
                samples: dict[str, list[Sample]] = {name: [] for name in serving}
                for _ in range(ROUNDS):
                    for name, served in serving.items():
                        samples[name].append(drive(served, request, Path(folder), connections))
                _show(
                    f"{request.path}, {batch} events ({len(request.body):,} bytes), {connections} connections", samples
                )
    out.print()


def _show(title: str, samples: dict[str, list[Sample]]) -> None:
    def middle(name: str, field: str) -> float:
        return float(median(getattr(sample, field) for sample in samples[name]))

    ours = middle("onepath", "requests_per_s")
    rows = [
        (
            name,
            f"{middle(name, 'requests_per_s'):,.0f}",
            f"{middle(name, 'p50_ms'):.1f}",
            f"{middle(name, 'p99_ms'):.1f}",
            f"{middle(name, 'cpu_us'):.0f}",
            f"{ours / middle(name, 'requests_per_s'):.2f} x",
        )
        for name in samples
    ]
    show(title, ("one worker", "requests/s", "p50 ms", "p99 ms", "CPU us/request", "onepath's rate"), rows)
