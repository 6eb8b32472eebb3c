"""The number of clusters is chosen on the training part's folds, and found again where planted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError
from sklearn.cluster import KMeans
from sklearn.metrics import davies_bouldin_score, silhouette_score

from leeway.choice_plots import cluster_error_plot, elbow_plot, silhouette_plot
from leeway.digests import canonical_json
from leeway.spec import ClusterFeature, UseCase
from leeway.training import clusters
from leeway.training.clusters import compare_clusters
from leeway.training.decisions import decide, settle
from leeway.training.folds import cross_validation_folds
from leeway.training.preprocessing import build_preprocessor
from leeway.training.search import compare_candidates

ROWS = 600
PLANTED = 6


def places(**feature: Any) -> UseCase:
    def column(name: str, role: str = "feature") -> dict[str, str]:
        return {"name": name, "type": "number", "role": role, "description": "."}

    attributes = {
        "title": "Places",
        "task": "regression",
        "source": {"kind": "file", "path": "places.csv"},
        "columns": [
            column("number", "key") | {"type": "integer"},
            column("price", "target"),
            column("longitude"),
            column("latitude"),
        ],
        "features": [
            {"kind": "clusters", "name": "place", "of": ["longitude", "latitude"]}
            | {"k": {"from": 3, "to": 9}}
            | feature
        ],
        "search": {"folds": 3, "candidates": ["ridge"]},
    }
    return UseCase.model_validate(attributes)


def towns(rows: int = ROWS) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """Six towns around a ring, 20 of their own radii apart; a town decides the price."""
    random = np.random.default_rng(2)
    town = random.integers(0, PLANTED, rows)
    angle = 2 * np.pi * town / PLANTED
    points = 10 * np.column_stack([np.cos(angle), np.sin(angle)])
    points += random.normal(0, 0.5, points.shape)
    price = np.array([100.0, 900.0, 300.0, 700.0, 200.0, 800.0])[town]
    return pd.DataFrame(points, columns=["longitude", "latitude"]), price


def test_the_planted_number_of_clusters_is_found() -> None:
    (found,) = compare_clusters(*towns(), places())
    assert (found.k, found.reason, found.model) == (PLANTED, None, None)
    assert [score.k for score in found.scores] == list(range(3, 10))
    by_k = {score.k: score for score in found.scores}
    assert (by_k[PLANTED].silhouette or 0) > 0.85
    assert (by_k[PLANTED].davies_bouldin or 9) == min(s.davies_bouldin or 9 for s in found.scores)
    assert by_k[5].inertia > 5 * by_k[6].inertia  # the elbow
    assert canonical_json(found.as_dict())


def test_the_figures_are_those_of_rows_that_the_centres_were_not_made_from() -> None:
    frame, price = towns(90)
    frame += np.random.default_rng(0).normal(0, 4, frame.shape)
    (found,) = compare_clusters(frame, price, places())
    by_hand = []
    for fit, judged in cross_validation_folds(price, places()):
        mean, std = frame.iloc[fit].mean(), frame.iloc[fit].std(ddof=0)
        seen, others = (((frame.iloc[rows] - mean) / std).to_numpy() for rows in (fit, judged))
        kmeans = KMeans(4, n_init=3, random_state=42).fit(seen)
        nearest = kmeans.predict(others)
        by_hand.append(
            (
                silhouette_score(others, nearest),
                davies_bouldin_score(others, nearest),
                (kmeans.transform(others).min(axis=1) ** 2).mean(),
            )
        )
    four = found.scores[1]
    silhouette, davies_bouldin, inertia = np.mean(by_hand, axis=0)
    assert four.silhouette == pytest.approx(silhouette)
    assert four.silhouette_std == pytest.approx(np.std([s for s, _, _ in by_hand], ddof=1))
    assert four.davies_bouldin == pytest.approx(davies_bouldin)
    assert four.inertia == pytest.approx(inertia)


def test_by_error_the_number_that_serves_the_model_is_chosen_with_its_figures() -> None:
    frame, price = towns()
    (found,) = compare_clusters(frame, price, places(choose="error"))
    errors = {score.k: score.error for score in found.scores}
    assert found.model == "ridge"
    assert found.k == min(errors, key=lambda k: errors[k] or np.inf)
    settled = settle(places(choose="error"), {"clusters": {"place": 4}})
    (ridge,) = compare_candidates(frame, price, settled)
    assert errors[4] == pytest.approx(ridge.mean)
    assert all(score.silhouette is not None for score in found.scores)


def test_error_and_silhouette_can_disagree() -> None:
    """Two towns by their silhouette, but the price also changes inside them."""
    random = np.random.default_rng(4)
    longitude = np.concatenate([random.uniform(0, 1, 300), random.uniform(9, 10, 300)])
    frame = pd.DataFrame({"longitude": longitude, "latitude": random.normal(size=600) / 100})
    price = np.abs(longitude % 1 - 0.5) * 100
    ks = {"k": {"from": 2, "to": 6}, "of": ["longitude"]}
    assert compare_clusters(frame, price, places(**ks))[0].k == 2
    assert compare_clusters(frame, price, places(**ks, choose="error"))[0].k > 2


def test_the_target_has_no_part_in_a_silhouette() -> None:
    frame, price = towns()
    assert compare_clusters(frame, price, places()) == compare_clusters(frame, -price, places())


def test_the_same_rows_give_the_same_choice_and_many_rows_are_sampled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    once, twice = (compare_clusters(*towns(), places()) for _ in range(2))
    assert once == twice
    monkeypatch.setattr(clusters, "MOST_ROWS", 300)
    sampled = compare_clusters(*towns(), places())
    assert sampled != once
    assert sampled[0].k == PLANTED


def test_points_that_hardly_vary_leave_the_smallest_number_with_the_reason() -> None:
    frame, price = towns()
    (found,) = compare_clusters(frame.assign(longitude=1.0, latitude=2.0), price, places())
    assert found.k == 3
    assert "longitude, latitude hardly vary" in (found.reason or "")
    assert {score.silhouette for score in found.scores} == {None}
    assert silhouette_plot(found).startswith(b"\x89PNG")


def test_more_clusters_than_points_are_undefined_and_never_chosen() -> None:
    frame, price = towns()
    frame = frame.round(-1)  # a handful of distinct points
    distinct = len(frame.drop_duplicates())
    (found,) = compare_clusters(frame, price, places(k={"from": 2, "to": 20}))
    assert found.k <= distinct
    assert all(score.silhouette is None for score in found.scores if score.k > distinct)


def test_the_choice_takes_its_place_in_the_use_case_and_missing_places_are_filled() -> None:
    frame, price = towns()
    frame.loc[::9, "latitude"] = np.nan
    use_case = places(k={"from": 5, "to": 7})
    decisions = decide(frame, price, use_case)
    settled = settle(use_case, decisions.choices)
    chosen = decisions.choices["clusters"]["place"]
    (feature,) = settled.features
    assert isinstance(feature, ClusterFeature)
    assert feature.k == chosen
    names = build_preprocessor(settled).fit(frame).get_feature_names_out().tolist()
    assert names[2:] == [f"place#{i}" for i in range(chosen)]
    assert settle(settled, decide(frame, price, settled).choices) == settled


def test_an_open_range_is_no_pipeline_and_says_what_to_do() -> None:
    with pytest.raises(ValueError, match="place: k is a range: settle it with leeway"):
        build_preprocessor(places())


@pytest.mark.parametrize(
    ("feature", "message"),
    [
        ({"k": 1}, r"k\.number\s+Input should be greater than or equal to 2"),
        ({"k": {"from": 9, "to": 3}}, "from 9 to 3 is no range: give the smaller first"),
        ({"k": {"form": 2, "to": 5}}, "unknown name 'form'; did you mean 'from'"),
        ({"k": {"from": 2, "to": 51}}, "less than or equal to 50"),
        ({"k": 4, "choose": "error"}, "choose: error needs a range of k such as"),
    ],
)
def test_a_range_that_is_none_is_refused_with_what_is_allowed(
    feature: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        places(**feature)


def test_the_pictures_mark_the_choice_and_show_errors_only_where_they_were_asked_for() -> None:
    (silhouette,) = compare_clusters(*towns(), places())
    (error,) = compare_clusters(*towns(), places(choose="error"))
    assert cluster_error_plot(silhouette, "mae", "USD") is None
    pictures = [
        elbow_plot(silhouette),
        silhouette_plot(silhouette),
        cluster_error_plot(error, "mae", "USD"),
    ]
    assert len({picture for picture in pictures if picture}) == 3
