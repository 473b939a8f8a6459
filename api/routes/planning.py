"""The endpoints of the tracking plan and the catalog.

Each asks one snapshot; applying a plan goes through the log, as everything does that changes the warehouse.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Query

from api.plan_files import AppliedPlan, PlanFile, apply_plan
from api.routes.endpoints import ServerParts
from api.routes.projects import known_project
from ingest.errors import PlanError
from ingest.plan.plan import plan_values
from ingest.plan.reading import read_plan
from models.plan.catalog import CatalogAnswer, CatalogQuestion, answer_catalog
from models.plan.check import PlanCheck, check_plan
from models.plan.draft import draft_plan
from warehouse.plans import plan_in_force
from warehouse.reader import Snapshot

_VIOLATIONS = "select * from plan_violations order by message_count desc, target, event_name, property, reason"


@dataclass(frozen=True)
class PlanRequest:
    """A plan in the form of its file; `operator` says who applies it."""

    plan: dict[str, Any]
    file_name: str = "plan"
    operator: str = "API"


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


def create_planning(server: ServerParts) -> APIRouter:
    """The endpoints of plan and catalog."""
    settings, warehouse = server.settings, server.warehouse
    router = APIRouter(prefix="/api/v1/projects/{project}", dependencies=[Depends(known_project(settings))])

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
