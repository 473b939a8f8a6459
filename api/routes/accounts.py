"""One account and its members: the endpoint."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api.routes.endpoints import ServerParts
from api.routes.projects import known_project
from ingest.message import DEFAULT_ACCOUNT_TYPE
from models.accounts import MAX_MEMBERS, AccountAnswer, answer_account


def create_accounts(server: ServerParts) -> APIRouter:
    """The route for accounts."""
    project = known_project(server.settings)
    router = APIRouter(prefix="/api/v1/projects/{project}", dependencies=[Depends(project)])

    @router.get("/account")
    def account(
        account_id: str,
        account_type: str = DEFAULT_ACCOUNT_TYPE,
        limit: Annotated[int, Query(ge=1, le=MAX_MEMBERS)] = 20,
    ) -> AccountAnswer:
        """One account: name, properties, how much counts for it, and its oldest memberships."""
        with server.warehouse.snapshot() as snapshot:
            return answer_account(account_type, account_id, limit, snapshot)

    return router
