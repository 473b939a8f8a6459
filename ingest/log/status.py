"""How a log stream stands: what its writer is told to bear, and what it tells about itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ingest.errors import RefusalReason

LogState = Literal["ok", "short_of_space", "refusing"]
ReserveState = Literal["none", "whole", "in use", "used up"]


@dataclass(frozen=True)
class WriterLimits:
    """What a writer bears before it refuses; 0 means no reserve, no limit, no wait."""

    reserved_bytes: int = 0
    max_backlog_bytes: int = 0
    max_waiting_bytes: int = 0
    group_commit_wait_s: float = 0.0


@dataclass(frozen=True)
class LogStatus:
    """A snapshot of one stream's writer. Counts are since its start; `problem` is one sentence while it lasts."""

    stream: str
    state: LogState
    problem: str | None
    requests_written: int
    bytes_written: int
    batches_written: int
    last_batch_requests: int
    sync_s: float
    last_sync_s: float
    waiting_requests: int
    waiting_bytes: int
    refused: Mapping[RefusalReason, int]
    reserve: ReserveState
    reserve_held_bytes: int
    backlog_bytes: int

    @property
    def is_ready(self) -> bool:
        """Whether a request would be taken now."""
        return self.state != "refusing"
