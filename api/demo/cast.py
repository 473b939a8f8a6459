"""Who takes part: schools with the path each will walk, and the persons in and around them.

Everything is drawn from one `random.Random`, so the same seed brings the same cast.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from api.demo.calls import ANDROID, ANONYMOUS, DAYS, LOGIN, MOBILE, OPENID, STAGES, ClientName, Identity, Platform

PERSONS = 5_000
REGIONS = ("east", "south", "west", "north")
CHANNELS = ("wechat", "search", "exhibition", "referral", "seller")
SCHOOLS_BY_DEPTH = (38, 80, 70, 12, 10, 20, 40, 30)
"""How many schools go how far: by the number of the last stage (0: never reached)."""

Role = Literal["visitor", "teacher", "principal", "admin", "contact", "parent", "pupil"]
Walk = Literal["in_order", "procurement", "no_trial", "no_setup", "no_reach", "seller_first"]
"""How a school walks. `procurement`: the project is set up before the signature, as public tenders do."""

_STAFF_BY_DEPTH = ((1, 1), (2, 4), (5, 9), (8, 13), (9, 14), (12, 20), (22, 36), (24, 40))
_LAG_DAYS = {
    "trial": (2, 10), "sign": (5, 18), "project_setup": (2, 8), "pay": (2, 10), "routine_use": (1, 6), "refer": (6, 18),
}  # fmt: skip
_PACE = {"east": 0.75, "south": 0.9, "north": 1.1, "west": 1.3}
_REGION_SHARES = (0.38, 0.27, 0.14, 0.21)
_CHANNEL_SHARES_SHALLOW = (0.30, 0.40, 0.12, 0.06, 0.12)
_CHANNEL_SHARES_DEEP = (0.18, 0.12, 0.18, 0.27, 0.25)
_CITIES = {
    "east": ("上海", "杭州", "南京", "苏州", "宁波"), "south": ("广州", "深圳", "佛山", "长沙", "厦门"),
    "west": ("成都", "重庆", "西安", "昆明", "兰州"), "north": ("北京", "天津", "济南", "沈阳", "郑州"),
}  # fmt: skip
_SCHOOL_NAMES = ("育才", "实验", "明德", "启明", "第一", "第三", "外国语", "阳光", "新华", "博雅", "求知", "滨江")
_KINDS = (("primary", "小学"), ("middle", "中学"), ("vocational", "职业学校"), ("training_centre", "培训中心"))


@dataclass(frozen=True, slots=True)
class School:
    """An account, how far it goes and when."""

    account_id: str
    name: str
    kind: str
    region: str
    channel: str
    students: int
    depth: int
    walk: Walk
    days: Mapping[str, int]
    """The story day on which each stage is entered; a stage never entered is missing."""

    @property
    def is_open_at_weekends(self) -> bool:
        """Training centres teach when schools do not."""
        return self.kind == "training_centre"


@dataclass(frozen=True, slots=True)
class Device:
    """One browser, phone or tablet with the identity its SDK gives it."""

    client: ClientName
    platform: Platform
    identity: Identity
    sends_both: bool = False
    """After the login events carry the device's identity beside the login."""


@dataclass(slots=True)
class Person:
    """Somebody who acts, under one stable key of the story."""

    key: str
    role: Role
    school: School | None
    region: str
    channel: str
    keenness: float
    """0..1: how readily the person comes back."""
    login: str | None = None
    mobile: str | None = None
    devices: list[Device] = field(default_factory=list)

    @property
    def registered_login(self) -> str:
        """The login of a person who has one."""
        if self.login is None:
            raise ValueError(f"{self.key!r} never registers, so has no login")
        return self.login


@dataclass(slots=True)
class Cast:
    """Schools, their staff in order of appearance, visitors, and a way to hire more persons."""

    rng: random.Random
    schools: list[School] = field(default_factory=list)
    staff: dict[str, list[Person]] = field(default_factory=dict)
    visitors: list[Person] = field(default_factory=list)
    owners: dict[Identity, str] = field(default_factory=dict)
    """Whose each identity is: what the warehouse has to find out."""
    hired: int = 0

    def hire(self, role: Role, school: School | None) -> Person:
        """A new person without login or device."""
        self.hired += 1
        region = school.region if school else self.rng.choices(REGIONS, _REGION_SHARES)[0]
        channel = school.channel if school else self.rng.choices(CHANNELS, _CHANNEL_SHARES_SHALLOW)[0]
        return Person(f"p{self.hired:05}", role, school, region, channel, self.rng.betavariate(2.4, 1.8))

    def register(self, person: Person) -> None:
        """Give the person a login, and to some a mobile number."""
        number = int(person.key[1:])
        person.login = f"u{10_000 + number}"
        self.owners[LOGIN, person.login] = person.key
        self.owners[ANONYMOUS, person.login] = person.key  # sent so by pages which forget to flag a login
        if self.rng.random() < 0.4:
            person.mobile = f"199{number:08}"
            self.owners[MOBILE, person.mobile] = person.key

    def device(self, client: ClientName, owner: Person) -> Device:
        """A new device that speaks through `client` and belongs to `owner`."""
        token = self.rng.getrandbits(128)
        platform: Platform = "web"
        if client == "sensors_classic":
            identity = (ANONYMOUS, f"{token >> 72:014x}-{token & 0xFFFFFFFF:08x}")
        elif client == "segment_web":
            identity = (ANONYMOUS, str(UUID(int=token, version=4)))
        elif self.rng.random() < 0.65:
            platform, identity = "mini_program", (OPENID, f"o6_{token:032x}"[:28])
        else:
            platform, identity = "app", (ANDROID, f"{token >> 64:016x}")
        self.owners[identity] = owner.key
        sends_both = client != "sensors_classic" and self.rng.random() < 0.4
        return Device(client, platform, identity, sends_both)

    def deep_schools(self) -> list[School]:
        """The schools which use the product in earnest, never empty."""
        return [school for school in self.schools if school.depth >= 6]


