"""Files of rows over HTTP: the same answers as `predict`, whole or not at all, in bounded memory.

Belongs here: what a client sees. Does not belong here: what a value may be
(tests/unit/test_batches.py), or the workers (test_pool.py).
"""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import urllib3
from pyarrow import csv

from serving.batches import WAITING, WORKERS
from tests.batches import penguins
from tests.faults.harness import figure, until
from tests.installed import Complete
from tests.project_copy import NAME
from tests.service.service import BATCH, PREDICT, Client, ready

pytestmark = pytest.mark.timeout(300)
CSV, LINES, PARQUET = "text/csv", "application/x-ndjson", "application/vnd.apache.parquet"
# Sums over many rows differ in their last bits from those over one, in BLAS and scikit-learn.
TOLERANCE = 1e-12
NAMES = ["island", "bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g", "sex"]
TABLE = pa.Table.from_pandas(penguins()[["species", *NAMES]], preserve_index=False)
ROW = "Biscoe,45.1,14.5,207,5050,female\n"


def as_csv(table: pa.Table) -> bytes:
    file = io.BytesIO()
    csv.write_csv(table, file)
    return file.getvalue()


def as_parquet(table: pa.Table, **more: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, **more)
    return file.getvalue()


def as_lines(table: pa.Table) -> bytes:
    return "\n".join(json.dumps(each) for each in table.to_pylist()).encode()


BODIES = {CSV: as_csv(TABLE), LINES: as_lines(TABLE), PARQUET: as_parquet(TABLE)}


def rows_in(data: bytes, media: str) -> list[dict[str, Any]]:
    if media == LINES:
        found = [json.loads(line) for line in data.splitlines()]
        return [flat(each.pop("probabilities")) | each for each in found]
    if media == PARQUET:
        return list(pq.read_table(io.BytesIO(data)).to_pylist())
    rows = csv.read_csv(io.BytesIO(data)).to_pylist()
    nested = ("prediction_set", "warnings")
    return [{**each, **{name: json.loads(each[name]) for name in nested}} for each in rows]


def flat(probabilities: dict[str, float]) -> dict[str, float]:
    return {f"probability_{name}": value for name, value in probabilities.items()}


def problem(answer: urllib3.BaseHTTPResponse) -> dict[str, Any]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    found: dict[str, Any] = json.loads(answer.data)
    assert found["status"] == answer.status
    return found


def test_each_row_is_predicted_as_predict_predicts_it_alone(client: Client) -> None:
    answer = client.send(BATCH, BODIES[LINES], LINES)
    assert answer.status == 200
    found = [json.loads(line) for line in answer.data.splitlines()]
    assert [each["row"] for each in found] == list(range(1, TABLE.num_rows + 1))
    step = 7
    for each, row in list(zip(found, TABLE.select(NAMES).to_pylist(), strict=True))[::step]:
        _, alone = client.post(PREDICT, {"instances": [row]})
        (expected,) = alone["predictions"]
        for name in ("prediction", "prediction_set", "warnings"):
            assert each[name] == expected[name]
        given, wanted = each["probabilities"], expected["probabilities"]
        np.testing.assert_allclose(list(given.values()), list(wanted.values()), rtol=TOLERANCE)
    assert answer.headers["leeway-release"] == alone["release"]
    assert answer.headers["leeway-rows"] == str(TABLE.num_rows)
    assert json.loads(answer.headers["leeway-ignored-columns"]) == ["species"]
    assert len({each["prediction_id"] for each in found}) == TABLE.num_rows


@pytest.mark.parametrize("given", BODIES)
@pytest.mark.parametrize("wanted", BODIES)
def test_every_format_in_and_out_holds_the_same(client: Client, given: str, wanted: str) -> None:
    answer = client.send(BATCH, BODIES[given], given, wanted)
    assert (answer.status, answer.headers["Content-Type"]) == (200, wanted)
    expected = rows_in(client.send(BATCH, BODIES[PARQUET], PARQUET, PARQUET).data, PARQUET)
    found = rows_in(answer.data, wanted)
    for each in (*found, *expected):
        del each["prediction_id"]
    assert found == expected


def test_a_bad_row_is_named_and_nothing_is_predicted(client: Client) -> None:
    """The last of more rows than are read at one time."""
    body = ",".join(NAMES) + "\n" + ROW * 7000 + "Biscoe,45.1,heavy,207,5050,female\n"
    answer = client.send(BATCH, body.encode())
    found = problem(answer)
    assert found["status"] == 422
    assert (found["where"], found["value"]) == ("row 7001, column bill_depth_mm", "heavy")
    assert "mm" in found["allowed"]
    assert "wrong rows of the first 7001: 1;" in found["detail"]


