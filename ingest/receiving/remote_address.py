"""Remote addresses: whose request it is when trusted proxies stand between.

Anyone can write any address into `X-Forwarded-For`; only what a trusted proxy added to it counts.
"""

import ipaddress

from ingest.errors import UntrustedProxies

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class TrustedProxies:
    """The proxies whose word is taken; none by default. Raises `UntrustedProxies` for what is no address."""

    def __init__(self, text: str = "") -> None:
        self._networks = tuple(_network(part.strip()) for part in text.split(",") if part.strip())

    def __bool__(self) -> bool:
        return bool(self._networks)

    def remote_address(self, peer: str, forwarded_for: str) -> str:
        """The rightmost address that is no trusted proxy: the peer itself, or one of `X-Forwarded-For`."""
        found = peer
        for hop in reversed(forwarded_for.split(",")):
            if not self._trusts(found):
                break
            address = _address(hop.strip())
            if address is None:  # written by nobody who could be trusted
                break
            found = str(address)
        return found

    def _trusts(self, text: str) -> bool:
        address = _address(text)
        return address is not None and any(address in network for network in self._networks)


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise UntrustedProxies(f"{text!r} is no address; write addresses or ranges such as 10.0.0.0/8") from error


def _address(text: str) -> Address | None:
    # Some proxies write the port too: 203.0.113.9:4711, [2001:db8::1]:4711.
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
