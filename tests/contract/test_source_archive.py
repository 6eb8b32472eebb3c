"""A public file is what its digest says, downloaded once; everything else is refused."""

from __future__ import annotations

import gzip
import os
import shutil
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from leeway.spec import ArchiveSource
from resources.files import SourceError
from resources.settings import get_settings
from resources.sources import Archive
from tests.contract.archives import CSV, LARGE, ROWS, archive, digest, rows
from tests.reference import Reference, asking_this_machine, serving

pytestmark = pytest.mark.usefixtures("reference")


def test_a_file_is_downloaded_once_and_then_needs_no_network(reference: Reference) -> None:
    source = archive(reference.serve("once.csv", CSV), CSV)
    before = source.fingerprint("once")
    assert rows(source) == rows(source) == ROWS
    assert len(reference.asked()) == 1
    (kept,) = (get_settings().home / "downloads").iterdir()
    kept.write_bytes(CSV[:-3])  # damaged on the disk
    assert rows(source) == ROWS
    assert len(reference.asked()) == 2, "what was kept is verified, and fetched again"
    assert source.fingerprint("once") == before


def test_four_at_once_get_the_whole_file(reference: Reference) -> None:
    source = archive(reference.serve("at-once.csv", CSV), CSV)
    found: list[dict[str, list[Any]]] = []
    threads = [threading.Thread(target=lambda: found.append(rows(source))) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert found == [ROWS] * 4
    assert len(list((get_settings().home / "downloads").iterdir())) == 1


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "{digest}", "{digest}.csv"])
def test_a_file_of_the_data_folder_is_taken_when_it_has_the_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: Reference, name: str
) -> None:
    folder = tmp_path / "data"
    path = folder / "below" / name.format(digest=digest(CSV).removeprefix("sha256:"))
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(CSV, mtime=0) if name.endswith(".gz") else CSV)
    (folder / "t.csv").write_bytes(b"another file of the same name")
    monkeypatch.setenv("LEEWAY_DATA_DIR", str(folder))
    get_settings.cache_clear()
    assert rows(archive(f"{reference.url}/gone/t.csv", CSV)) == ROWS
    assert reference.asked() == []


def test_without_the_network_the_remedy_and_what_was_found_instead_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: Reference
) -> None:
    (tmp_path / "t.csv").write_bytes(b"another file of the same name")
    monkeypatch.setenv("LEEWAY_DATA_DIR", str(tmp_path))
    get_settings.cache_clear()
    with pytest.raises(SourceError) as refused:
        rows(archive("http://127.0.0.1:9/t.csv", CSV))
    assert "no connection: " in str(refused.value)
    assert "the last of 3 attempts" in str(refused.value)
    assert "put t.csv below the folder LEEWAY_DATA_DIR" in str(refused.value)
    assert f"({tmp_path / 't.csv'} has another digest)" in str(refused.value)


def test_a_data_folder_that_is_none_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEEWAY_DATA_DIR", str(tmp_path / "gone"))
    get_settings.cache_clear()
    with pytest.raises(SourceError, match=r"LEEWAY_DATA_DIR: .*gone is no folder"):
        rows(archive("http://127.0.0.1:9/t.csv", CSV))


def test_a_file_with_another_digest_is_refused_and_not_kept(reference: Reference) -> None:
    url = reference.serve("changed.csv", CSV)
    with pytest.raises(SourceError) as refused:
        rows(archive(url, b"what it was"))
    assert f"has the digest {digest(CSV)}, and source.digest is {digest(b'what it was')}" in str(
        refused.value
    )
    assert not (get_settings().home / "downloads").exists()


@pytest.mark.parametrize("fault", ["500", "503 after 0", "429", "half", "never", "drip"])
def test_an_answer_that_fails_is_asked_for_again(reference: Reference, fault: str) -> None:
    url = reference.serve("again.csv", CSV * 10)
    reference.next(fault)
    assert len(rows(archive(url, CSV * 10))["x"]) == 29
    assert len(reference.asked()) == 2


ENDS = {
    "500": "the server answered 500",
    "half": r"the connection broke off \(\w+\)",
    "never": "no answer for 1 s",
    "drip": r"the answer had not ended after its \d+ bytes",
}


@pytest.mark.parametrize(("fault", "says"), ENDS.items())
def test_an_answer_that_always_fails_ends_after_the_last_attempt(
    reference: Reference, fault: str, says: str
) -> None:
    url = reference.serve("never.csv", CSV * 10)
    reference.next(*[fault] * 9)
    with pytest.raises(SourceError, match=rf"never\.csv: {says} \(the last of 3 attempts\)"):
        rows(archive(url, CSV * 10))
    assert len(reference.asked()) == 3


FINAL = {"404": "answered 404", "403": "answered 403", "429 after 999": "asks to wait 999 s"}


