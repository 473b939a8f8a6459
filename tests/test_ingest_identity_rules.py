"""Reading identity rules: what a file says over the defaults, and one sentence for each thing that is wrong in one."""

import pytest

from ingest.errors import IdentityRulesError
from ingest.identity.keys import KeyRule
from ingest.identity.reading import read_rules_text
from ingest.identity.rules import DEFAULT_RULES
from ingest.message import ANONYMOUS_ID, Identity

PLACE = "identity.yaml: "


def test_empty_file_gives_the_defaults() -> None:
    assert read_rules_text("", "identity.yaml") == DEFAULT_RULES


def test_key_in_a_file_changes_only_what_it_names() -> None:
    """A mobile number stays single and second in priority; a key of the project's own starts from the defaults."""
    text = """
    keys:
      $identity_mobile: {over_limit: replace_oldest}
      $identity_mp_wx12_openid: {parent: $identity_mp_unionid}
      student_number: {values: single}
    """
    rules = read_rules_text(text, "identity.yaml")
    assert rules.key("$identity_mobile") == KeyRule(priority=20, values="single", over_limit="replace_oldest")
    assert rules.key("$identity_mp_wx12_openid") == KeyRule(priority=50, parent="$identity_mp_unionid")
    assert rules.key("student_number") == KeyRule(priority=40, values="single")
    assert rules.key(ANONYMOUS_ID) == KeyRule(priority=60)


def test_lists_of_nobody_compare_without_case_and_blanks() -> None:
    rules = read_rules_text("nobody: {any_key: [Front Desk]}", "identity.yaml")
    assert rules.guard.is_nobody(Identity("student_number", " front desk "))
    assert not rules.guard.is_nobody(Identity("student_number", "front desk 2"))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("- graph", "the top level is a list; it has to be fields with values"),
        ("scheme: grpah", "scheme is 'grpah'; it may be one_to_one, many_to_one, graph"),
        ("scheme:", "scheme is empty; it has to be one of one_to_one, many_to_one, graph"),
        ("known_persons: apart", "known_persons is 'apart'; it may be merge, stay_apart"),
        (
            "schema: graph",
            "the top level has no field 'schema'; it may have scheme, links_from, history, unknown_keys, "
            "known_persons, keys, nobody, somebody, account_types",
        ),
        ("keys: [m]", "keys is a list; it has to be fields with values"),
        ("keys: {7: {}}", "a name in keys is a whole number; it has to be text, in quotes"),
        ("keys: {m: single}", "keys.m is 'single'; give it fields, such as values: single"),
        ("keys: {m: {values: two}}", "keys.m.values is 'two'; it may be single, many"),
        ("keys: {m: {limit: all}}", "keys.m.limit is text; it has to be a whole number"),
        ("keys: {m: {limit: 0}}", "keys.m.limit is 0; a person has at least 1 value"),
        (
            "keys: {m: {max: 1}}",
            "keys.m has no field 'max'; it may have priority, values, limit, over_limit, parent, status",
        ),
        ("keys: {m: {parent: n}}", "keys.m.parent is 'n', which is no key; name a preset or declared one"),
        (
            "keys: {m: {parent: n}, n: {parent: m}}",
            "keys.m is below itself by its parents; leave one parent out",
        ),
        ("nobody: {any_key: guest}", "nobody.any_key is text; it has to be a list"),
        ("nobody: {any_key: [0]}", "nobody.any_key[0] is a whole number; it has to be text, in quotes"),
        (
            "nobody: {by_key: {$identity_mobile: [13800138000]}}",
            "an entry in nobody.by_key is a whole number; it has to be text, in quotes",
        ),
        ("somebody: {key: []}", "somebody has no field 'key'; it may have any_key, by_key"),
        ("account_types: []", "account_types is empty; name at least one, such as school"),
        ("account_types: [school]", "account_types[0] is text; it has to be fields with values"),
        ("account_types: [{properties: [school]}]", "account_types[0] has no name; give it one"),
        (
            "account_types: [{name: school, property: school}]",
            "account_types[0] has no field 'property'; it may have name, properties",
        ),
        ("account_types: [{name: item}]", "account_types names 'item', which is no account; use another name"),
        ("account_types: [{name: ''}]", "account_types has an empty name; give it one, such as school"),
        ("account_types: [{name: school}, {name: school}]", "account_types names 'school' twice; name each once"),
    ],
)
def test_fault_is_told_with_its_place_and_what_would_be_right(text: str, sentence: str) -> None:
    with pytest.raises(IdentityRulesError) as caught:
        read_rules_text(text, "identity.yaml")
    assert str(caught.value) == PLACE + sentence


def test_file_that_is_not_yaml_is_told_so() -> None:
    with pytest.raises(IdentityRulesError, match=r"^identity\.yaml is not YAML: "):
        read_rules_text("keys: {", "identity.yaml")
