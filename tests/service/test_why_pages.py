"""Why a batch and a prediction are as they are, over HTTP and in the dashboard; what a page keeps.

Belongs here: what is asked about beside versions (test_why.py), and explanations that are looked
at again. Does not belong here: the statements (tests/graph/test_why.py).
"""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.faults.harness import until
from tests.installed import Complete
from tests.project_copy import NAME
from tests.service.pages import opened
from tests.service.service import PREDICT, Client

pytestmark = pytest.mark.timeout(300)
WHY = f"/api/v1/{NAME}/why"


def chosen(shown: AppTest, kind: str, label: str, value: str) -> AppTest:
    """The page once a field has the value."""
    next(each for each in getattr(shown, kind) if each.label == label).set_value(value).run()
    assert not shown.exception
    return shown


@pytest.fixture
def shown(client: Client, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("LEEWAY_API_URL", f"http://127.0.0.1:{client.port}")
    return opened()


@pytest.fixture
def prediction(client: Client, example: dict[str, Any]) -> str:
    """The id of one that is in the log."""
    _, answer = client.post(PREDICT, {"instances": [example]})
    found = str(answer["predictions"][0]["prediction_id"])
    assert until(lambda: client.get(f"{WHY}/predictions/{found}")[0] == 200, 20) is not None
    return found


def test_a_batch_a_row_of_it_and_a_prediction_are_answered_as_on_the_command_line(
    client: Client, installed: Complete, prediction: str
) -> None:
    batch = client.get(f"/api/v1/{NAME}/batches")[1]["batches"][-1]["batch"]
    status, told = client.get(f"{WHY}/batches/{batch}")
    assert (status, told) == (200, installed.leeway("why", NAME, "--batch", batch, "--json").json)
    status, told = client.get(f"{WHY}/predictions/{uuid.UUID(prediction)}")
    assert (status, told["use_case"], told["version"]) == (200, NAME, 1)
    assert told == installed.leeway("why", prediction, "--json").json
    status, told = client.get(f"{WHY}/batches/{batch}?key=no/such%20row")
    assert (status, "no/such row" in told["detail"] or "no predictions" in told["detail"]) == (
        404,
        True,
    )
    status, told = client.get(f"{WHY}/batches/nosuch")
    assert (status, f"{NAME} has no batch 'nosuch'" in told["detail"]) == (404, True)
    status, told = client.get(f"/api/v1/houses/why/predictions/{prediction}")
    assert (status, f"that prediction is of {NAME}" in told["detail"]) == (404, True)
    assert client.get(f"{WHY}/predictions/{uuid.uuid4().hex}")[0] == 404


def test_the_page_answers_for_batches_and_predictions(shown: AppTest, prediction: str) -> None:
    shown.sidebar.radio[0].set_value("Why").run()
    chosen(shown, "radio", "About", "a batch")
    told = " ".join(each.value for each in shown.markdown)
    assert "clean rows, committed" in told
    chosen(shown, "radio", "About", "a prediction")
    assert not shown.error
    chosen(shown, "text_input", "Prediction", prediction)
    assert "Version 1 said" in " ".join(each.value for each in shown.markdown)
    chosen(shown, "text_input", "Prediction", "nonsense")
    assert shown.error[0].value


def test_an_explanation_stays_when_another_class_is_looked_at(shown: AppTest) -> None:
    shown.sidebar.radio[0].set_value("Explain").run()
    next(each for each in shown.button if each.label == "Explain").click().run()
    classes = next(each for each in shown.selectbox if each.label == "For")
    other = next(each for each in classes.options if each != classes.value)
    chosen(shown, "selectbox", "For", other)
    assert "The nearest rows that the model was trained on" in [e.value for e in shown.subheader]
    assert f"of {other}, by" in " ".join(each.value for each in shown.caption)
