"""The special cases, played by hired persons so that every story has each of them, however small it is.

Ordinary lives contain most of them too; here each is set up on purpose and commented with what it must come to.
"""

from datetime import UTC, datetime, timedelta

from api.demo.calls import LOGIN, MOBILE, ClientName, Scalar, local_moment
from api.demo.cast import Cast, Device, Person, School
from api.demo.diary import Diary
from api.demo.families import live_family
from api.demo.lives import live_teacher

PERSONS_PER_ROUND = 16
ROUNDS = 8
PERSONS_ONCE = 2


def rounds(scale: float) -> int:
    """How often each special case is played in a story of `scale`."""
    return max(1, round(ROUNDS * scale))


def persons_needed(scale: float) -> int:
    """How many persons are hired for it."""
    return PERSONS_PER_ROUND * rounds(scale) + PERSONS_ONCE


def play_all(cast: Cast, diary: Diary, scale: float) -> None:
    """Play every special case, `rounds(scale)` times; the mistake that is taken back once."""
    _mistype_mobile(cast, diary)
    for _ in range(rounds(scale)):
        for client in ("segment_web", "sensors_classic", "sensors_idm3"):
            _share_device(cast, diary, client)
        _share_mobile(cast, diary)
        _walk_through_all_families(cast, diary)
        _work_for_two_schools(cast, diary, names_other_school_late=False)
        _work_for_two_schools(cast, diary, names_other_school_late=True)
        _use_alias(cast, diary)
        live_family(cast, diary)
        known = _forget_the_flag(cast, diary)
        _send_bad_records(known, diary)


def _share_device(cast: Cast, diary: Diary, client: ClientName) -> None:
    """One device, two logins. It stays with the first: its anonymous events are hers, also after the second's login.

    Each attempt to join the second login to the device is refused; the second's own logged-in events are his.
    """
    school = diary.rng.choice(cast.deep_schools())
    first, second = _hire(cast, school), _hire(cast, school)
    shared = cast.device(client, first)
    day = diary.rng.randint(2, 40)
    _sit_down(first, shared, day, diary, pages=("home", "pricing"))
    diary.log_in(first, shared, _at(day, 10.5, diary))
    _sit_down(first, shared, day + 1, diary, pages=("timetable",))
    diary.log_out(first, shared)
    _sit_down(first, shared, day + 2, diary, pages=("news",))
    diary.log_in(second, shared, _at(day + 3, 9.0, diary))
    _sit_down(second, shared, day + 3, diary, pages=("class", "report"))
    diary.log_out(second, shared)
    _sit_down(first, shared, day + 8, diary, pages=("help", "news"))
    second.devices = [cast.device("sensors_classic", second)]
    live_teacher(second, day + 10, diary)


def _share_mobile(cast: Cast, diary: Diary) -> None:
    """Two colleagues give the school's one telephone number: it stays with the first, the second's bind is refused."""
    school = diary.rng.choice(cast.deep_schools())
    first, second = _hire(cast, school), _hire(cast, school)
    first.mobile, second.mobile = f"198{first.key[1:]:0>8}", None
    cast.owners[MOBILE, first.mobile] = first.key
    day = diary.rng.randint(2, 60)
    for person in (first, second):
        person.devices = [cast.device("sensors_idm3", person)]
        _sit_down(person, person.devices[0], day, diary, pages=("home",))
        diary.log_in(person, person.devices[0], _at(day, 11, diary))
        day += 1
    both = ((LOGIN, second.registered_login), (MOBILE, first.mobile))
    for days_later in (1, 9):
        at = _at(day + days_later, 14, diary)
        diary.write(second, "sensors_idm3", "bind", both, at, properties={"platform": "app"})


def _mistype_mobile(cast: Cast, diary: Diary) -> None:
    """At a desk a visitor's phone is given a number with one digit wrong, a teacher's of another school: one person.

    So the visitor's own login is refused later: it would be the person's second. An operator takes the wrong link back.
    """
    schools = cast.deep_schools()
    school = diary.rng.choice(schools)
    other = diary.rng.choice([candidate for candidate in schools if candidate is not school])
    teacher, visitor = _hire(cast, school), _hire(cast, other)
    teacher.mobile, visitor.mobile = f"196{teacher.key[1:]:0>8}", None
    cast.owners[MOBILE, teacher.mobile] = teacher.key
    day = diary.rng.randint(2, 60)
    for person, first_day in ((teacher, day), (visitor, day + 1)):
        person.devices = [cast.device("sensors_idm3", person)]
        _sit_down(person, person.devices[0], first_day, diary, pages=("home", "courses"))
    diary.log_in(teacher, teacher.devices[0], _at(day, 11, diary))
    phone, number = visitor.devices[0], (MOBILE, teacher.mobile)
    properties: dict[str, Scalar] = {"platform": phone.platform}
    diary.write(
        teacher, "sensors_idm3", "bind", (number, phone.identity), _at(day + 2, 14, diary), properties=properties
    )
    diary.retracted.append((number, phone.identity))
    _sit_down(visitor, phone, day + 3, diary, pages=("class", "news"))
    diary.log_in(visitor, phone, _at(day + 9, 11, diary))
    for person, last_day in ((teacher, day + 12), (visitor, day + 13)):
        _sit_down(person, person.devices[0], last_day, diary, pages=("class", "homework"))


