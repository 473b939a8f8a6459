"""Forgetting a person: after a deletion nothing that only they had is in any file, and nobody else has changed."""

import json
import shutil
from pathlib import Path

import pytest

from api import forgetting
from api.errors import ApiError
from api.settings import read_settings
from ingest.log.files import list_files
from ingest.log.sealing import seal_stream
from ingest.record import Act
from tests.forgetting import found_in
from tests.forgotten_life import ANNAS, OTHERS, ask, delete, folder_of, life, of_others, person_of, previewed, run
from tests.stories import NOON_MS, NOON_US, StoryLog, device, event, login, mobile, native, retraction, unbind


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(tmp_path_factory.mktemp("life") / "data", life())


@pytest.fixture
def data(loaded: Path, tmp_path: Path) -> Path:
    """A folder of its own in which all of their lives are loaded."""
    shutil.copytree(loaded, tmp_path / "data")
    return tmp_path / "data"


def test_after_a_deletion_nothing_of_hers_is_in_any_file_and_nobody_else_has_changed(data: Path) -> None:
    assert set(found_in(data, ANNAS)) == set(ANNAS)
    anna = person_of(data, "$identity_login_id", "anna-login")
    before = of_others(data, anna)
    assert len(before) > 10
    told = delete(data)
    assert f"Person {anna} is gone" in told
    assert "not as before" not in told
    assert found_in(data, ANNAS) == {}
    assert set(found_in(data, OTHERS)) == set(OTHERS)
    assert of_others(data, anna) == before
    assert ask(data, f"select count(*) as n from events where person_id::varchar = '{anna}'") == [(0,)]


def test_whom_only_she_kept_apart_are_not_joined_by_the_tablet_they_shared(tmp_path: Path) -> None:
    # Cleo has no login: only that the tablet was Anna's kept her mobile and Ben's login apart.
    data = folder_of(
        tmp_path / "data",
        [
            native(event("open", device("tablet") | login("anna-login") | mobile("13900000001"))),
            native(event("open", login("ben") | device("tablet"))),
            native(event("open", mobile("13900000003") | device("tablet"))),
            native(event("open", login("ben"))),
            native(event("open", mobile("13900000003"))),
        ],
    )
    anna = person_of(data, "$identity_login_id", "anna-login")
    before = of_others(data, anna)
    assert len({person for _, _, person, *_ in before}) == 2
    assert "Stays where others sent it, too: tablet" in delete(data)
    assert of_others(data, anna) == before
    assert found_in(data, ["anna-login", "13900000001"]) == {}
    assert ask(data, "select distinct outcome from identity_links") == [("retracted",)]


def test_an_act_that_names_her_is_blanked_and_others_acts_stay(tmp_path: Path) -> None:
    data = folder_of(
        tmp_path / "data",
        [
            native(event("open", device("anna-device-1") | login("anna-login"))),
            native(event("open", device("bens-phone") | login("ben"))),
            retraction(device("anna-device-1"), login("anna-login")),
            retraction(device("bens-phone"), login("ben")),
        ],
    )
    delete(data)
    assert found_in(data, ANNAS) == {}
    assert ask(data, "select count(*) as n from acts where act = 'retract_link'") == [(2,)]
    assert ask(data, "select outcome from identity_links") == [("retracted",)]


def test_a_dry_run_tells_what_would_go_and_changes_nothing(data: Path) -> None:
    files = {path: path.read_bytes() for path in data.rglob("*") if path.is_file() and path.suffix == ".log"}
    told = run(data, "person", "delete", "$identity_login_id=anna-login", "--dry-run")
    assert "Nothing was changed" in told
    assert "tablet" in told
    assert {path: path.read_bytes() for path in files} == files
    assert "anna-login" in found_in(data, ANNAS)
    preview = previewed(read_settings(data))
    assert preview.counts.events == 9
    assert preview.counts.calls == 2
    assert preview.duplicates == 1
    assert preview.rejects == 3
    assert preview.survey.files_to_rewrite() == 1
    assert preview.shared_values == ["tablet"]


def test_without_a_yes_nobody_goes(data: Path) -> None:
    told = run(data, "person", "delete", "$identity_login_id=anna-login", status=1, stdin="n\n")
    assert "for good" in told
    assert "anna-login" in found_in(data, ANNAS)


