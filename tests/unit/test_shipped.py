"""The use cases that ship decide by the figures of the systems that they stand in for.

Belongs here: numbers and names that somebody compares with an older system, in one place. Does not
belong here: what they do.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from leeway.drift.distances import quantile_bins
from leeway.metrics.formulas import NEAR_PERCENT
from leeway.spec import Drift, UseCase, as_timedelta
from leeway.training import imputation
from leeway.training.candidates import SPACES, tuned_defaults
from leeway.training.preprocessing import imputer
from orchestration.schedules import CRON
from orchestration.use_cases import load_use_cases
from resources.settings import PROJECT, Settings

USE_CASES = load_use_cases()
HOUSING, REAL_ESTATE, CHURN = (USE_CASES[name] for name in ("housing", "real_estate", "churn"))


def names(use_case: UseCase, kind: str) -> list[str]:
    return [feature.name for feature in use_case.features if feature.kind == kind]


def test_the_five_use_cases_ship() -> None:
    tasks = {name: use_case.task for name, use_case in USE_CASES.items()}
    assert (
        tasks
        | {
            "churn": "classification",
            "housing": "regression",
            "penguins": "classification",
            "real_estate": "regression",
            "tool_life": "experiment",
        }
        == tasks
    )


@pytest.mark.parametrize("name", ["penguins", "housing", "real_estate", "churn"])
def test_a_fifth_is_held_out_and_seeds_are_42(name: str) -> None:
    use_case = USE_CASES[name]
    assert (use_case.split.test, use_case.split.seed, use_case.search.seed) == (0.2, 42, 42)


def test_housing_compares_four_imputations_on_a_fifth_of_the_training_part() -> None:
    assert HOUSING.imputation.number == "auto"
    assert imputation.STRATEGIES == ("median", "mean", "knn", "iterative")
    assert imputation.SHARE_MASKED == 0.2
    assert imputer("knn", 0).n_neighbors == 5


def test_housing_compares_5_to_15_clusters_of_places_by_silhouette() -> None:
    (place,) = (feature for feature in HOUSING.features if feature.kind == "clusters")
    assert place.of == ("longitude", "latitude")
    assert not isinstance(place.k, int)
    assert (place.k.low, place.k.high, place.choose) == (5, 15, "silhouette")
    assert "bedrooms_per_room" in names(HOUSING, "ratio")


def test_housing_compares_the_five_families_and_boosted_trees_in_five_folds() -> None:
    five = {"ridge", "lasso", "decision_tree", "random_forest", "gradient_boosting"}
    assert set(HOUSING.candidates) == five | {"xgboost"}
    assert (HOUSING.search.folds, HOUSING.metric) == (5, "mae")
    assert HOUSING.target.name == "median_house_value"
    assert NEAR_PERCENT == (5, 10, 15)


def test_housing_tunes_the_winner_in_fifty_trials() -> None:
    assert HOUSING.search.trials == 50
    of_a_forest = set(tuned_defaults("random_forest"))
    assert of_a_forest >= {"max_depth", "min_samples_leaf", "max_features"}


def test_housing_knows_the_ranges_and_places_of_its_original() -> None:
    ranges = {column.name: column.range for column in HOUSING.feature_columns}
    assert ranges.pop("longitude") == (-180, 180)
    assert ranges.pop("latitude") == (-90, 90)
    assert ranges.pop("ocean_proximity") is None
    assert set(ranges.values()) == {(0, None)}
    values = {"<1H OCEAN", "INLAND", "ISLAND", "NEAR BAY", "NEAR OCEAN"}
    assert set(HOUSING.column("ocean_proximity").values or ()) == values
    assert HOUSING.monitoring.segments == ("ocean_proximity",)


def test_real_estate_keeps_the_gates_and_the_derived_features_of_its_original() -> None:
    gates = {gate.metric: (gate.at_least, gate.at_most) for gate in REAL_ESTATE.gates}
    assert gates == {"r2": (0.35, None), "rmse": (None, 700_000)}
    assert {feature.name for feature in REAL_ESTATE.features} == {
        "bed_bath_interaction", "size_per_bed", "size_per_bath", "total_rooms",
        "lot_to_house_ratio",
    }  # fmt: skip
    assert REAL_ESTATE.column("state").encoding == "target_mean"
    assert REAL_ESTATE.search.trials == 20


def test_the_price_of_a_house_is_no_input_that_may_drift() -> None:
    features = {column.name for column in REAL_ESTATE.feature_columns}
    assert {"bed", "bath", "acre_lot", "house_size"} <= features
    assert REAL_ESTATE.target.name == "price"
    assert "price" not in features


def test_churn_has_its_cadences_its_key_and_its_shadow() -> None:
    schedules = CHURN.schedules.model_dump()
    assert schedules == {
        "quality": "daily", "scoring": "daily", "monitoring": "weekly", "training": "monthly",
    }  # fmt: skip
    assert set(CRON) == set(schedules.values())
    assert CHURN.key.name == "customer_id"
    assert [gate.metric for gate in CHURN.gates if gate.if_broken == "hold"] == ["positive_pr_auc"]


def test_penguins_come_from_a_package_and_are_explained_by_five_neighbours() -> None:
    source = USE_CASES["penguins"].source
    assert (source.kind, USE_CASES["penguins"].explanation.neighbours) == ("package", 5)
    assert USE_CASES["penguins"].target.name == "species"


def test_what_is_tuned_of_xgboost() -> None:
    assert set(SPACES) >= set(HOUSING.candidates)
    assert set(tuned_defaults("xgboost")) == {
        "n_estimators", "max_depth", "learning_rate", "subsample", "colsample_bytree",
        "min_child_weight", "reg_lambda", "reg_alpha",
    }  # fmt: skip


def test_psi_has_ten_bins_and_drift_needs_thirty_rows() -> None:
    import numpy as np

    assert set(quantile_bins(np.ones(1000, np.int64)).tolist()) == set(range(10))
    assert Drift().min_rows == 30


@pytest.mark.parametrize("name", load_use_cases())
def test_what_is_read_of_a_use_case_has_a_contract_with_a_type_for_each_column(name: str) -> None:
    """The second net of D1: dbt builds no table of other columns, whatever came before it."""
    marts = PROJECT / "dbt_project" / "models" / name / "marts"
    assert "contract={'enforced': true}" in (marts / f"{name}_clean.sql").read_text()
    (model,) = yaml.safe_load((marts / "_marts.yml").read_text())["models"]
    assert model["name"] == f"{name}_clean"
    assert [each["name"] for each in model["columns"] if not each.get("data_type")] == []
    (key,) = (e for e in model["columns"] if e["name"] == load_use_cases()[name].key.name)
    assert {"type": "not_null"} in key["constraints"]


@pytest.mark.parametrize("name", load_use_cases())
def test_dbt_and_defs_yaml_agree_on_how_old_a_source_may_be(name: str) -> None:
    """Of a source without freshness, both say nothing."""
    models = PROJECT / "dbt_project" / "models" / name
    (source,) = yaml.safe_load((models / "staging" / "_sources.yml").read_text())["sources"]
    configs = [source, *source["tables"], *(t.get("config", {}) for t in source["tables"])]
    found = [
        {state: timedelta(**{f"{of['period']}s": of["count"]}) for state, of in declared.items()}
        for declared in (config.get("freshness") for config in configs)
        if declared
    ]
    policy = USE_CASES[name].freshness
    after = {} if policy is None else {"warn": policy.warn_after, "error": policy.fail_after}
    expected = {f"{state}_after": as_timedelta(length) for state, length in after.items()}
    assert found == ([expected] if expected else [])


def test_state_secrets_and_products_stay_out_of_git() -> None:
    ignored = (PROJECT / ".gitignore").read_text().split()
    home = Settings.model_fields["home"].default
    assert isinstance(home, Path)
    assert f"/{home.relative_to(PROJECT)}/" in ignored
    assert {"/.env", "/mlruns/", "/mlartifacts/", "/dbt_project/target/"} <= set(ignored)


def test_what_is_pushed_or_proposed_is_verified_by_the_verbs_that_people_use() -> None:
    workflow = yaml.safe_load((PROJECT / ".github/workflows/ci.yml").read_text())
    triggers = workflow[True]  # YAML reads `on` as a boolean
    assert set(triggers) == {"push", "pull_request"}
    steps = [
        step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step
    ]
    assert steps == [".ci/run", "make demo", ".venv/bin/leeway check"]
    # Without an init, a server that was killed stays in the list of processes for ever.
    options = [job["container"]["options"] for job in workflow["jobs"].values()]
    assert all("--init" in each for each in options)
    verified = (PROJECT / ".ci/run").read_text()
    assert "\nmake check\n" in verified
    assert "\nmake test\n" in verified


def test_what_is_installed_is_what_was_locked() -> None:
    assert '"$$uv" sync --frozen' in (PROJECT / "Makefile").read_text()
    assert (PROJECT / "uv.lock").stat().st_size > 100_000
