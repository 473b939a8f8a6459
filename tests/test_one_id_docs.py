"""The page on One-ID says what the code does: its tables, its example and the tests that it names."""

import re
from pathlib import Path

from ingest.identity.guard import preset_nobody
from ingest.identity.keys import DEFAULT_LIMIT, LEARNED, PRESETS, KeyRule, preset_rule
from ingest.identity.reading import read_rules_text
from ingest.identity.rules import DEFAULT_RULES, IdentityRules

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/concepts/one-id.md").read_text(encoding="utf-8")


def table(header: str) -> list[list[str]]:
    """The rows of the table that has this header, as cells without marks of code."""
    below = PAGE.split(f"| {header} |", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip().replace("`", "") for cell in line.split("|")[1:-1]] for line in below.splitlines()[2:]]


def test_every_test_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    written = {
        name
        for path in (ROOT / "tests").glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert len(named) >= 40
    assert named <= written


def test_stories_of_the_page_are_those_of_the_tests() -> None:
    rows = table("scheme | messages | after | test")
    text = (ROOT / "tests/test_one_id_examples.py").read_text(encoding="utf-8")
    for letter, scheme, *_, test in rows:
        assert test.startswith(f"test_{letter.lower()}_")
        assert scheme.upper() in text.split(f"def {test}(", 1)[1].split("\ndef ", 1)[0]
    assert {row[0] for row in rows} == set("ABCDEFGHIJKLMN")


def test_table_of_keys_is_what_is_preset() -> None:
    shown = {name.split(",")[0]: (int(priority), values) for name, priority, values in table("key | priority | values")}
    assert shown.pop("any key that a project brings") == (LEARNED.priority, LEARNED.values)
    assert shown == {name: (rule.priority, rule.values) for name, rule in PRESETS.items()}
    assert preset_rule("$identity_mp_wx12_openid") == PRESETS["$identity_mp_openid"]
    assert f"`many`: up to {DEFAULT_LIMIT}." in PAGE
    assert all(rule == KeyRule(priority=rule.priority, values=rule.values) for rule in PRESETS.values())


def test_tables_of_fields_name_each_field_with_its_default() -> None:
    rules, key = PAGE.split("Of a key:", 1)
    rows = {name: default for name, _, default, _ in table("field | values | default | meaning")}
    assert set(rows) == set(IdentityRules.__dataclass_fields__)
    for name in ("scheme", "links_from", "history", "unknown_keys"):
        assert rows[name] == getattr(DEFAULT_RULES, name)
    for name in KeyRule.__struct_fields__:
        default = getattr(KeyRule(), name)
        [row] = [line for line in key.splitlines() if line.startswith(f"| `{name}` |") and line.count("|") == 5]
        assert row.split("|")[3].strip().strip("`") == ("none" if default is None else str(default))
    assert "scheme: graph" in rules


def test_every_value_that_is_nobody_is_on_the_page() -> None:
    nobody = preset_nobody()
    values = [*nobody.any_key, *(value for each in nobody.by_key.values() for value in each)]
    assert [value for value in values if value and f"`{value}`" not in PAGE] == []


def test_example_can_be_read_as_it_stands() -> None:
    [example] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    rules = read_rules_text(example, "identity.yaml")
    assert rules.key("$identity_mp_openid").parent == "$identity_mp_unionid"
    assert [each.name for each in rules.account_types] == ["school", "family"]