@pytest.mark.parametrize(
    ("who", "why"),
    [
        ("nobody", "nobody has the person id or the identity (KEY=VALUE) 'nobody'"),
        (
            "$identity_login_id=nobody",
            "nobody has the person id or the identity (KEY=VALUE) '$identity_login_id=nobody'",
        ),
        ("00000000-0000-8000-8000-000000000000", "nobody has the person id"),
    ],
)
def test_who_is_unknown_is_told_how_to_find_somebody(data: Path, who: str, why: str) -> None:
    with pytest.raises(Exception, match="onepath sql") as refused:
        previewed(read_settings(data), who)
    assert why in str(refused.value)


def test_who_has_a_number_after_her_keeps_number_and_person_id(tmp_path: Path) -> None:
    phone = mobile("13900000009")
    data = folder_of(
        tmp_path / "data",
        [
            native(event("open", login("anna-login") | phone, wish="annas-wish")),
            unbind(phone),
            native(event("open", phone)),  # somebody new, who is known by the number alone
            native(event("open", login("ben") | phone)),
            unbind(phone, NOON_MS + 1),
            native(event("open", phone)),
        ],
    )
    with pytest.raises(Exception, match="belongs or belonged to 3 persons"):
        previewed(read_settings(data), "mobile=13900000009")
    anna = person_of(data, "$identity_login_id", "anna-login")
    before = of_others(data, anna)
    delete(data)
    assert of_others(data, anna) == before
    assert found_in(data, ["anna-login", "annas-wish"]) == {}
    assert set(found_in(data, ["13900000009"])) == {"13900000009"}
    assert ask(data, "select incarnation from identities where identity_value = '13900000009' order by all") == [
        (1,),
        (2,),
    ]
    ben = person_of(data, "$identity_login_id", "ben")
    others = [row for row in before if row[2] != ben]
    delete(data, ben)
    assert of_others(data, ben) == others
    run(data, "replay", "--check")


def test_log_files_that_are_gone_must_be_accepted_first(data: Path) -> None:
    seal_stream(data / "log", "collector")
    StoryLog(data / "log").append(native(event("open", login("anna-login"))), NOON_US, "late")
    run(data, "load", "--once")
    [log_file] = list_files(data / "log" / "collector")
    log_file.path.rename(log_file.path.with_suffix(".away"))
    with pytest.raises(ApiError, match=r"collector/1.*replay --all"):
        previewed(read_settings(data))


def test_an_export_holds_all_that_is_kept(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "anna.json"
    told = run(data, "person", "export", "login_id=anna-login", "--output", str(file))
    assert "9 events, 2 calls" in told
    text = file.read_text(encoding="utf-8")
    found = json.loads(text)
    for value in (*ANNAS, "tablet"):
        assert value in text, value
    for value in ("cleo", "bens-phone"):
        assert value not in json.dumps({**found, "rejects": []}, ensure_ascii=False), value
    assert [each["event_name"] for each in found["events"]][:2] == ["open", "$SignUp"]
    assert found["properties"] == {"home": "Annas Straße 1 🎉", "kind": "annas-trait"}
    assert [each["account_id"] for each in found["accounts"]] == ["annas-school"]
    assert json.loads(run(data, "person", "export", found["person_id"])) == found


def test_operators_acts_that_put_her_into_a_school_go_with_her(tmp_path: Path) -> None:
    def member(who: str) -> Act:
        details = {"identity_key": "$identity_login_id", "identity_value": who}
        return Act("add_member", "head office", {**details, "account_type": "account", "account_id": "公立学校"})

    data = folder_of(
        tmp_path / "data",
        [native(event("open", login("anna-login")), event("open", login("ben"))), member("anna-login"), member("ben")],
    )
    ben = person_of(data, "$identity_login_id", "ben")
    delete(data)
    assert found_in(data, ["anna-login"]) == {}
    assert ask(data, "select person_id::varchar as p, account_id from memberships") == [(ben, "公立学校")]
    assert ask(data, "select count(*) as n from rejects") == [(0,)]


def test_while_a_server_runs_nobody_is_deleted(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "running_server", lambda _settings: "http://127.0.0.1:8107")
    with pytest.raises(ApiError, match="stop it, delete the person, and start it again"):
        previewed(read_settings(data))
    assert "anna-login" in found_in(data, ANNAS)
