"""A person's data out: the endpoint of `onepath person export`."""

from typing import Any

from fastapi import APIRouter, Depends

from api.routes.endpoints import ServerParts
from api.routes.projects import known_project
from warehouse.exporting import export_person

EXPORT_TIMEOUT_S = 3600.0


def create_persons(server: ServerParts) -> APIRouter:
    """The routes about one person."""
    settings = server.settings
    router = APIRouter(prefix="/api/v1/projects/{project}", dependencies=[Depends(known_project(settings))])

    @router.get("/persons/export")
    def export(person: str) -> dict[str, Any]:
        """All that is kept about a person, named by its id or as KEY=VALUE of an identity."""
        with server.warehouse.snapshot(timeout_s=EXPORT_TIMEOUT_S) as snapshot:
            return export_person(snapshot, settings.log_folder, person)

    return router
