"""Stages `model_selection` and `tuned_model`: decisions by cross-validation on the training part.

Belongs here: reading the training part, calling the search, storing its choices and the fitted
pipeline. Does not belong here: the search (`leeway.training`). The test part is not read here.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.choices import pictures_of, tables_of
from assets.requested import begin_training
from assets.stage import Stage, Work, metadata_of, png
from assets.training_frame import training_frame
from leeway.digests import canonical_json
from leeway.spec import UseCase, unit_of
from resources.origin import git_commit, user_name
from resources.platform import Platform

if TYPE_CHECKING:
    from leeway.training.selection import Selection
    from leeway.training.tuning import TunedModel


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
        from leeway.training.selection import select

        started = time.monotonic()
        work = begin_training(stage, platform, context, "model_selection")
        frame, target = training_frame(work)
        with refusals(stage):
            found = select(frame, target, stage.use_case)
        choice = found.as_dict()
        facts = {"seconds": time.monotonic() - started}
        data, rows = canonical_json(choice), len(found.scores)
        commit = work.commit("models", "json", data, rows=rows, facts=facts)
        pictures = pictures_of(found.decided, stage.use_case)
        platform.tracking(stage.name, context.run.run_id).log_selection(choice, pictures)
        return dg.MaterializeResult(
            metadata=metadata_of(
                commit,
                winner=choice["winner"],
                metric=stage.use_case.metric,
                comparison=png(_comparison(found, stage.use_case)),
                candidates=dg.MetadataValue.json(choice["candidates"]),
                seconds={score.name: round(score.seconds, 2) for score in found.scores},
                **tables_of(found.decided),
                **{name: png(picture) for name, picture in pictures.items()},
            )
        )

    return model_selection


def _comparison(found: "Selection", use_case: UseCase) -> bytes:
    from leeway.plots import candidate_plot

    unit = unit_of(use_case.metric, use_case.target.unit)
    return candidate_plot(found.scores, use_case.metric, unit)


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
        from leeway.training.readable import parameters_yaml
        from leeway.training.search import fit_final, tune

        started = time.monotonic()
        work = begin_training(stage, platform, context, "tuned_model")
        frame, target = training_frame(work)
        selection = work.read_json("model_selection")
        winner, choices = selection["winner"], selection["choices"]
        settled = settle(stage.use_case, choices)
        name, storage, on_trial = _study_name(work), platform.optuna_storage(), _log_to(context)
        with refusals(stage):
            tuned = tune(frame, target, settled, winner, storage, name, on_trial)
        pipeline = fit_final(frame, target, settled, winner, tuned.parameters)
        readable = parameters_yaml(tuned, stage.use_case, len(frame), choices)
        result = _result(work, tuned, choices, pipeline, readable)
        seconds = time.monotonic() - started
        facts = {"seconds": seconds, "git_commit": git_commit(), "user": user_name()}
        data, rows = canonical_json(result), len(tuned.trials)
        commit = work.commit("models", "json", data, rows=rows, facts=facts)
        platform.tracking(stage.name, context.run.run_id).log_tuning(result, frame.shape, readable)
        shown = _tuning_shown(tuned, readable, name)
        return dg.MaterializeResult(metadata=metadata_of(commit, **shown))

    return tuned_model


def _study_name(work: Work) -> str:
    """Another study for each input, so that one that was cut off goes on with its own."""
    return f"{work.stage.name}/{work.input_digest}"


def _log_to(context: dg.AssetExecutionContext) -> Callable[[dict[str, Any]], None]:
    return lambda trial: context.log.info("trial %(number)s: %(state)s, value %(value)s", trial)


def _result(
    work: Work, tuned: "TunedModel", choices: dict[str, Any], pipeline: Any, readable: str
) -> dict[str, Any]:
    """What the node holds; stores the pipeline and its parameters beside it."""
    from leeway.training.model_file import save_model

    return {
        **tuned.as_dict(),
        "choices": choices,
        "metric": work.stage.use_case.metric,
        "training_key": work.input_digest,
        "classes": class_names(pipeline),
        "model": work.put("models", "skops", save_model(pipeline)),
        "best_params": work.put("models", "yaml", readable.encode()),
    }


def _tuning_shown(tuned: "TunedModel", readable: str, study_name: str) -> dict[str, Any]:
    return {
        "algorithm": tuned.name,
        "parameters": dg.MetadataValue.json(tuned.parameters),
        "best_params": dg.MetadataValue.md(f"```yaml\n{readable}```"),
        "score_in_cross_validation": tuned.value,
        "score_of_defaults": tuned.default_value,
        "gain_over_defaults": tuned.gain,
        "standard_error_of_gain": tuned.gain_error,
        "chosen_trial": tuned.chosen,
        "trials": dg.MetadataValue.json(list(tuned.trials)),
        "optuna_study": study_name,
    }


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
