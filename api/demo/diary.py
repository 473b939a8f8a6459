"""The diary: every act of every person, written as the call its endpoint's SDK makes.

It knows each SDK family's manners (who is named how, what a login looks like), and no two calls share a moment.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from api.demo.calls import (
    ANONYMOUS,
    CHAPTERS,
    DAYS,
    LOGIN,
    MOBILE,
    Call,
    ClientName,
    Identity,
    Method,
    Reason,
    Scalar,
    local_moment,
    week_of,
)
from api.demo.cast import Device, Person, School

_SCHOOL_HOURS = ((7.6, 12.0), (13.4, 17.8), (19.3, 22.0))
_STAFF_SHARES = (0.5, 0.4, 0.1)
_VISITOR_SHARES = (0.2, 0.3, 0.5)
_VIEW_EVENTS = {"web": "$pageview", "mini_program": "$MPViewScreen", "app": "$AppViewScreen"}
_ROLE_NAMES = {
    "teacher": "教师",
    "principal": "校长",
    "admin": "教务",
    "contact": "联系人",
    "visitor": "访客",
    "parent": "家长",
    "pupil": "学生",
}


@dataclass
class Diary:
    """All calls so far, in the order they were written (which is not the order of arrival)."""

    rng: random.Random
    calls: list[Call] = field(default_factory=list)
    retracted: list[tuple[Identity, Identity]] = field(default_factory=list)
    """Links that were a mistake, and that an operator takes back in the end."""
    _taken: set[datetime] = field(default_factory=set)
    _logged_in: set[tuple[str, Identity]] = field(default_factory=set)

    def moment(self, day: int, person: Person) -> datetime:
        """A moment of the day at which such a person is at work, or a visitor at leisure."""
        shares = _VISITOR_SHARES if person.school is None else _STAFF_SHARES
        first_hour, last_hour = self.rng.choices(_SCHOOL_HOURS, shares)[0]
        return local_moment(min(day, DAYS - 1), self.rng.uniform(first_hour, last_hour) * 3600)

    def after(self, moment: datetime, shortest_s: float = 4, longest_s: float = 95) -> datetime:
        """A moment a little later."""
        return moment + timedelta(milliseconds=round(self.rng.uniform(shortest_s, longest_s) * 1000))

    def is_logged_in(self, person: Person, device: Device) -> bool:
        """Whether the person has logged in on the device."""
        return (person.key, device.identity) in self._logged_in

    def log_out(self, person: Person, device: Device) -> None:
        """From here on the person's acts on the device are anonymous; nothing is sent."""
        self._logged_in.discard((person.key, device.identity))

    def view(self, person: Person, device: Device, at: datetime, page: str, *, late_weeks: int = 0) -> None:
        """The person opens a page or a screen."""
        if device.client == "segment_web":
            properties: dict[str, Scalar] = {"url": f"https://www.example.test/{page}", "title": page}
            self._act(person, device, at, "page", page, properties, late_weeks=late_weeks)
            return
        properties = {"$title": page}
        if device.platform == "web":
            properties["$url"] = f"https://portal.example.test/{page}"
        self.act(person, device, at, _VIEW_EVENTS[device.platform], properties, late_weeks=late_weeks)

    def act(
        self,
        person: Person,
        device: Device,
        at: datetime,
        event_name: str,
        properties: Mapping[str, Scalar],
        *,
        late_weeks: int = 0,
        forgets_flag: bool = False,
    ) -> None:
        """The person does something; anonymous or logged in, as the device stands.

        `forgets_flag`: an old page of the portal sends the login id without saying that it is one.
        """
        method: Method = "track_by_id" if device.client == "sensors_idm3" else "track"
        identities = ((ANONYMOUS, person.registered_login),) if forgets_flag else None
        self._act(person, device, at, method, event_name, properties, late_weeks=late_weeks, identities=identities)

    def log_in(self, person: Person, device: Device, at: datetime, *, by_alias: bool = False) -> datetime:
        """Join the device to the person's login in the way of its SDK; returns the moment it was done.

        A person of a school names the school with it, so membership is known from here on.
        """
        login = (LOGIN, person.registered_login)
        self._logged_in.add((person.key, device.identity))
        platform: dict[str, Scalar] = {"platform": device.platform}
        naming = platform | ({"account_id": person.school.account_id} if person.school else {})
        if device.client == "segment_web":
            method: Method = "alias" if by_alias else "identify"
            self.write(person, "segment_web", method, (login, device.identity), at, properties=_profile(person))
            if person.school:
                self.join_group(person, "segment_web", self.after(at, 0, 1), person.school)
        elif device.client == "sensors_classic":
            self.write(person, "sensors_classic", "track_signup", (login, device.identity), at, properties=naming)
            set_at = self.after(at, 0, 1)
            self.write(person, "sensors_classic", "profile_set", (login,), set_at, properties=_profile(person))
        else:
            self.write(person, "sensors_idm3", "bind", (login, device.identity), at, properties=platform)
            self._introduce(person, device, self.after(at, 0, 1))
        return at

    def join_group(self, person: Person, client: ClientName, at: datetime, school: School) -> None:
        """Segment's `group`: the person belongs to the school, described in Chinese."""
        traits: dict[str, Scalar] = {
            "name": school.name,
            "kind": school.kind,
            "region": school.region,
            "students": school.students,
        }
        who = ((LOGIN, person.registered_login),)
        self.write(person, client, "group", who, at, properties=traits, group_id=school.account_id)

    def serve(self, person: Person, client: ClientName, at: datetime, event_name: str, **properties: Scalar) -> None:
        """One of our servers reports what the person did, under the login."""
        who = ((LOGIN, person.registered_login),)
        all_properties = {"platform": "server", **_slice_of(person), **properties}
        self.write(person, client, "track", who, at, name=event_name, properties=all_properties)

    def write(
        self,
        person: Person,
        client: ClientName,
        method: Method,
        identities: tuple[Identity, ...],
        at: datetime,
        *,
        name: str = "",
        properties: Mapping[str, Scalar],
        group_id: str | None = None,
        family: str | None = None,
        late_weeks: int = 0,
    ) -> None:
        """Append one call; its moment moves on by milliseconds until it is the only one."""
        while at in self._taken:
            at += timedelta(milliseconds=1)
        self._taken.add(at)
        is_record = method in ("profile_set", "profile_set_by_id", "identify", "alias", "group")
        self.calls.append(
            Call(
                client=client,
                method=method,
                identities=identities,
                event_at=at,
                chapter=min(CHAPTERS - 1, week_of(at) + late_weeks),
                person=person.key,
                name=name,
                properties=properties,
                group_id=group_id,
                names_family=family,
                message_id=None if client.startswith("sensors") else self.message_id(),
                outcome="record" if is_record else "event",
            )
        )

    def reject(
        self, client: ClientName, identities: tuple[Identity, ...], at: datetime, name: str, reason: Reason
    ) -> None:
        """Append an event of the last week which its SDK lets through and the rules do not."""
        self.calls.append(
            Call(
                client=client,
                method="track",
                identities=identities,
                event_at=at,
                chapter=CHAPTERS - 1,
                person=None,
                name=name,
                properties={"platform": "server" if client == "segment_server" else "web"},
                message_id=self.message_id() if client.startswith("segment") else None,
                outcome="rejected",
                reason=reason,
            )
        )

    def message_id(self) -> str:
        """A new key for a message of a family that has keys."""
        return f"demo-{self.rng.getrandbits(96):024x}"

    def _introduce(self, person: Person, device: Device, at: datetime) -> None:
        """What the mini program and the app send after the first bind: mobile, profile, school."""
        login = (LOGIN, person.registered_login)
        if person.mobile:
            both = (login, (MOBILE, person.mobile))
            self.write(person, "sensors_idm3", "bind", both, at, properties={"platform": device.platform})
        set_at = self.after(at, 0, 1)
        self.write(person, "sensors_idm3", "profile_set_by_id", (login,), set_at, properties=_profile(person))
        if person.school:
            joined_at = self.after(at, 1, 3)
            self.act(person, device, joined_at, "SchoolJoined", {"account_id": person.school.account_id})

    def _act(
        self,
        person: Person,
        device: Device,
        at: datetime,
        method: Method,
        name: str,
        properties: Mapping[str, Scalar],
        *,
        late_weeks: int,
        identities: tuple[Identity, ...] | None = None,
    ) -> None:
        group_id = None
        if device.client == "segment_web" and "account_id" in properties and self.rng.random() < 0.5:
            properties = dict(properties)
            group_id = str(properties.pop("account_id"))
        self.write(
            person,
            device.client,
            method,
            identities or self._identities(person, device),
            at,
            name=name,
            properties={"platform": device.platform, **_slice_of(person), **properties},
            group_id=group_id,
            late_weeks=late_weeks,
        )

    def _identities(self, person: Person, device: Device) -> tuple[Identity, ...]:
        if not self.is_logged_in(person, device):
            return (device.identity,)
        login = (LOGIN, person.registered_login)
        return (login, device.identity) if device.sends_both else (login,)


def _slice_of(person: Person) -> dict[str, Scalar]:
    return {"channel": person.channel, "region": person.region}


def _profile(person: Person) -> dict[str, Scalar]:
    profile: dict[str, Scalar] = {"role": _ROLE_NAMES[person.role], **_slice_of(person)}
    if person.school:
        profile |= {"school_name": person.school.name, "grade": "三年级" if person.school.kind == "primary" else "高一"}
    return profile
