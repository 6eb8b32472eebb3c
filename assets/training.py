"""Stages `model_selection` and `tuned_model`: decisions by cross-validation on the training part.

Belongs here: reading the training part, calling the search, storing its choices and the fitted
pipeline. Does not belong here: the search (`leeway.training`). The test part is not read here.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg

from assets.choices import pictures_of, tables_of
from assets.stage import Stage, begin, give_back_memory, metadata_of, png
from assets.training_set import read_part
from leeway.data.frames import feature_frame, target_array
from leeway.data.training_set import TRAIN
from leeway.digests import canonical_json
from leeway.spec import unit_of
from resources.origin import git_commit, user_name
from resources.platform import Platform


def build_selection(stage: Stage) -> dg.AssetsDefinition:
    """The asset `model_selection` of a use case."""

    @stage.asset(
        "model_selection",
        "One row per candidate algorithm with its scores in cross-validation, how far it is behind "
        "the best with the standard error, and the winner: the cheapest within that error.",
        "scikitlearn",
    )
    def model_selection(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> dg.MaterializeResult[None]:
        from leeway.plots import candidate_plot
        from leeway.training.decisions import decide, settle
        from leeway.training.search import behind_best, best_candidate, compare_candidates

        started = time.monotonic()
        work = begin(stage, platform, context, "model_selection")
        rows = read_part(work, TRAIN)
        frame, target = feature_frame(rows, stage.use_case), target_array(rows, stage.use_case)
        del rows
        give_back_memory()  # for the fit
        with refusals(stage):
            decided = decide(frame, target, stage.use_case)
            settled = settle(stage.use_case, decided.choices)
            scores = compare_candidates(frame, target, settled)
        winner = best_candidate(scores, stage.use_case.metric)
        behind = behind_best(scores, stage.use_case.metric)
        unit = unit_of(stage.use_case.metric, stage.use_case.target.unit)
        choice = {
            "metric": stage.use_case.metric,
            "winner": winner.name,
            **decided.as_dict(),
            "candidates": [
                {
                    "name": score.name,
                    "mean": score.mean,
                    "std": score.std,
                    "train_mean": score.train_mean,
                    "folds": list(score.folds),
                    "rows": score.rows,
                    "behind": behind.get(score.name),
                    "error": score.error,
                }
                for score in scores
            ],
        }
        commit = work.commit(
            "models",
            "json",
            canonical_json(choice),
            rows=len(scores),
            facts={"seconds": time.monotonic() - started},
        )
        pictures = pictures_of(decided, stage.use_case)
        platform.tracking(stage.name, context.run.run_id).log_selection(choice, pictures)
        return dg.MaterializeResult(
            metadata=metadata_of(
                commit,
                winner=winner.name,
                metric=stage.use_case.metric,
                comparison=png(candidate_plot(scores, stage.use_case.metric, unit)),
                candidates=dg.MetadataValue.json(choice["candidates"]),
                seconds={score.name: round(score.seconds, 2) for score in scores},
                **tables_of(decided),
                **{name: png(picture) for name, picture in pictures.items()},
            )
        )

    return model_selection


def build_tuned(stage: Stage) -> dg.AssetsDefinition:
    """The asset `tuned_model` of a use case."""

    @stage.asset(
        "tuned_model",
        "The winner with the parameters that Optuna found, fitted on the training part.",
        "scikitlearn",
        "optuna",
    )
    def tuned_model(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> dg.MaterializeResult[None]:
        from leeway.training.decisions import settle
        from leeway.training.model_file import save_model
        from leeway.training.readable import parameters_yaml
        from leeway.training.search import fit_final, tune

        started = time.monotonic()
        work = begin(stage, platform, context, "tuned_model")
        rows = read_part(work, TRAIN)
        frame, target = feature_frame(rows, stage.use_case), target_array(rows, stage.use_case)
        del rows
        give_back_memory()  # for the fit
        selection = work.read_json("model_selection")
        winner, choices = selection["winner"], selection["choices"]
        settled = settle(stage.use_case, choices)
        study_name = f"{stage.name}/{work.input_digest}"
        with refusals(stage):
            tuned = tune(
                frame,
                target,
                settled,
                winner,
                storage=platform.optuna_storage(),
                study_name=study_name,
                on_trial=lambda trial: context.log.info(
                    "trial %(number)s: %(state)s, value %(value)s", trial
                ),
            )
        pipeline = fit_final(frame, target, settled, winner, tuned.parameters)
        readable = parameters_yaml(tuned, stage.use_case, len(frame), choices)
        result = {
            "algorithm": winner,
            "parameters": tuned.parameters,
            "choices": choices,
            "metric": stage.use_case.metric,
            "value": tuned.value,
            "default_value": tuned.default_value,
            "chosen": tuned.chosen,
            "gain": tuned.gain,
            "gain_error": tuned.gain_error,
            "trials": list(tuned.trials),
            "training_key": work.input_digest,
            "classes": class_names(pipeline),
            "model": work.put("models", "skops", save_model(pipeline)),
            "best_params": work.put("models", "yaml", readable.encode()),
        }
        commit = work.commit(
            "models",
            "json",
            canonical_json(result),
            rows=len(tuned.trials),
            facts={
                "seconds": time.monotonic() - started,
                "git_commit": git_commit(),
                "user": user_name(),
            },
        )
        platform.tracking(stage.name, context.run.run_id).log_tuning(result, frame.shape, readable)
        return dg.MaterializeResult(
            metadata=metadata_of(
                commit,
                algorithm=winner,
                parameters=dg.MetadataValue.json(tuned.parameters),
                best_params=dg.MetadataValue.md(f"```yaml\n{readable}```"),
                score_in_cross_validation=tuned.value,
                score_of_defaults=tuned.default_value,
                gain_over_defaults=tuned.gain,
                standard_error_of_gain=tuned.gain_error,
                chosen_trial=tuned.chosen,
                trials=dg.MetadataValue.json(list(tuned.trials)),
                optuna_study=study_name,
            )
        )

    return tuned_model


def class_names(pipeline: Any) -> list[str] | None:
    """Classes in the order of the probabilities; None for a regression."""
    classes = getattr(pipeline, "classes_", None)
    return None if classes is None else [str(name) for name in classes]


@contextmanager
def refusals(stage: Stage) -> Iterator[None]:
    """Turns what the search refuses into a failure of the step that reads as one sentence."""
    from leeway.training.search import NoCandidate, TooFewRows

    try:
        yield
    except (NoCandidate, TooFewRows) as error:
        raise dg.Failure(f"{stage.name}: {error}", allow_retries=False) from error