def draw_cast(rng: random.Random, scale: float, reserved_persons: int) -> Cast:
    """Schools, staff and visitors for a story of `scale`; `reserved_persons` are left to be hired later."""
    cast = Cast(rng)
    for school in _schools(rng, scale):
        cast.schools.append(school)
        cast.staff[school.account_id] = _staff(cast, school, scale)
    for _ in range(max(10, round(PERSONS * scale) - cast.hired - reserved_persons)):
        visitor = cast.hire("visitor", None)
        if rng.random() < 0.15:
            cast.register(visitor)
        visitor.devices.append(cast.device(_favourite_client(cast, visitor), visitor))
        cast.visitors.append(visitor)
    return cast


def _schools(rng: random.Random, scale: float) -> Iterator[School]:
    number = 0
    for depth, full_count in enumerate(SCHOOLS_BY_DEPTH):
        for nth in range(max(1, round(full_count * scale))):
            number += 1
            region = rng.choices(REGIONS, _REGION_SHARES)[0]
            shares = _CHANNEL_SHARES_DEEP if depth >= 4 else _CHANNEL_SHARES_SHALLOW
            walk = _walk(depth, nth)
            channel = "seller" if walk in ("seller_first", "no_trial") else rng.choices(CHANNELS, shares)[0]
            kind, kind_name = rng.choices(_KINDS, (0.4, 0.3, 0.1, 0.2))[0]
            name = f"{rng.choice(_CITIES[region])}{rng.choice(_SCHOOL_NAMES)}{kind_name}"
            students = rng.randrange(24, 240) * 10
            days = _stage_days(rng, depth, walk, region)
            yield School(f"s{number:03}", name, kind, region, channel, students, depth, walk, days)


def _walk(depth: int, nth: int) -> Walk:
    """The way of the nth school of this depth; the first of each depth shows the special one."""
    special: dict[int, tuple[Walk, int]] = {
        2: ("no_reach", 18), 3: ("seller_first", 4), 4: ("procurement", 3),
        5: ("no_trial", 5), 6: ("no_setup", 10), 7: ("procurement", 5),
    }  # fmt: skip
    walk, every = special.get(depth, ("in_order", 1))
    return walk if nth % every == 0 else "in_order"


def _stage_days(rng: random.Random, depth: int, walk: Walk, region: str) -> dict[str, int]:
    """Working days on which the stages are entered, all inside the story."""
    while True:
        names = _stages_walked(depth, walk)
        day = int(rng.triangular(0, DAYS - 6, 2))
        days: dict[str, int] = {}
        for name in names:
            if days:
                shortest, longest = _LAG_DAYS.get(name, (2, 6))
                day += max(1, round(rng.triangular(shortest, longest) * _PACE[region]))
            day += (0, 0, 0, 0, 0, 2, 1)[day % 7]
            days[name] = day
        if day <= DAYS - 4:
            return days


def _stages_walked(depth: int, walk: Walk) -> list[str]:
    names = [stage.name for stage in STAGES[:depth]]
    if walk == "procurement":
        names[2], names[3] = names[3], names[2]
    if walk == "seller_first":
        names[0], names[1] = names[1], names[0]
    missing = {"no_trial": "trial", "no_setup": "project_setup", "no_reach": "reach"}.get(walk)
    return [name for name in names if name != missing]


def _staff(cast: Cast, school: School, scale: float) -> list[Person]:
    """Who the school is known by: the teacher who found us, the one who tries, the principal, the rest."""
    fewest, most = _STAFF_BY_DEPTH[school.depth]
    if scale < 0.1:
        fewest, most = min(fewest, 6), min(most, 9)
    leaders: tuple[Role, ...] = ("teacher", "teacher", "principal", "admin")
    if school.depth == 0:
        leaders = ("contact",)
    count = cast.rng.randint(fewest, most)
    staff = [cast.hire(role, school) for role in leaders[:count]]
    staff += [cast.hire("teacher", school) for _ in range(count - len(staff))]
    for position, person in enumerate(staff):
        if school.depth >= 2 or school.depth == 0 or (position == 0 and cast.rng.random() < 0.5):
            cast.register(person)
        if school.depth > 0 and school.walk != "no_reach":
            person.devices = _devices(cast, person)
    return staff


def _devices(cast: Cast, person: Person) -> list[Device]:
    first = cast.device(_favourite_client(cast, person), person)
    if person.login is None or cast.rng.random() > 0.3:
        return [first]
    second = cast.device(_favourite_client(cast, person), person)
    return [first, second]


def _favourite_client(cast: Cast, person: Person) -> ClientName:
    mobile_share = 0.6 if person.channel == "wechat" else 0.3
    if cast.rng.random() < mobile_share:
        return "sensors_idm3"
    return "segment_web" if cast.rng.random() < 0.55 else "sensors_classic"
