"""The benchmarks run: what they time is the same story in every family, and all of it arrives."""

import pytest

from bench import __main__ as bench
from bench import decoding, identity, loading
from bench.events import FAMILIES


def test_every_family_tells_the_same_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "EVENTS", 300)
    for family, requests_of in FAMILIES.items():
        requests = requests_of(300, 100)
        assert decoding.decode_all(requests) > 0  # it checks that each event was decoded
        assert decoding.read_all(family, requests) > 0


def test_a_measured_load_takes_every_event(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu_s, wall_s = loading.load_once(FAMILIES["native"](300, 100), ask=True)
    assert cpu_s > 0
    assert wall_s > 0


def test_one_id_is_measured_on_persons_whose_number_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    sizes = identity.Sizes(
        persons=400,
        links=1200,
        graphs=(400, 800),
        batch_links=40,
        event_identities=400,
        events=2000,
        merges=100,
        rounds=1,
        memory_limit_mb=256,
    )
    identity.run(sizes)  # it checks how many persons its links come to
    said = capsys.readouterr().out
    assert "1,200 links over 600 identities of 400 persons" in said
    assert "A batch of 40 links, committed" in said
    assert "the merges took" in said


def test_an_unknown_benchmark_is_named() -> None:
    with pytest.raises(SystemExit, match="no benchmark is called 'speed'; there are decoding, collecting"):
        bench.main(["speed"])
