"""The project in an address: there is one, and any other is not there."""

from collections.abc import Callable

from fastapi import HTTPException

from api.settings import Settings


def known_project(settings: Settings) -> Callable[[str], None]:
    """A dependency of routes below `/projects/{project}`: 404 for a project that this server does not have."""
    known = settings.project.project.name

    def check_project(project: str) -> None:
        if project != known:
            raise HTTPException(404, f"there is no project {project!r}; there is {known!r}")

    return check_project
