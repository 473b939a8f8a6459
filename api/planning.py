"""The tracking plan and the catalog: reading plan files, applying a plan, and the endpoints.

A plan gets into the warehouse only through the log: applying it writes an act, which the next load finds.
"""

import getpass
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Query

from api.endpoints import ServerParts
from api.errors import ApiError
from ingest.acts import append_act
from ingest.errors import PlanError
from ingest.plan import FORCE_DELAY_US, SET_PLAN, Plan, plan_values
from ingest.plan_reading import read_plan, read_plan_text
from ingest.record import Act
from models.catalog import CatalogAnswer, CatalogQuestion, answer_catalog
from models.plan_check import PlanCheck, check_plan
from models.plan_draft import draft_plan
from warehouse.plans import plan_in_force
from warehouse.reader import Snapshot

_VIOLATIONS = "select * from plan_violations order by message_count desc, all"
_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class PlanFile:
    """A plan as it was read, with the name and the hash that its act will carry."""

    plan: Plan
    file_name: str
    sha256: str


@dataclass(frozen=True)
class PlanRequest:
    """A plan in the form of its file; `operator` says who applies it."""

    plan: dict[str, Any]
    file_name: str = "plan"
    operator: str = "API"


@dataclass(frozen=True)
class AppliedPlan:
    """What was written into the log. It judges what arrives from `in_force_from` on."""

    mode: str
    file_name: str
    sha256: str
    in_force_from: datetime


@dataclass(frozen=True)
class PlanAnswer:
    """The plan in force (None: there is none) as its file has it, and what deviates from plans so far, by kind."""

    plan: dict[str, Any] | None
    applied_at: datetime | None
    operator: str | None
    file_name: str | None
    sha256: str | None
    violations: tuple[dict[str, Any], ...]
    watermark: str


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


def create_planning(server: ServerParts) -> APIRouter:
    """The endpoints of plan and catalog."""
    settings, warehouse = server.settings, server.warehouse
    known = settings.project.project.name

    def known_project(project: str) -> None:
        if project != known:
            raise HTTPException(404, f"there is no project {project!r}; there is {known!r}")

    router = APIRouter(prefix="/api/v1/projects/{project}", dependencies=[Depends(known_project)])

    @router.get("/catalog")
    def catalog(event: str | None = None, examples: Annotated[int, Query(ge=1, le=100)] = 5) -> CatalogAnswer:
        """What has been seen: events, their properties, types, examples, sources and SDKs."""
        with warehouse.snapshot() as snapshot:
            return answer_catalog(CatalogQuestion(event, examples), snapshot)

    @router.get("/plan")
    def plan() -> PlanAnswer:
        """The tracking plan in force, and what deviated from plans so far."""
        with warehouse.snapshot() as snapshot:
            return answer_plan(snapshot)

    @router.post("/plan")
    def apply(request: PlanRequest) -> AppliedPlan:
        """Apply a plan: it judges what arrives from a second later on."""
        return apply_plan(settings.log_folder, _requested(request), request.operator)

    @router.get("/plan/check")
    def check() -> PlanCheck:
        """Where reality deviates from the plan in force."""
        with warehouse.snapshot() as snapshot:
            found = plan_in_force(snapshot)
            if found is None:
                raise HTTPException(404, "no plan is in force; apply one, or post one to be checked")
            return check_plan(found.plan, snapshot, refused_since=found.log_order)

    @router.post("/plan/check")
    def check_other(request: PlanRequest) -> PlanCheck:
        """Where reality deviates from a plan that need not be in force."""
        with warehouse.snapshot() as snapshot:
            return check_plan(_requested(request).plan, snapshot)

    @router.get("/plan/draft")
    def draft() -> dict[str, Any]:
        """A first plan from what has been seen."""
        with warehouse.snapshot() as snapshot:
            return plan_values(draft_plan(answer_catalog(CatalogQuestion(), snapshot)))

    return router


def answer_plan(snapshot: Snapshot) -> PlanAnswer:
    """The plan in force in a snapshot, and the violations counted in it."""
    found = plan_in_force(snapshot)
    violations = tuple(snapshot.query(_VIOLATIONS).to_pylist())
    if found is None:
        return PlanAnswer(None, None, None, None, None, violations, snapshot.watermark)
    return PlanAnswer(
        plan=plan_values(found.plan),
        applied_at=found.applied_at.replace(tzinfo=UTC),
        operator=found.operator,
        file_name=found.file_name,
        sha256=found.sha256,
        violations=violations,
        watermark=snapshot.watermark,
    )


def _requested(request: PlanRequest) -> PlanFile:
    try:
        plan = read_plan(request.plan, request.file_name)
    except PlanError as error:
        raise HTTPException(422, str(error)) from error
    sha256 = hashlib.sha256(msgspec.json.encode(request.plan, order="sorted")).hexdigest()
    return PlanFile(plan, request.file_name, sha256)
