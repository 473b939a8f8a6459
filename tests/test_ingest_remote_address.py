"""Whose request it is, when proxies stand between."""

from pathlib import Path

import pytest

from tests.collectors import Running


@pytest.mark.parametrize(
    ("trusted", "forwarded", "address"),
    [
        pytest.param("", "198.51.100.1", "203.0.113.7", id="nobody is trusted"),
        pytest.param("10.0.0.0/8", "198.51.100.1", "203.0.113.7", id="the peer is no proxy of ours"),
        pytest.param("203.0.113.7", "198.51.100.1", "198.51.100.1", id="the peer is"),
        pytest.param("203.0.113.7, 10.0.0.0/8", "6.6.6.6, 198.51.100.1, 10.1.2.3", "198.51.100.1", id="two of ours"),
        pytest.param("203.0.113.7", "6.6.6.6, 198.51.100.1:4711", "198.51.100.1", id="with a port"),
        pytest.param("203.0.113.7", "[2001:db8::1]:4711", "2001:db8::1", id="version 6 with a port"),
        pytest.param("203.0.113.7", "198.51.100.1, unknown", "203.0.113.7", id="no address"),
        pytest.param("0.0.0.0/0", "198.51.100.1, 198.51.100.2", "198.51.100.1", id="everybody is trusted"),
    ],
)
def test_address_is_what_trusted_proxies_say(tmp_path: Path, trusted: str, forwarded: str, address: str) -> None:
    running = Running(tmp_path, trusted_proxies=trusted)
    running.ask("POST", "/sa", b"", {"x-forwarded-for": forwarded})
    running.writer.close()
    (record,) = running.records()
    assert record.request is not None
    assert (record.request.remote_address, record.request.headers["x-forwarded-for"]) == (address, forwarded)
