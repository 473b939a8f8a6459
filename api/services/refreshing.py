"""Refreshing the marts of a project, with or without a server."""

from api.settings import Settings
from models.stage_events import build_stage_events_sql
from warehouse.refresh import RefreshReport, refresh_marts
from warehouse.warehouse import Warehouse


def refresh_project(warehouse: Warehouse, settings: Settings, *, rebuild: bool = False) -> RefreshReport:
    """Refresh the marts with the stages as configured."""
    return refresh_marts(
        warehouse, lambda properties: build_stage_events_sql(settings.project.stages, properties), rebuild=rebuild
    )
