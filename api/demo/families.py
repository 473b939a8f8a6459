"""A family on the path: a parent's phone, two children on one tablet; three persons, and one path that is whole.

Its app speaks plain JSON and names the family as an account of its own type.
"""

from datetime import datetime

from api.demo.calls import LOGIN, MOBILE, Identity, Scalar, local_moment
from api.demo.cast import Cast, Device, Person
from api.demo.diary import Diary

_YUAN_PER_CHILD = 899


def live_family(cast: Cast, diary: Diary) -> None:
    """The parent finds, signs, pays and refers; one child tries and both learn. Nobody walks the whole path alone.

    The tablet is that of the child who logs in first. The other's login on it is refused as a link, and its own events
    are its own.
    """
    parent, elder, younger = (cast.hire(role, None) for role in ("parent", "pupil", "pupil"))
    family = f"f{parent.key[1:]}"
    parent.mobile = f"197{parent.key[1:]:0>8}"
    cast.owners[MOBILE, parent.mobile] = parent.key
    for child in (elder, younger):
        cast.register(child)
    phone, tablet = cast.device("native", parent), cast.device("native", elder)
    day = diary.rng.randint(2, 50)
    diary.view(parent, phone, _at(day, 17, diary), "home")
    diary.view(elder, tablet, _at(day + 2, 18, diary), "courses")

    as_elder = ((LOGIN, elder.registered_login), tablet.identity)
    as_younger = ((LOGIN, younger.registered_login), tablet.identity)
    as_parent = ((MOBILE, parent.mobile), phone.identity)
    amount = float(2 * _YUAN_PER_CHILD)
    _do(diary, elder, as_elder, tablet, _at(day + 2, 19, diary), "TrialStarted", family, seats=1)
    _do(diary, parent, as_parent, phone, _at(day + 5, 21, diary), "ContractSigned", family, amount=amount)
    _do(diary, parent, as_parent[:1], phone, _at(day + 8, 21, diary), "ProjectSetUp", None, seats=2)
    _do(diary, parent, as_parent[:1], phone, _at(day + 10, 22, diary), "OrderPaid", None, amount=amount)
    for child, who, hour in ((elder, as_elder, 17), (younger, as_younger, 18)):
        for lesson_day in (day + 13, day + 20):
            at = _at(lesson_day, hour, diary)
            _do(diary, child, who, tablet, at, "LessonTaken", family, minutes=30, subject="english")
    diary.view(elder, tablet, _at(day + 21, 17, diary), "homework")
    _do(diary, parent, as_parent[:1], phone, _at(day + 27, 21, diary), "ReferralMade", None, invited=1)


def _do(
    diary: Diary,
    person: Person,
    identities: tuple[Identity, ...],
    device: Device,
    at: datetime,
    name: str,
    family: str | None,
    **properties: Scalar,
) -> None:
    sliced: dict[str, Scalar] = {"platform": device.platform, "channel": person.channel, "region": person.region}
    diary.write(person, "native", "track", identities, at, name=name, properties=sliced | properties, family=family)


def _at(day: int, hour: float, diary: Diary) -> datetime:
    """Within a quarter of an hour after `hour` of the story day."""
    return local_moment(day, (hour + diary.rng.uniform(0, 0.25)) * 3600)
