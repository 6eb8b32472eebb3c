"""The dashboard's pages over a real service: what people see and do.

Belongs here: the pages as Streamlit runs them. Does not belong here: how a browser shows them
(docs/pictures), or the answers of the service (tests/service/test_serve.py).
"""

from __future__ import annotations

import shutil

import pytest
from streamlit.testing.v1 import AppTest

from resources.ledger import Ledger
from tests.installed import Complete
from tests.project_copy import NAME
from tests.service.pages import drawn, opened
from tests.service.rivals import Rivals, good
from tests.service.service import Client, new_key, ready

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def shown(client: Client, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The first page, with the use case of the tests chosen."""
    monkeypatch.setenv("LEEWAY_API_URL", f"http://127.0.0.1:{client.port}")
    return opened()


def page(shown: AppTest, name: str) -> AppTest:
    shown.sidebar.radio[0].set_value(name).run()
    assert not shown.exception
    return shown


def submit(shown: AppTest, label: str) -> AppTest:
    next(each for each in shown.button if each.label == label).click().run()
    assert not shown.exception
    return shown


def say_why(shown: AppTest) -> None:
    next(each for each in shown.text_input if each.label == "Why").set_value("a test")


def test_the_form_asks_for_each_input_and_predicts_its_example(
    shown: AppTest, client: Client
) -> None:
    assert not shown.exception
    _, model = client.get(f"/api/v1/{NAME}/model")
    fields = [*shown.number_input, *shown.selectbox]
    labels = " ".join(each.label for each in fields)
    assert all(each["name"] in labels for each in model["inputs"])
    example = {each["name"]: each["example"] for each in model["inputs"]}
    _, answer = client.post(f"/api/v1/{NAME}/predict", {"instances": [example]})
    submit(shown, "Predict")
    assert shown.metric[0].value == answer["predictions"][0]["prediction"]
    assert "version" not in shown.metric[0].value
    assert answer["release"][:19] in shown.caption[-1].value


def test_a_number_that_the_model_does_not_know_is_warned_of(shown: AppTest) -> None:
    mass = next(each for each in shown.number_input if "body_mass_g" in each.label)
    mass.set_value(9000.0)
    submit(shown, "Predict")
    assert "outside of what the model was trained on" in shown.warning[0].value


def test_the_values_of_a_category_are_compared_side_by_side(shown: AppTest) -> None:
    page(shown, "Compare")
    submit(shown, "Compare")
    (table,) = shown.dataframe
    islands = set(table.value["island"])
    assert islands == {"Biscoe", "Dream", "Torgersen"}


def test_a_prediction_is_explained_and_shown_among_its_neighbours(shown: AppTest) -> None:
    page(shown, "Explain")
    submit(shown, "Explain")
    _, (bars,), places = drawn(shown)
    assert {"body_mass_g", "island"} <= {each["input"] for each in bars}
    assert sorted(len(each) > 200 for each in places) == [False, True], "it, and where it is among"
    assert len(shown.dataframe[0].value) == 5, "the nearest rows"
    assert shown.metric[-1].label == "of them agree"


def test_why_shows_statements_with_what_they_rest_on(shown: AppTest) -> None:
    page(shown, "Why")
    topics = " ".join(each.value for each in shown.markdown)
    assert "trained because" in topics
    assert "champion" in topics
    assert any("sha256:" in each.value for each in shown.caption)


def test_releases_are_listed_and_a_move_needs_a_reason(shown: AppTest) -> None:
    page(shown, "Releases")
    assert shown.metric[0].value == "version 1"
    submit(shown, "Promote this version")
    assert shown.error[0].value.startswith("Say why")
    say_why(shown)
    submit(shown, "Promote this version")
    assert "champion already" in shown.success[0].value
    say_why(shown)
    submit(shown, "Roll back to the version before")
    assert "nothing to return to" in shown.error[0].value


def moved(shown: AppTest, button: str) -> str:
    """What a try to move the champion was told."""
    say_why(shown)
    submit(shown, button)
    told = [each.value for each in shown.success] + [each.value for each in shown.error]
    assert len(told) == 1
    return str(told[0])


def test_where_keys_are_asked_for_an_admin_moves_the_champion_and_nobody_else(
    client: Client, installed: Complete, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`client` was started before there was a key. The session keeps a key, and nothing else."""
    rivals = Rivals(installed)
    second = rivals.release(good).version
    texts = {scope: new_key(installed, scope)[1] for scope in ("predict", "admin")}
    try:
        with ready(installed) as closed:
            monkeypatch.setenv("LEEWAY_API_URL", f"http://127.0.0.1:{closed.port}")
            shown = opened()
            assert "Give a key" in shown.error[0].value
            assert not shown.sidebar.selectbox, "nothing is shown"
            (field,) = shown.sidebar.text_input
            assert field.proto.type == field.proto.PASSWORD
            field.set_value(texts["predict"]).run()
            page(shown, "Releases")
            refused = "Give a key with the right to this in the side bar"
            assert refused in moved(shown, "Promote this version")
            assert refused in moved(shown, "Roll back to the version before")
            assert rivals.champion().version == 1
            shown.sidebar.text_input[0].set_value(texts["admin"]).run()
            page(shown, "Why")
            page(shown, "Releases")
            next(e for e in shown.selectbox if e.label == "Version").set_value(second)
            assert f"version {second}" in moved(shown, "Promote this version")
            assert rivals.champion().version == second
            assert "version 1" in moved(shown, "Roll back to the version before")
            assert rivals.champion().version == 1
            assert "Give a key" in opened().error[0].value, "another session has none"
            _, found = client.get(f"/api/v1/{NAME}/releases")
            assert [each["action"] for each in found["moves"][:2]] == ["rollback", "promote"]
    finally:
        shutil.rmtree(installed.home / "keys")


def test_batches_show_their_drift_and_their_metrics(shown: AppTest) -> None:
    page(shown, "Data, drift and performance")
    assert [each.label for each in shown.metric][:2] == [
        "Predictions in 24 hours", "95th percentile of their time"
    ]  # fmt: skip
    assert "Drift of each column" in [each.value for each in shown.subheader]
    (tiles,) = drawn(shown)[-1]
    assert {each["column"] for each in tiles} >= {"body_mass_g", "island"}
    assert {each["state"] for each in tiles} == {"none"}
    assert all(0 <= each["distance"] <= 1 for each in tiles)
    table = shown.dataframe[0].value
    assert list(table["batch"])
    assert set(table["drift"]) <= {"none", "suspect", "confirmed", "undefined", "not looked at"}


def test_what_was_chosen_stays_when_another_use_case_appears(
    client: Client, installed: Complete, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sensor may find the first batch of another one while somebody reads."""
    ledger = Ledger(Rivals(installed).settings)
    ledger.register_batches("zebras", ["2011"])
    monkeypatch.setenv("LEEWAY_API_URL", f"http://127.0.0.1:{client.port}")
    shown = opened()
    shown.sidebar.selectbox[0].set_value("zebras").run()
    try:
        ledger.register_batches("aardvarks", ["2011"])
        page(shown, "Releases")
        assert shown.sidebar.selectbox[0].options == ["aardvarks", NAME, "zebras"]
        assert shown.sidebar.selectbox[0].value == "zebras"
    finally:
        ledger.forget_batches("zebras", [])
        ledger.forget_batches("aardvarks", [])


def test_without_a_service_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEEWAY_API_URL", "http://127.0.0.1:9")
    found = opened()
    assert not found.exception
    assert "leeway serve" in found.error[0].value
