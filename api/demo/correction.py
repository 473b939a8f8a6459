"""What the story's operator does when all has arrived: a link that was a mistake is taken back."""

from typing import Any

from api.acting import Preview, preview_act, write_and_load
from api.asking import Ask, project_path
from api.demo.calls import Identity
from api.errors import ApiError
from api.settings import Settings

OPERATOR = "front desk"

Values = dict[str, Any]


def take_back(settings: Settings, ask: Ask, left: Identity, right: Identity) -> Preview:
    """Take the link of two identities back, and wait until that is loaded; returns what was foreseen to move."""
    preview = preview_act(settings, ask, "retract_link", [_link_id(settings, ask, left, right)])
    if not write_and_load(settings, preview, OPERATOR):
        raise ApiError("the operator's act was not loaded; see the server's messages above")
    return preview


def _link_id(settings: Settings, ask: Ask, left: Identity, right: Identity) -> str:
    sql = f"""
        select distinct link_id
        from identity_links
        where
            struct_pack(k := left_identity_key, v := left_identity_value) in ({_pair(left)}, {_pair(right)})
            and struct_pack(k := right_identity_key, v := right_identity_value) in ({_pair(left)}, {_pair(right)})
    """
    [(link_id,)] = ask("POST", project_path(settings, "sql"), {"sql": sql}).json()["rows"]
    return str(link_id)


def _pair(identity: Identity) -> str:
    key, value = identity  # of the story's own making: they hold no quotes
    return f"struct_pack(k := '{key}', v := '{value}')"
