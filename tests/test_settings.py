"""Settings: where each value comes from, and that a wrong one stops the start with one sentence."""

from pathlib import Path

import pytest

from api.errors import SettingsError
from api.project_file import DEFAULT_STAGES, default_project_file
from api.settings import read_settings


def origins(
    data: Path, environment: dict[str, str], overrides: dict[str, object] | None = None
) -> dict[str, tuple[str, str]]:
    lines = read_settings(data, overrides, environment).lines()
    return {line.name: (line.value, line.origin) for line in lines}


def test_each_value_says_where_it_comes_from(tmp_path: Path) -> None:
    environment = {"ONEPATH_COLLECTOR__PORT": "9001", "ONEPATH_WAREHOUSE__THREADS": "1"}
    found = origins(tmp_path, environment, {"server.port": 9002, "collector.port": None})
    assert found["ONEPATH_COLLECTOR__PORT"] == ("9001", "environment")
    assert found["ONEPATH_SERVER__PORT"] == ("9002", "command line")
    assert found["ONEPATH_WAREHOUSE__THREADS"] == ("1", "environment")
    assert found["ONEPATH_DECODE__MAX_MESSAGES"] == ("10000", "default")
    assert found["ONEPATH_DATA"] == (str(tmp_path), "command line")
    assert found["onepath.toml: project.salt"] == ("(set)", "made at first start")
    assert origins(tmp_path, {})["onepath.toml: project.salt"] == ("(set)", "onepath.toml")


def test_the_command_line_wins_over_the_environment(tmp_path: Path) -> None:
    found = origins(tmp_path, {"ONEPATH_SERVER__PORT": "9001"}, {"server.port": 9002})
    assert found["ONEPATH_SERVER__PORT"] == ("9002", "command line")


def test_a_token_is_never_shown(tmp_path: Path) -> None:
    found = origins(tmp_path, {"ONEPATH_SERVER__TOKEN": "a secret of many characters"})
    assert found["ONEPATH_SERVER__TOKEN"] == ("(set)", "environment")


def test_the_first_start_makes_a_salt_that_stays(tmp_path: Path) -> None:
    first, second = read_settings(tmp_path, environment={}), read_settings(tmp_path, environment={})
    assert first.project.project.salt == second.project.project.salt
    assert [stage.name for stage in first.project.stages] == [name for name, _ in DEFAULT_STAGES]
    assert read_settings(tmp_path / "other", environment={}).project.project.salt != first.project.project.salt


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"ONEPATH_SERVER__PRT": "1"}, "ONEPATH_SERVER__PRT is no setting of Onepath; `onepath doctor` lists them all"),
        ({"ONEPATH_SERVER__PORT": "many"}, "ONEPATH_SERVER__PORT is 'many'; it takes a whole number"),
        (
            {"ONEPATH_WAREHOUSE__QUERY_TIMEOUT_S": "-1"},
            "ONEPATH_WAREHOUSE__QUERY_TIMEOUT_S is -1.0; it must be more than 0",
        ),
        ({"ONEPATH_SERVER__PORT": "70000"}, "ONEPATH_SERVER__PORT is 70000; a port is at most 65535"),
        ({"ONEPATH_SERVER__PORT": "8106"}, "collector and server cannot share port 8106; give them one each"),
        ({"ONEPATH_SERVER__HOST": "0.0.0.0"}, "the server on 0.0.0.0 wants a token: set ONEPATH_SERVER__TOKEN"),
        ({"ONEPATH_SERVER__TOKEN": "short"}, "ONEPATH_SERVER__TOKEN has 5 characters; use at least 16"),
        ({"ONEPATH_COLLECTOR__STREAM": "../x"}, "ONEPATH_COLLECTOR__STREAM is '../x'; use letters, digits and dashes"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_sentence(
    tmp_path: Path, environment: dict[str, str], sentence: str
) -> None:
    with pytest.raises(SettingsError) as raised:
        read_settings(tmp_path / "data", environment=environment)
    assert str(raised.value) == sentence
    assert not (tmp_path / "data").exists(), "nothing is made by a start that does not start"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"Asia/Shanghai"', '"Mars"', "timezone 'Mars' is no IANA time zone"),
        ('week_start = "monday"', 'week_start = "friday"', "week_start is 'friday'"),
        ("salt = ", "slat = ", "project.slat is no setting"),
        ("[project]", "[projects]", "'projects' is no section"),
        ('name = "trial"', 'name = "reach"', "different names"),
        ('event = "TrialStarted"', 'event = ""', "An event needs a name"),
        ("[project]", "[project", "line"),
    ],
)
def test_a_wrong_project_file_is_named_with_what_is_wrong(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = default_project_file("s" * 32)
    assert old in text
    (tmp_path / "onepath.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SettingsError, match=r"onepath\.toml: ") as raised:
        read_settings(tmp_path, environment={})
    assert said in str(raised.value)
