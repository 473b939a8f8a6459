"""Whether the server is ready: the warehouse answers, loading works, and it is not far behind.

`/health` says that the process lives; `/ready` says whether to send questions to it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import APIRouter, Response

from api.routes.endpoints import ServerParts
from api.services.lag import measure_lag_s
from ingest.errors import IngestError
from warehouse.errors import WarehouseError


@dataclass(frozen=True)
class Readiness:
    """The answer of `/ready`; `reason` is one sentence when the server is not."""

    is_ready: bool
    reason: str | None
    lag_s: float | None


def create_readiness(server: ServerParts, now_us: Callable[[], int]) -> APIRouter:
    """The route of `/ready`."""
    router = APIRouter()

    @router.get("/ready", responses={503: {"model": Readiness}})
    def ready(response: Response) -> Readiness:
        """200 when the answers are whole and recent, else 503 with the reason."""
        readiness = judge_readiness(server, now_us())
        response.status_code = 200 if readiness.is_ready else 503
        return readiness

    return router


def judge_readiness(server: ServerParts, now_us: int) -> Readiness:
    """How the server stands."""
    if server.loading.state == "stopped":  # and the warehouse closed
        return Readiness(False, "loading is stopped", None)
    try:
        with server.warehouse.snapshot() as snapshot:
            marks = snapshot.marks()
        lag_s = measure_lag_s(server.settings.log_folder, marks, now_us)
    except WarehouseError:
        return Readiness(False, "the warehouse does not answer", None)
    except (IngestError, OSError):
        return Readiness(False, "the log cannot be read", None)
    most_s = server.settings.server.ready_max_lag_s
    if server.loading.problem:
        return Readiness(False, f"loading fails: {server.loading.kind}", lag_s)
    if lag_s > most_s:
        reason = f"loading is {lag_s:.0f} seconds behind; the setting ready_max_lag_s allows {most_s:g}"
        return Readiness(False, reason, lag_s)
    return Readiness(True, None, lag_s)
