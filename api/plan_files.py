"""Plan files: reading one, and applying it.

A plan gets into the warehouse only through the log: applying it writes an act, which the next load finds.
"""

import getpass
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from api.errors import ApiError
from ingest.acts import append_act
from ingest.plan.plan import FORCE_DELAY_US, SET_PLAN, Plan, plan_values
from ingest.plan.reading import read_plan_text
from ingest.record import Act

_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class PlanFile:
    """A plan as it was read, with the name and the hash that its act will carry."""

    plan: Plan
    file_name: str
    sha256: str


@dataclass(frozen=True)
class AppliedPlan:
    """What was written into the log. It judges what arrives from `in_force_from` on."""

    mode: str
    file_name: str
    sha256: str
    in_force_from: datetime


def read_plan_file(path: Path) -> PlanFile:
    """Read and validate a plan file; raises `ApiError` or `PlanError` in words."""
    try:
        content = path.read_bytes()
        text = content.decode("utf-8")
    except OSError as error:
        raise ApiError(f"{path} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ApiError(f"{path} is not UTF-8 text: {error}") from error
    return PlanFile(read_plan_text(text, path.name), path.name, hashlib.sha256(content).hexdigest())


def apply_plan(log: Path, file: PlanFile, operator: str) -> AppliedPlan:
    """Write the plan into the log; the next load finds it."""
    details = {"plan": plan_values(file.plan), "file_name": file.file_name, "sha256": file.sha256}
    written_us = append_act(log, Act(SET_PLAN, operator, details))
    in_force_from = _EPOCH + timedelta(microseconds=written_us + FORCE_DELAY_US)
    return AppliedPlan(file.plan.mode, file.file_name, file.sha256, in_force_from)


def operator_name() -> str:
    """Who runs this command, as the system knows them."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container may run as a user without a name
        return "operator"
