"""Mutations of the recorded requests, over every endpoint: the short form of `make fuzz`.

No 5xx, nothing raised, no decoder failing, bounded memory, and every request accounted for.
"""

from pathlib import Path

import pytest

from tests.fuzz_account import Account, is_empty
from tests.fuzz_requests import CAPTURES, Sent, open_layers, read_captures
from tests.fuzz_run import MAX_GROWTH_MB, Fuzz, fuzz_settings
from tests.fuzz_sending import Answered

SEED = 20_261_122
REQUESTS = 1_500


def test_mutated_requests_are_answered_kept_and_accounted_for(tmp_path: Path) -> None:
    fuzz = Fuzz(SEED)
    account = fuzz.run(fuzz_settings(tmp_path), iter(range(REQUESTS)))
    assert account.findings == []
    assert sum(line.requests for line in account.lines.values()) == REQUESTS
    assert fuzz.memory.most - fuzz.memory.first < MAX_GROWTH_MB


def test_a_seed_makes_the_same_requests_again() -> None:
    first, again, other = Fuzz(1), Fuzz(1), Fuzz(2)
    requests = [first.request(number) for number in range(50)]
    assert requests == [again.request(number) for number in range(50)]
    assert requests != [other.request(number) for number in range(50)]


def test_a_recorded_request_opens_and_closes_again() -> None:
    """Else a mutation would strike the envelope where it means the letter."""
    opened = [packed for sent in read_captures((CAPTURES,)) if (packed := open_layers(sent)) is not None]
    assert len(opened) > 70
    for packed in opened:
        assert packed.plain[:1] in (b"{", b"[")
        again = open_layers(packed.pack(packed.plain))
        assert again is not None
        assert again.plain == packed.plain


@pytest.mark.parametrize(
    ("answer", "finding"),
    [
        (Answered(500, b""), "answered 500: b''"),
        (Answered(400, b"{}"), "answered 400 without a reason: b'{}'"),
        (RuntimeError("boom"), "raised RuntimeError: boom"),
    ],
)
def test_the_account_finds_what_must_not_be(answer: Answered | Exception, finding: str) -> None:
    fuzz = Fuzz(SEED)
    sent = next(each for each in fuzz.templates if each.path == "/v1/batch")
    account = Account(fuzz.request)
    account.answered(7, sent, answer)
    assert [(each.number, each.what) for each in account.findings] == [(7, finding)]


@pytest.mark.parametrize(
    ("body", "says_nothing"),
    [
        (b'{"batch": []}', True),
        (b'{"batch": [], "s\xffntAt": "x"}', True),  # a bit flipped in another name; the list is empty all the same
        (b'{"batch": [{}]}', False),
        (b'{"batch": [', False),
    ],
)
def test_only_an_empty_list_may_become_nothing(body: bytes, says_nothing: bool) -> None:
    assert is_empty(Sent("POST", "/v1/batch", (), body)) == says_nothing


def test_the_account_misses_a_request_that_was_answered_and_not_kept(tmp_path: Path) -> None:
    fuzz = Fuzz(SEED)
    account = Account(fuzz.request)
    sent = next(each for each in fuzz.templates if each.path == "/sa")
    account.answered(7, sent, Answered(200))
    account.settle(fuzz_settings(tmp_path))
    assert [each.what for each in account.findings] == ["was answered 2xx and is not in the log"]
