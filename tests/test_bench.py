"""The benchmarks run: what they time is the same story in every family, and all of it arrives."""

import pytest

from bench import __main__ as bench
from bench import decoding, loading
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


def test_an_unknown_benchmark_is_named() -> None:
    with pytest.raises(SystemExit, match="no benchmark is called 'speed'; there are decoding, collecting"):
        bench.main(["speed"])