@pytest.mark.parametrize(
    ("body", "given", "status", "told"),
    [
        (b"island,bill_length_mm\nBiscoe,1\n", CSV, 422, "missing 'bill_depth_mm'"),
        (f"{','.join(NAMES)}\n".encode(), CSV, 422, "none"),
        (f"{','.join(NAMES)}\n{ROW}Biscoe,1\n".encode(), CSV, 400, "columns"),
        (f"{';'.join(NAMES)}\nBiscoe;1;1;1;1;male\n".encode(), CSV, 422, "semicolons"),
        (b"\xff\xfe\x00", CSV, 400, "not UTF-8"),
        (b"", CSV, 400, "empty"),
        (b'{"island": \n', LINES, 400, "not JSON"),
        (b'{"island": []}\n', LINES, 400, "a list"),
        (b"PAR1 and no more", PARQUET, 400, "the body"),
        (BODIES[PARQUET][:2000], PARQUET, 400, "the body"),
        (b"{}", "application/json", 415, "text/csv"),
    ],
)
def test_what_is_no_table_of_the_inputs_is_refused_with_a_reason(
    client: Client, body: bytes, given: str, status: int, told: str
) -> None:
    found = problem(client.send(BATCH, body, given))
    assert found["status"] == status
    assert told in found["detail"]
    assert "defs.yaml" not in found["detail"]


def test_a_format_that_there_is_not_is_refused_with_those_that_there_are(client: Client) -> None:
    found = problem(client.send(BATCH, BODIES[CSV], CSV, "application/pdf"))
    assert found["status"] == 406
    assert PARQUET in found["detail"]
    packed = {"Content-Type": CSV, "Content-Encoding": "gzip"}
    answer = client.pool.request("POST", BATCH, body=b"x", headers=packed)
    assert problem(answer)["status"] == 415


def test_what_is_too_large_packed_or_unpacked_is_refused(installed: Complete) -> None:
    names = ",".join(NAMES) + "\n"
    many = pa.table({name: TABLE[name].take([0] * 200_000) for name in NAMES})
    small = as_parquet(many, compression="zstd")
    assert len(small) < 2**20
    with ready(installed, LEEWAY_MAX_BATCH_MB="1") as other:
        body = (names + ROW * (2**20 // len(ROW))).encode()
        refused = [
            other.send(BATCH, body),
            other.pool.request(  # in chunks, so that nothing says how long it is
                "POST", BATCH, body=iter([body] * 9), headers={"Content-Type": CSV}, chunked=True
            ),
            other.send(BATCH, small, PARQUET),
        ]
        for each in refused:
            found = problem(each)
            assert found["status"] == 413
            assert "1 MB" in found["detail"]
            assert "LEEWAY_MAX_BATCH_MB" in found["detail"]
        assert other.send(BATCH, body[: len(names) + 1000 * len(ROW)]).status == 200


@pytest.mark.faults
def test_the_service_does_not_hold_the_rows(client: Client) -> None:
    """What it has at most while they come and are judged, and what its worker has afterwards."""
    assert client.send(BATCH, BODIES[CSV]).status == 200
    body = (",".join(NAMES) + "\n" + ROW * 1_000_000 + "Biscoe,1,1,1,1,neither\n").encode()
    with client.peak() as grown:
        answer = client.send(BATCH, body)
        most = grown()
    assert problem(answer)["where"] == "row 1000001, column bill_length_mm"
    assert len(body) > 30 * 2**20
    worker = max(each.memory_info().rss for each in client.workers())
    sizes = [f"{size / 2**20:.0f} MB" for size in (len(body), most, worker)]
    figure("a batch of {}: the service grew by {} at most, its worker has {}".format(*sizes))
    assert most < len(body) / 3


def test_each_answer_is_in_the_log_once_with_what_was_asked(client: Client) -> None:
    told = 'inference_log_rows_total{outcome="written"}'
    before = client.metrics().get(told, 0)
    table = TABLE.slice(0, 250)
    answer = client.send(BATCH, as_csv(table), CSV, LINES)
    given = {
        each["prediction_id"]: row
        for each, row in zip(rows_in(answer.data, LINES), table.to_pylist(), strict=True)
    }

    assert until(lambda: client.metrics().get(told, 0) == before + 250, 20) is not None
    found = client.get(f"/api/v1/{NAME}/predictions/history?limit=250")[1]["predictions"]
    logged = {each["prediction_id"].replace("-", ""): each["inputs"] for each in found}
    assert len(logged) == 250
    assert {key: row["body_mass_g"] for key, row in given.items()} == {
        key: row["body_mass_g"] for key, row in logged.items()
    }


def test_predictions_do_not_wait_for_batches_and_a_full_queue_says_so(client: Client) -> None:
    assert client.send(BATCH, BODIES[CSV]).status == 200
    most = WORKERS + WAITING
    answers = client.overfilled(BATCH, BODIES[CSV], CSV, most)
    assert sorted(each.status for each in answers) == [200] * most + [429]


def test_the_documentation_has_the_formats_and_how_a_batch_is_refused(client: Client) -> None:
    _, document = client.get("/openapi.json")
    operation = document["paths"][BATCH]["post"]
    assert {CSV, LINES, PARQUET} <= set(operation["requestBody"]["content"])
    assert {CSV, LINES, PARQUET} <= set(operation["responses"]["200"]["content"])
    row = operation["responses"]["200"]["content"][LINES]["schema"]["$ref"].rpartition("/")[2]
    assert "prediction_set" in document["components"]["schemas"][row]["properties"]
    assert {"406", "413", "415", "422", "429"} < set(operation["responses"])
