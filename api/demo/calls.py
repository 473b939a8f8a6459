"""The words the demo's story is told in: one call of one SDK, and what it must come to.

Plain data: nothing here knows an SDK, a protocol's JSON or the warehouse.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Shanghai")
FIRST_DATE = date(2026, 6, 1)
"""The story's day 0, a Monday."""
DAYS = 90
CHAPTERS = 13
"""One chapter a week; the last one has six days."""

LOGIN = "$identity_login_id"
MOBILE = "$identity_mobile"
ANONYMOUS = "$identity_anonymous_id"
OPENID = "$identity_mp_openid"
ANDROID = "$identity_android_id"

Identity = tuple[str, str]
"""(key, value): one name somebody goes by, such as `("$identity_login_id", "u1007")`."""
Scalar = str | float | int | bool

ClientName = Literal["sensors_classic", "sensors_idm3", "segment_web", "segment_server", "native"]
CLIENTS: tuple[ClientName, ...] = ("sensors_classic", "sensors_idm3", "segment_web", "segment_server", "native")
Platform = Literal["web", "mini_program", "app", "server"]
Protocol = Literal["sensors", "segment", "native"]
Method = Literal[
    "track", "track_signup", "profile_set",  # Sensors, one distinct_id
    "track_by_id", "bind", "profile_set_by_id",  # Sensors, ID-Mapping 3
    "page", "identify", "alias", "group",  # Segment, which has `track` too
]  # fmt: skip
Outcome = Literal["event", "record", "duplicate", "rejected"]
"""An accepted event; an accepted record which is no event; dropped as sent before; refused, with a reason."""
Reason = Literal["too_old", "too_new", "empty_name", "no_identity"]

_STARTS_AT = datetime(FIRST_DATE.year, FIRST_DATE.month, FIRST_DATE.day, tzinfo=ZONE).astimezone(UTC)
_RECORD_TYPES: Mapping[str, str] = {"track_by_id": "track", "bind": "track_id_bind", "profile_set_by_id": "profile_set"}
_FIXED_EVENT_NAMES: Mapping[str, str] = {"track_signup": "$SignUp", "bind": "$BindID", "page": "$pageview"}
_EVENT_METHODS = frozenset(("track", "track_by_id", *_FIXED_EVENT_NAMES))


class Stage(NamedTuple):
    """One stage of the sales path: any of these events, with the property filter if there is one."""

    name: str
    event_names: tuple[str, ...]
    filter: tuple[str, Literal[">="], float] | None = None

    def matches(self, event_name: str, properties: Mapping[str, Scalar]) -> bool:
        """Whether this event enters the stage."""
        if event_name not in self.event_names:
            return False
        if self.filter is None:
            return True
        name, _, least = self.filter
        value = properties.get(name)
        return isinstance(value, int | float) and value >= least


STAGES = (
    Stage("reach", ("$pageview", "$MPViewScreen", "$AppViewScreen")),
    Stage("trial", ("TrialStarted",)),
    Stage("sign", ("ContractSigned",)),
    Stage("project_setup", ("ProjectSetUp",)),
    Stage("pay", ("OrderPaid",)),
    Stage("routine_use", ("LessonTaught", "LessonTaken"), ("minutes", ">=", 20)),
    Stage("refer", ("ReferralMade",)),
)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of one SDK, and the statement of what it must come to in the warehouse."""

    client: ClientName
    method: Method
    identities: tuple[Identity, ...]
    """Whom the call names; the sender puts them where its SDK wants them."""
    event_at: datetime
    """UTC, whole milliseconds. No two calls share it, except a call and its resend."""
    chapter: int
    """The week of arrival, from 0: later than the week of `event_at` for what arrives late."""
    person: str | None
    """Whose it is in the end, `None` for what is rejected or a duplicate."""
    name: str = ""
    """The event's name, or the title of a page."""
    properties: Mapping[str, Scalar] = field(default_factory=dict)
    """Properties of an event, or of a profile, or traits."""
    group_id: str | None = None
    """Segment only: the group joined, or `context.groupId` of an event."""
    names_family: str | None = None
    """Native only: the family named, an account of another type."""
    message_id: str | None = None
    """Segment and native: the key duplicates are found by."""
    account: str | None = None
    """The account of an accepted event."""
    family: str | None = None
    """The family of an accepted event."""
    outcome: Outcome = "event"
    reason: Reason | None = None

    @property
    def protocol(self) -> Protocol:
        """The SDK family."""
        if self.client == "native":
            return "native"
        return "sensors" if self.client.startswith("sensors") else "segment"

    @property
    def record_type(self) -> str:
        """The protocol's own word for the record."""
        return _RECORD_TYPES.get(self.method, self.method)

    @property
    def event_name(self) -> str | None:
        """The event's name as stored; `None` when the record is no event."""
        if self.method not in _EVENT_METHODS:
            return None
        return _FIXED_EVENT_NAMES.get(self.method, self.name)

    @property
    def names_account(self) -> str | None:
        """The account which the record itself names."""
        account = self.properties.get("account_id")
        return account if isinstance(account, str) else self.group_id

    @property
    def is_accepted(self) -> bool:
        """Whether the record counts at all: it is neither rejected nor a duplicate."""
        return self.outcome in ("event", "record")


def week_of(event_at: datetime) -> int:
    """The story's week of a moment, from 0, by the local calendar."""
    return (event_at - _STARTS_AT) // timedelta(days=7)


def local_moment(day: int, second: float) -> datetime:
    """The moment `second` seconds into the story's local `day`, as UTC in whole milliseconds.

    The zone keeps one offset all year, so a local day has 24 hours.
    """
    return _STARTS_AT + timedelta(days=day, milliseconds=int(second * 1000))
