"""Identity keys: what is known of the preset ones, and what holds for those that a project brings.

The names are those of Sensors' ID-Mapping 3, the widest such list in use; other families map onto them (ADR 0004).
"""

import re
from collections.abc import Mapping
from typing import Literal

import msgspec

from ingest.message import ANONYMOUS_ID, LOGIN_ID

KeyValues = Literal["single", "many"]
OverLimit = Literal["refuse", "replace_oldest"]
KeyStatus = Literal["enabled", "disabled"]

DEFAULT_LIMIT = 500
"""Values of one key that a person may have, where the key may have many: beyond it, it is nobody's own any more."""


class KeyRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What holds for one identity key.

    `priority`: an event belongs to its identity with the lowest. `values`: how many a person may have at a time, and
    `limit` how many at most where that is `many`. `over_limit`: what becomes of a value beyond: refused, or it takes
    the place of the oldest. `parent`: unbinding a value of that key unbinds the person's values of this one, too.
    """

    priority: int = 40
    values: KeyValues = "many"
    limit: int = DEFAULT_LIMIT
    over_limit: OverLimit = "refuse"
    parent: str | None = None
    status: KeyStatus = "enabled"

    @property
    def most(self) -> int:
        """Values of the key that one person may have at a time."""
        return 1 if self.values == "single" else self.limit


_DEVICE = KeyRule(priority=60)
PRESETS: Mapping[str, KeyRule] = {
    LOGIN_ID: KeyRule(priority=10, values="single"),
    "$identity_mobile": KeyRule(priority=20, values="single"),
    "$identity_email": KeyRule(priority=30, values="single"),
    "$identity_mp_unionid": KeyRule(priority=40),
    "$identity_mp_openid": KeyRule(priority=50),
    **dict.fromkeys(
        (
            ANONYMOUS_ID,
            "$identity_cookie_id",
            "$identity_android_id",
            "$identity_android_uuid",
            "$identity_idfv",
            "$identity_ios_uuid",
            "$identity_harmony_uuid",
            "$identity_mp_id",
            "$identity_ali_mp_id",
            "$identity_baidu_mp_id",
            "$identity_byte_mp_id",
            "$identity_feishu_mp_id",
            "$identity_xhs_mp_id",
            "$identity_taobao_uuid",
            "$identity_distinct_id",
        ),
        _DEVICE,
    ),
}
LEARNED = KeyRule()
# A mini program's own openid: its key holds the program's appid.
_OPENID_OF_APP = re.compile(r"\$identity_mp_[A-Za-z0-9_-]+_openid")


def preset_rule(key: str) -> KeyRule | None:
    """What is preset for a key; None for one that only a project knows."""
    if _OPENID_OF_APP.fullmatch(key):
        return PRESETS["$identity_mp_openid"]
    return PRESETS.get(key)
