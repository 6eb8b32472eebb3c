"""Which addresses a source may ask: the scheme, the host, and every address that the host has.

Belongs here: judging a URL before a connection is made. Does not belong here: making one
(`resources.web`), which connects to an address that was judged and asks no name server again.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from resources.files import SourceError
from resources.settings import Settings

IP = ipaddress.IPv4Address | ipaddress.IPv6Address
_PORTS = {"https": 443, "http": 80}
# An IPv6 address that only a gateway to IPv4 answers: RFC 6052.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True)
class Target:
    """Where one request goes: a name, and the addresses that were judged."""

    scheme: str
    host: str
    port: int
    path: str
    addresses: tuple[str, ...]

    @property
    def origin(self) -> tuple[str, str, int]:
        """What a secret was meant for."""
        return self.scheme, self.host, self.port

    @property
    def header(self) -> str:
        """Value of the header Host."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == _PORTS[self.scheme] else f"{name}:{self.port}"


def place_of(url: str) -> str:
    """A URL for messages: without user, password, query and fragment, which may be secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def target_of(url: str, settings: Settings) -> Target:
    """The target of a request, judged.

    Raises:
        SourceError: when the URL is none, its scheme or host is not allowed, its host is unknown,
            or one of its addresses is neither public nor in LEEWAY_SOURCE_NETWORKS.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise SourceError("the address of the source is no URL; check its host and port") from None
    place = place_of(url)
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise SourceError(f"{place}: it holds a character that a URL must write as %XX")
    if parts.scheme not in settings.source_schemes:
        allowed = ", ".join(settings.source_schemes)
        raise SourceError(
            f"{place}: {parts.scheme or 'no scheme'} is not allowed; LEEWAY_SOURCE_SCHEMES allows "
            f"{allowed}"
        )
    if parts.username is not None or parts.password is not None:
        raise SourceError(f"{place}: it holds a user or password; give a token by source.token_env")
    if settings.source_hosts is not None and host not in settings.source_hosts:
        allowed = ", ".join(settings.source_hosts)
        raise SourceError(f"{place}: host {host!r} is not among LEEWAY_SOURCE_HOSTS: {allowed}")
    number = port if port is not None else _PORTS[parts.scheme]
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, number, path, _judged(host, number, place, settings))


def _judged(host: str, port: int, place: str, settings: Settings) -> tuple[str, ...]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "no name of a host"
        raise UnknownHost(f"{place}: host {host!r} is not found: {said}") from error
    addresses = tuple(dict.fromkeys(str(each[4][0]) for each in found))
    for address in addresses:
        # A zone, as in fe80::1%eth0, names an interface of this machine.
        if not is_allowed(ipaddress.ip_address(address.partition("%")[0]), settings):
            raise SourceError(
                f"{place}: {address} is not a public address. Where the source may be asked there, "
                "add its network to LEEWAY_SOURCE_NETWORKS"
            )
    return addresses


class UnknownHost(SourceError):
    """No name server knows the host, perhaps only now."""


def is_allowed(address: IP, settings: Settings) -> bool:
    """Whether an address is public, or in LEEWAY_SOURCE_NETWORKS."""
    address = _behind(address)
    for network in settings.source_networks:
        if address.version == network.version and address in network:
            return True
    return address.is_global and not address.is_multicast


def _behind(address: IP) -> IP:
    """The IPv4 address that an IPv6 one stands for, where it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
