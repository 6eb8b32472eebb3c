"""A source that cannot be read safely is refused where it is written."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from leeway.spec import UseCase

CANARY = "hunter2canary"
COLUMNS = [
    {"name": "id", "type": "integer", "role": "key", "description": "d"},
    {"name": "x", "type": "category", "description": "d"},
    {"name": "y", "type": "number", "role": "target", "description": "d"},
]
ARCHIVE = {
    "kind": "archive",
    "url": "https://example.org/data/housing.tgz?raw=1",
    "digest": "sha256:" + "0" * 64,
    "member": "housing/housing.csv",
}


def use_case(source: dict[str, Any]) -> UseCase:
    return UseCase.model_validate(
        {"title": "t", "task": "regression", "source": source, "columns": COLUMNS}
    )


def test_an_archive_has_a_digest_and_a_member_or_is_a_table() -> None:
    assert use_case(ARCHIVE).source.kind == "archive"
    plain = ARCHIVE | {"url": "https://example.org/housing%20a.csv.gz", "member": None}
    source = use_case(plain).source
    assert source.kind == "archive"
    assert source.file_name == "housing a.csv.gz"


REFUSED = [
    ({"digest": None}, "source.archive.digest"),
    ({"digest": "0" * 64}, "String should match pattern"),
    ({"digest": "sha256:" + "0" * 63 + "G"}, "String should match pattern"),
    ({"url": "file:///etc/passwd"}, "must begin with https:// or http://"),
    ({"url": "housing.tgz"}, "must begin with https:// or http://"),
    ({"url": f"https://ana:{CANARY}@example.org/a.tgz"}, "holds a user or password"),
    ({"url": "https://example.org/a b.tgz"}, "to be written as %XX"),
    ({"url": "https://example.org/"}, "'' is no name of a file"),
    ({"url": "https://example.org/..%2fa.tgz"}, "'../a.tgz' is no name of a file"),
    ({"member": None}, "member: name the table in the archive housing.tgz"),
    ({"url": "https://example.org/a.csv"}, "a.csv is no archive"),
    ({"member": "../a.csv"}, "'../a.csv' leads out of the archive"),
    ({"member": "a/../../b.csv"}, "leads out of the archive"),
    ({"member": "/etc/passwd"}, "leads out of the archive"),
    ({"member": "a\\..\\b.csv"}, "leads out of the archive"),
    ({"member": "C:/b.csv"}, "leads out of the archive"),
]


@pytest.mark.parametrize(("change", "says"), REFUSED, ids=[str(each) for each, _ in REFUSED])
def test_an_archive_that_is_not_safe_is_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as refused:
        use_case(ARCHIVE | change)
    assert says.split("; did")[0] in str(refused.value)


HTTP = {
    "kind": "http",
    "url": "https://api.example.org/v1",
    "batches": "months",
    "rows": "listings/all",
    "batch_parameter": "month",
}


def test_an_api_has_an_address_or_the_name_of_a_variable() -> None:
    assert use_case(HTTP).source.kind == "http"
    assert use_case(HTTP | {"url": None, "url_env": "LISTINGS_URL"}).source.kind == "http"


BAD_API = [
    ({"url": None}, "give either url or url_env"),
    ({"url_env": "LISTINGS_URL"}, "give either url or url_env"),
    ({"token_env": "secret-token"}, "token_env"),
    ({"rows": "../admin"}, "rows"),
    ({"rows": "//other.example.org/rows"}, "rows"),
    ({"batches": "months?key=1"}, "batches"),
    ({"batch_parameter": "month&x"}, "batch_parameter"),
    ({"page_size": 0}, "page_size"),
    ({"requests_per_second": 0}, "requests_per_second"),
]


@pytest.mark.parametrize(("change", "says"), BAD_API, ids=[str(each) for each, _ in BAD_API])
def test_an_api_that_is_not_safe_is_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        use_case(HTTP | change)


SQL = {"kind": "sql", "url_env": "SALES_DATABASE", "table": "Daily Sales"}
TIME = {"column": "sold at", "period": "month"}
KEY = {"column": "id", "size": 1000}


@pytest.mark.parametrize("way", [{}, {"batch_by_time": TIME}, {"batch_by_key": KEY}])
def test_a_table_of_a_database_is_cut_in_one_way_or_not(way: dict[str, Any]) -> None:
    assert use_case(SQL | way).source.kind == "sql"


BAD_SQL = [
    ({"batch_by_time": TIME, "batch_by_key": KEY}, "a table is cut in one way; give one"),
    ({"url_env": "postgresql://ana@h/db"}, "url_env"),
    ({"url": "postgresql://ana@h/db"}, "unknown name 'url'"),
    ({"query": "select 1"}, "unknown name 'query'"),
    ({"table": ""}, "1 to 128 characters"),
    ({"table": "a\0b"}, "1 to 128 characters"),
    ({"columns": ["x" * 129]}, "1 to 128 characters"),
    ({"batch_by_time": TIME | {"period": "week"}}, "period"),
    ({"batch_by_key": KEY | {"size": 0}}, "size"),
]


@pytest.mark.parametrize(("change", "says"), BAD_SQL, ids=[says for _, says in BAD_SQL])
def test_a_table_that_is_named_in_another_way_is_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        use_case(SQL | change)


KAFKA = {"kind": "kafka", "servers_env": "SENSORS", "topic": "machine_sensors", "group": "leeway"}
SECRET = {"user_env": "KAFKA_USER", "password_env": "KAFKA_PASSWORD"}


@pytest.mark.parametrize("way", [{}, {"tls": False}, SECRET, {"rows": 1, "wait": "1h"}])
def test_a_topic_names_the_variables_with_its_servers_and_secrets(way: dict[str, Any]) -> None:
    assert use_case(KAFKA | way).source.kind == "kafka"


BAD_KAFKA = [
    ({"servers_env": "localhost:9092"}, "servers_env"),
    ({"password": CANARY}, "unknown name 'password'"),
    ({"user_env": "KAFKA_USER"}, "give user_env and password_env, or none of them"),
    (SECRET | {"tls": False}, "a password is sent over TLS only"),
    ({"topic": "a/b"}, "topic"),
    ({"topic": ".."}, "Kafka has none called"),
    ({"group": None}, "group"),
    ({"rows": 0}, "rows"),
    ({"wait": "soon"}, "is not a duration"),
]


@pytest.mark.parametrize(("change", "says"), BAD_KAFKA, ids=[says for _, says in BAD_KAFKA])
def test_a_topic_that_is_not_safe_is_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says) as refused:
        use_case(KAFKA | change)
    assert "password" in change or CANARY not in str(refused.value)