@pytest.mark.parametrize(("fault", "says"), FINAL.items())
def test_an_answer_that_will_not_change_is_not_asked_for_again(
    reference: Reference, fault: str, says: str
) -> None:
    url = reference.serve("refused.csv", CSV)
    reference.next(fault)
    with pytest.raises(SourceError, match=says):
        rows(archive(url, CSV))
    assert len(reference.asked()) == 1


def test_a_redirect_is_followed_where_it_is_allowed_to_lead(reference: Reference) -> None:
    url = reference.serve("moved.csv", CSV)
    reference.next(f"to {url}?again", "to /files/moved.csv")
    assert rows(archive(url, CSV)) == ROWS
    for there, says in {
        "http://169.254.169.254/latest/meta-data/": "169.254.169.254 is not a public address",
        "file:///etc/passwd": "file is not allowed",
        "gopher://127.0.0.1/": "gopher is not allowed",
    }.items():
        reference.next(f"to {there}")
        with pytest.raises(SourceError, match=says):
            rows(archive(url, CSV + b"2008,c\n"))
        assert len(reference.asked()) == 1
    reference.next(*[f"to {url}"] * 20)
    with pytest.raises(SourceError, match="more than 5 redirects"):
        rows(archive(url, CSV + b"2008,c\n"))


def test_this_machine_is_asked_only_where_the_settings_say_so(
    monkeypatch: pytest.MonkeyPatch, reference: Reference
) -> None:
    url = reference.serve("ours.csv", CSV)
    monkeypatch.setenv("LEEWAY_SOURCE_NETWORKS", "")
    get_settings.cache_clear()
    with pytest.raises(SourceError, match=r"127\.0\.0\.1 is not a public address"):
        rows(archive(url, CSV))
    assert reference.asked() == []


def test_a_name_that_is_bound_anew_after_it_was_judged_leads_nowhere(
    monkeypatch: pytest.MonkeyPatch, reference: Reference
) -> None:
    """A name server that says an allowed address first, and then that of this machine."""
    port = reference.url.rpartition(":")[2]
    answers = iter(["127.0.0.2"])
    really = socket.getaddrinfo

    def bound(host: str, *arguments: Any, **named: Any) -> Any:
        address = next(answers, "127.0.0.1") if host == "rebind.example" else host
        return really(address, *arguments, **named)

    monkeypatch.setenv("LEEWAY_SOURCE_NETWORKS", "127.0.0.2/32")
    get_settings.cache_clear()
    monkeypatch.setattr(socket, "getaddrinfo", bound)
    with pytest.raises(SourceError, match=r"127\.0\.0\.1 is not a public address"):
        rows(archive(f"http://rebind.example:{port}/files/t.csv", CSV))
    assert reference.asked() == []


@pytest.mark.usefixtures("one_mb")
@pytest.mark.parametrize("fault", ["", "endless"])
def test_a_download_that_is_too_large_is_stopped(reference: Reference, fault: str) -> None:
    url = reference.serve("large.csv", LARGE)
    reference.next(fault)
    with pytest.raises(SourceError, match=r"large\.csv: it is too large"):
        rows(archive(url, LARGE))


def test_by_tls_the_certificate_must_be_that_of_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection goes to the address that was judged, the certificate is that of the name."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not there, to make a certificate")
    made = tmp_path / "server.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=x", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", tmp_path / "key", "-out", made],
        check=True, capture_output=True,
    )  # fmt: skip
    authority = tmp_path / "authority.pem"
    authority.write_bytes(made.read_bytes())
    made.write_bytes(made.read_bytes() + (tmp_path / "key").read_bytes())
    with serving(tmp_path) as server, asking_this_machine(tmp_path / "home2"):
        name = server.serve("t.csv", CSV)
        by_name = name.replace("127.0.0.1", "localhost")
        with pytest.raises(SourceError, match=r"no safe connection: .*self.signed certificate"):
            rows(archive(by_name, CSV))
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        with pytest.raises(SourceError, match=r"no safe connection: .*127\.0\.0\.1"):
            rows(archive(name, CSV))
        assert rows(archive(by_name, CSV)) == ROWS


def test_the_real_housing_table_comes_from_the_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = DATA_DIR
    if not folder:
        pytest.skip("LEEWAY_DATA_DIR is not set: there is no folder with real data")
    monkeypatch.setenv("LEEWAY_DATA_DIR", folder)
    get_settings.cache_clear()
    known = "8a3727f4cf54ac1a327f69b1d5b4db54c5834ea81c6e4efc0d163300022a685e"
    fields = {"kind": "archive", "url": "https://example.org/housing.csv",
              "digest": f"sha256:{known}"}  # fmt: skip
    table = Archive(ArchiveSource.model_validate(fields)).read("housing")
    assert (table.num_rows, table.num_columns) == (20640, 10)
    assert table["total_bedrooms"].null_count == 207


DATA_DIR = os.environ.get("LEEWAY_DATA_DIR")  # read before the tests take it away
