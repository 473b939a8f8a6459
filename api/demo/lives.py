"""Ordinary lives: how visitors look around, and how a school's staff come, try, buy and teach.

A life is a list of visits in order of time; a visit is anonymous until somebody has logged in on its device.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from api.demo.calls import DAYS, Scalar, local_moment
from api.demo.cast import Cast, Person, School
from api.demo.diary import Diary

Purpose = Literal["look", "register", "ask", "try", "teach_first", "refer", "use"]

_PAGES = ("home", "pricing", "cases", "courses", "trial", "about", "help", "news")
_SCREENS = ("class", "timetable", "homework", "report", "lesson")
_SHORT_LESSON_MINUTES = (5, 18)
_LONG_LESSON_MINUTES = (22, 45)
_YUAN_PER_STUDENT = {"primary": 58, "middle": 76, "vocational": 64, "training_centre": 128}


@dataclass(frozen=True, slots=True)
class Visit:
    """One sitting at one device."""

    at: datetime
    device: int
    purpose: Purpose


def live_all(cast: Cast, diary: Diary) -> None:
    """Write the lives of all schools and visitors."""
    for school in cast.schools:
        _live_school(school, cast.staff[school.account_id], diary)
    for visitor in cast.visitors:
        _live_visits(visitor, diary, _visitor_visits(visitor, diary))


def live_teacher(person: Person, first_day: int, diary: Diary, extra: list[Visit] | None = None) -> None:
    """Write the life of a teacher who comes on `first_day`, registers soon and uses the product from then on."""
    registers_day = min(DAYS - 4, first_day + diary.rng.choice((0, 0, 0, 1, 2, 4)))
    visits = [Visit(diary.moment(first_day, person), 0, "look")]
    visits += [Visit(diary.moment(registers_day, person), 0, "register"), *(extra or [])]
    opens_second_day: int | None = None
    if len(person.devices) == 2:
        opens_second_day = registers_day + diary.rng.randint(7, 28)
        if opens_second_day + 2 < DAYS:
            visits += _second_device_visits(person, opens_second_day, diary)
        else:
            opens_second_day = None
    visits += _use_visits(person, registers_day, opens_second_day, diary)
    _live_visits(person, diary, visits)


def _live_school(school: School, staff: list[Person], diary: Diary) -> None:
    if school.depth == 0 or school.walk == "no_reach":
        _live_in_our_crm_only(school, staff, diary)
        return
    finder, starter = staff[0], staff[1]
    reach_day = school.days["reach"]
    trial_day = school.days.get("trial", reach_day + 3)
    if finder.login is None:
        asks = [Visit(diary.moment(min(DAYS - 1, reach_day + 1), finder), 0, "ask")]
        _live_visits(finder, diary, [Visit(diary.moment(reach_day, finder), 0, "look"), *asks])
    else:
        refers = _at_stage(school, "refer", finder, diary)
        live_teacher(finder, reach_day, diary, refers)
    if starter.login is None:
        _live_visits(starter, diary, [Visit(diary.moment(min(DAYS - 1, reach_day + 2), starter), 0, "look")])
    else:
        milestones = _at_stage(school, "trial", starter, diary) if school.walk != "seller_first" else []
        milestones += _at_stage(school, "routine_use", starter, diary)
        live_teacher(starter, max(reach_day, trial_day - 1), diary, milestones)
    for position, person in enumerate(staff[2:]):
        _live_colleague(person, position, diary)
    _live_contract(school, staff, diary)


def _live_colleague(person: Person, position: int, diary: Diary) -> None:
    """The rest of the staff: a few come with the trial, most when the school has bought."""
    school = person.school
    if school is None:
        raise ValueError(f"{person.key!r} belongs to no school")
    reach_day = school.days["reach"]
    if person.login is None:
        day = min(DAYS - 1, reach_day + diary.rng.randint(2, 15))
        _live_visits(person, diary, [Visit(diary.moment(day, person), 0, "look")])
        return
    trial_day = max(reach_day + 1, school.days.get("trial", reach_day + 2))
    roll_out_day = max(trial_day, school.days.get("pay", school.days.get("sign", trial_day)))
    comes_early = position < 4 or diary.rng.random() < 0.2
    spread = diary.rng.randint(1, 9) if comes_early else int(diary.rng.expovariate(1 / 9))
    first_day = min(DAYS - 6, (trial_day if comes_early else roll_out_day) + spread)
    tries = comes_early and "trial" in school.days and diary.rng.random() < 0.55
    extra = [Visit(diary.moment(min(DAYS - 1, first_day + 2), person), 0, "try")] if tries else []
    live_teacher(person, max(first_day, reach_day + 1), diary, extra)


def _live_contract(school: School, staff: list[Person], diary: Diary) -> None:
    """What our servers know: trial opened by a seller, signature, project, payment."""
    contact = staff[min(2, len(staff) - 1)]
    if school.walk == "seller_first":
        at = diary.moment(school.days["trial"], staff[1])
        diary.serve(staff[1], "segment_server", at, "TrialStarted", account_id=school.account_id, seats=20)
    if contact.login is None or school.depth < 2:
        return
    amount = school.students * _YUAN_PER_STUDENT[school.kind]
    if "sign" in school.days:
        at = diary.moment(school.days["sign"], contact)
        diary.join_group(contact, "segment_server", diary.after(at, 0, 1), school)
        diary.serve(contact, "segment_server", at, "ContractSigned", account_id=school.account_id, amount=amount)
    if "project_setup" in school.days:
        admin = staff[3]
        at = diary.moment(school.days["project_setup"], admin)
        diary.serve(admin, "sensors_classic", at, "ProjectSetUp", account_id=school.account_id, seats=school.students)
    if "pay" in school.days:
        at = diary.moment(school.days["pay"], contact)
        diary.serve(contact, "segment_server", at, "OrderPaid", account_id=school.account_id, amount=float(amount))


def _live_in_our_crm_only(school: School, staff: list[Person], diary: Diary) -> None:
    """Schools met at a stand or bought as an address: our CRM knows them, their people never came to us."""
    for person in staff:
        day = school.days.get("trial", diary.rng.randint(0, DAYS - 5))
        at = diary.moment(day, person)
        diary.join_group(person, "segment_server", at, school)
        source = "exhibition" if school.days else "address_list"
        diary.serve(person, "segment_server", diary.after(at), "LeadImported", list_name=source)
        if "trial" in school.days and person is staff[1]:
            started_at = diary.after(at, 600, 900)
            diary.serve(person, "segment_server", started_at, "TrialStarted", account_id=school.account_id, seats=20)


def _at_stage(school: School, stage: str, person: Person, diary: Diary) -> list[Visit]:
    purposes: dict[str, Purpose] = {"trial": "try", "routine_use": "teach_first", "refer": "refer"}
    if stage not in school.days:
        return []
    return [Visit(diary.moment(school.days[stage], person), 0, purposes[stage])]


def _visitor_visits(visitor: Person, diary: Diary) -> Iterator[Visit]:
    day = int(diary.rng.triangular(0, DAYS, 4))
    yield Visit(diary.moment(day, visitor), 0, "look")
    if visitor.login:
        yield Visit(diary.moment(day, visitor), 0, "register")
    while diary.rng.random() < 0.25 + 0.45 * visitor.keenness:
        day += 1 + int(diary.rng.expovariate(1 / 6))
        if day >= DAYS:
            return
        yield Visit(diary.moment(day, visitor), 0, "look")


def _second_device_visits(person: Person, day: int, diary: Diary) -> Iterator[Visit]:
    """First anonymous on the new device, then logged in: two known persons become one."""
    looks_at = diary.moment(day, person)
    yield Visit(looks_at, 1, "look")
    login_day = day + diary.rng.choice((0, 0, 1))
    at = diary.moment(login_day, person)
    yield Visit(max(at, diary.after(looks_at, 600, 900)), 1, "register")


def _use_visits(person: Person, first_day: int, second_day: int | None, diary: Diary) -> Iterator[Visit]:
    """Weeks of use which grow rarer; schools do little at weekends and less in the holidays."""
    rng, school = diary.rng, person.school
    if school is None:
        return
    floor = 0.12 + 0.5 * person.keenness if school.depth >= 5 else 0.04
    visits_a_week = 1 + 1.9 * person.keenness + (0.8 if school.depth >= 6 else 0)
    for week, week_day in enumerate(range(first_day, DAYS, 7)):
        is_holiday = week_day > 45 and not school.is_open_at_weekends
        active = floor + (0.95 - floor) * math.exp(-week / (3.2 if school.depth >= 5 else 1.4))
        if rng.random() > active * (0.85 if is_holiday else 1.0):
            continue
        for _ in range(max(1, round(rng.gauss(visits_a_week, 1)))):
            day = week_day + rng.randint(0, 6)
            if day >= DAYS or (day % 7 >= 5 and not school.is_open_at_weekends and rng.random() < 0.85):
                continue
            on_second = second_day is not None and day > second_day + 1 and rng.random() < 0.6
            yield Visit(diary.moment(day, person), int(on_second), "use")


def _live_visits(person: Person, diary: Diary, visits: Iterator[Visit] | list[Visit]) -> None:
    for visit in sorted(visits, key=lambda visit: visit.at):
        device, at = person.devices[visit.device], visit.at
        if visit.purpose not in ("look", "ask") and not diary.is_logged_in(person, device):
            diary.view(person, device, at, "register")
            at = diary.log_in(person, device, diary.after(at), by_alias=diary.rng.random() < 0.15)
        late_weeks = 0
        if visit.purpose == "use" and device.platform == "app" and diary.rng.random() < 0.06:
            late_weeks = diary.rng.randint(1, 3)
        for page in _pages(visit, diary):
            at = diary.after(at)
            diary.view(person, device, at, page, late_weeks=late_weeks)
        _do(person, diary, visit, diary.after(at), late_weeks)


def _pages(visit: Visit, diary: Diary) -> list[str]:
    if visit.purpose == "look":
        return diary.rng.sample(_PAGES, diary.rng.choice((1, 1, 2, 2, 3, 5)))
    return diary.rng.sample(_SCREENS, diary.rng.choice((1, 1, 2)))


def _do(person: Person, diary: Diary, visit: Visit, at: datetime, late_weeks: int) -> None:
    """What the visit was for."""
    device, school = person.devices[visit.device], person.school
    account: dict[str, Scalar] = {"account_id": school.account_id} if school else {}
    if visit.purpose == "look" and diary.rng.random() < 0.12:
        diary.act(person, device, at, "DemoWatched", {"seconds": diary.rng.randint(20, 400)})
    elif visit.purpose == "ask":
        diary.act(person, device, at, "ConsultationRequested", {**account, "topic": "price"})
    elif visit.purpose == "try":
        diary.act(person, device, at, "TrialStarted", {**account, "seats": diary.rng.choice((5, 10, 20, 40))})
    elif visit.purpose == "teach_first":
        diary.act(person, device, at, "LessonTaught", {**account, "minutes": 40, "subject": "math"})
    elif visit.purpose == "refer":
        diary.act(person, device, at, "ReferralMade", {**account, "invited": diary.rng.randint(1, 4)})
    elif visit.purpose == "use":
        _use(person, diary, visit, at, late_weeks)


def _use(person: Person, diary: Diary, visit: Visit, at: datetime, late_weeks: int) -> None:
    rng, device, school = diary.rng, person.devices[visit.device], person.school
    forgets_flag = device.client == "sensors_classic" and rng.random() < 0.02
    for _ in range(rng.choice((1, 2, 2, 3, 4))):
        name = rng.choices(("LessonTaught", "HomeworkAssigned", "ReportViewed"), (0.45, 0.3, 0.25))[0]
        properties: dict[str, Scalar] = {"subject": rng.choice(("math", "english", "chinese", "science"))}
        if school and rng.random() < 0.5:
            properties["account_id"] = school.account_id
        if name == "LessonTaught":
            properties["minutes"] = rng.randint(*_lesson_minutes(school, at, diary))
        diary.act(person, device, at, name, properties, late_weeks=late_weeks, forgets_flag=forgets_flag)
        at = diary.after(at, 30, 600)


def _lesson_minutes(school: School | None, at: datetime, diary: Diary) -> tuple[int, int]:
    """Whole lessons only in schools which have come to routine use; until then people just try."""
    if school is None or "routine_use" not in school.days:
        return _SHORT_LESSON_MINUTES
    starts_at = local_moment(school.days["routine_use"] + 1, 0)
    return _LONG_LESSON_MINUTES if at >= starts_at and diary.rng.random() < 0.75 else _SHORT_LESSON_MINUTES