def _walk_through_all_families(cast: Cast, diary: Diary) -> None:
    """One login through both SDK families, and three devices with an anonymous past each: one person, two merges."""
    person = _hire(cast, diary.rng.choice(cast.deep_schools()))
    clients: tuple[ClientName, ...] = ("segment_web", "sensors_classic", "sensors_idm3")
    day = diary.rng.randint(1, 40)
    for client in clients:
        device = cast.device(client, person)
        _sit_down(person, device, day, diary, pages=("home", "courses"))
        diary.log_in(person, device, _at(day + 1, 16, diary))
        _sit_down(person, device, day + 2, diary, pages=("class",))
        day += 14


def _work_for_two_schools(cast: Cast, diary: Diary, *, names_other_school_late: bool) -> None:
    """A teacher of two schools. Events which name none belong to the school joined first by event time.

    When the other school is named by an older event that arrives weeks later, all of them move there.
    """
    schools = cast.deep_schools()
    school = diary.rng.choice(schools)
    other = diary.rng.choice([candidate for candidate in schools if candidate is not school])
    person = _hire(cast, school)
    device = cast.device("sensors_idm3", person)
    day = diary.rng.randint(10, 50)
    _sit_down(person, device, day, diary, pages=("home",))
    diary.log_in(person, device, _at(day, 11, diary))
    other_day = day - 6 if names_other_school_late else day + 6
    _teach(person, device, other, _at(other_day, 15, diary), diary, late_weeks=3 if names_other_school_late else 0)
    for days_later in (1, 2, 8):
        _sit_down(person, device, day + days_later, diary, pages=("class", "homework"))


def _use_alias(cast: Cast, diary: Diary) -> None:
    """Segment's `alias(previous_id, user_id)` joins the anonymous past as `identify` does."""
    person = _hire(cast, diary.rng.choice(cast.deep_schools()))
    device = cast.device("segment_web", person)
    day = diary.rng.randint(0, 70)
    _sit_down(person, device, day, diary, pages=("home", "cases"))
    diary.log_in(person, device, _at(day, 17, diary), by_alias=True)
    _sit_down(person, device, day + 1, diary, pages=("class",))


def _forget_the_flag(cast: Cast, diary: Diary) -> Person:
    """After the signup an old page sends the login id as if it were a device: still the same person."""
    person = _hire(cast, diary.rng.choice(cast.deep_schools()))
    device = cast.device("sensors_classic", person)
    day = diary.rng.randint(0, 70)
    _sit_down(person, device, day, diary, pages=("home",))
    diary.log_in(person, device, _at(day, 11, diary))
    for days_later in (1, 3):
        at = _at(day + days_later, 10, diary)
        diary.act(person, device, at, "ReportViewed", {"subject": "math"}, forgets_flag=True)
    return person


def _send_bad_records(known: Person, diary: Diary) -> None:
    """What the SDKs let through and the rules refuse: one of each, under a login which is known anyway."""
    login = ((LOGIN, known.registered_login),)
    name, into_day = "ReportViewed", timedelta(milliseconds=diary.rng.randrange(86_400_000))
    diary.reject("sensors_classic", login, datetime(1973, 5, 4, tzinfo=UTC) + into_day, name, "too_old")
    diary.reject("segment_web", login, datetime(2100, 1, 1, tzinfo=UTC) + into_day, name, "too_new")
    diary.reject("segment_server", login, _at(85, 10, diary), "", "empty_name")
    diary.reject("segment_web", (), _at(86, 10, diary), name, "no_identity")


def _hire(cast: Cast, school: School) -> Person:
    person = cast.hire("teacher", school)
    cast.register(person)
    return person


def _at(day: int, hour: float, diary: Diary) -> datetime:
    """Within a quarter of an hour after `hour` of the story day."""
    return local_moment(day, (hour + diary.rng.uniform(0, 0.25)) * 3600)


def _sit_down(person: Person, device: Device, day: int, diary: Diary, *, pages: tuple[str, ...]) -> None:
    at = _at(day, 10, diary)
    for page in pages:
        diary.view(person, device, at, page)
        at = diary.after(at)


def _teach(person: Person, device: Device, school: School, at: datetime, diary: Diary, *, late_weeks: int) -> None:
    properties: dict[str, Scalar] = {"minutes": 10, "subject": "english", "account_id": school.account_id}
    diary.act(person, device, at, "LessonTaught", properties, late_weeks=late_weeks)
