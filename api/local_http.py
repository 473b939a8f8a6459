"""HTTP to the services of this machine: plain, and never through a proxy.

httpx would read every certificate that the world trusts before its first request, which takes longer than the answer.
"""

import ssl

import httpx

_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def local_client(url: str, headers: dict[str, str] | None = None, timeout_s: float | None = None) -> httpx.Client:
    """A client for the service at `url`; `timeout_s` of None waits for as long as an answer takes. Close it."""
    return httpx.Client(base_url=url, headers=headers, timeout=timeout_s, verify=_NO_CERTIFICATES, trust_env=False)


def local_health(url: str, timeout_s: float) -> httpx.Response:
    """What the service at `url` says of itself. Raises `httpx.HTTPError`, and `httpx.InvalidURL` for what is none."""
    with local_client(url, timeout_s=timeout_s) as client:
        return client.get("/health")
