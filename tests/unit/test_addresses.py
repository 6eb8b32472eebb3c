"""Only public addresses are asked, however they are spelled; one more network by a setting."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest

from resources.addresses import is_allowed, place_of, target_of
from resources.files import SourceError
from resources.settings import Settings

CANARY = "hunter2canary"
NOT_PUBLIC = [
    "127.0.0.1", "127.8.9.1", "0.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1",
    "169.254.169.254", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::", "2002:a9fe:a9fe::",
]  # fmt: skip
PUBLIC = ["8.8.8.8", "185.199.108.133", "2606:50c0:8000::154", "64:ff9b::808:808"]
# As a name server or the system's own rules read them.
SPELLINGS = [
    "http://127.0.0.1/", "http://127.1/", "http://2130706433/", "http://0177.0.0.1/",
    "http://0x7f.1/", "http://0x7f000001/", "http://0/", "http://localhost/", "http://LOCALHOST./",
    "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/", "http://[::]/",
    "http://[fe80::1%25lo]/", "http://169.254.169.254/latest/meta-data/", "http://2852039166/",
    "http://[64:ff9b::169.254.169.254]/", "http://10.0.0.1:8080/", "http://192.168.0.1/",
]  # fmt: skip


def settings(**fields: Any) -> Settings:
    return Settings(_env_file=None, **{"source_schemes": "http,https", **fields})


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert not is_allowed(ipaddress.ip_address(address), settings())


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_allowed(address: str) -> None:
    assert is_allowed(ipaddress.ip_address(address), settings())


@pytest.mark.parametrize("url", SPELLINGS)
def test_no_spelling_of_an_address_leads_to_this_machine_or_its_network(url: str) -> None:
    with pytest.raises(SourceError, match=r"is not a public address|is not found|is no URL"):
        target_of(url, settings())


def test_a_network_of_the_settings_may_be_asked_and_no_other() -> None:
    allowed = settings(source_networks="127.0.0.0/8")
    assert target_of("http://127.0.0.1:81/a?b=c", allowed).addresses == ("127.0.0.1",)
    assert target_of("http://127.0.0.1:81/a?b=c", allowed).path == "/a?b=c"
    with pytest.raises(SourceError, match="add its network to LEEWAY_SOURCE_NETWORKS"):
        target_of("http://169.254.169.254/", allowed)


def test_one_address_of_several_that_is_not_public_is_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def answer(*_: object, **__: object) -> list[Any]:
        return [(2, 1, 6, "", (each, 443)) for each in ("8.8.8.8", "127.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    with pytest.raises(SourceError, match=r"127\.0\.0\.1 is not a public address"):
        target_of("https://example.org/", settings())


REFUSED = {
    "file:///etc/passwd": "file is not allowed; LEEWAY_SOURCE_SCHEMES allows https",
    "ftp://8.8.8.8/": "ftp is not allowed",
    "gopher://8.8.8.8/": "gopher is not allowed",
    "/etc/passwd": "no scheme is not allowed",
    "http://8.8.8.8/": "http is not allowed",
    "https://8.8.8.8:port/": "no URL",
    "https://[8.8.8.8/": "no URL",
    f"https://ana:{CANARY}@8.8.8.8/x": "holds a user or password",
    f"https://8.8.8.8/a b?key={CANARY}": "must write as %XX",
    "https://8.8.8.8/\r\nHost: other": "must write as %XX",
    "https://8.8.4.4/": "host '8.8.4.4' is not among LEEWAY_SOURCE_HOSTS: 8.8.8.8",
}


@pytest.mark.parametrize(("url", "says"), REFUSED.items(), ids=REFUSED.values())
def test_what_else_is_refused_with_the_reason_and_without_a_secret(url: str, says: str) -> None:
    strict = Settings(_env_file=None, source_hosts="8.8.8.8")
    with pytest.raises(SourceError) as refused:
        target_of(url, strict)
    assert says in str(refused.value)
    assert CANARY not in str(refused.value)


def test_a_place_holds_nothing_that_may_be_secret() -> None:
    url = f"https://ana:{CANARY}@example.org:8443/rows?key={CANARY}#{CANARY}"
    assert place_of(url) == "https://example.org:8443/rows"
