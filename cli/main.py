"""The verbs of `leeway`: their arguments and help.

Belongs here: one short function per verb that hands over to its module. Nothing heavy is imported
before a verb is chosen.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Literal

import click

from cli.collector import rest_while_importing
from cli.output import Verbs, emit

JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
HIGHEST_PORT = 65_531  # the services beside the UI have the ports after it


class UseCaseName(click.ParamType[str]):
    """The name of a use case; where it is missing, the usage says which there are."""

    name = "name"

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:
        """What there is to choose from."""
        from orchestration.use_cases import use_case_names

        return f"The use cases are: {', '.join(use_case_names()) or 'none'}"


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="leeway")
def cli() -> None:
    """One YAML file per use case becomes an asset graph: data, checks, drift, models, releases.

    Example: leeway demo
    """


@cli.command()
@JSON
def demo(as_json: bool) -> None:
    """Materialize five use cases that ship, and print what came out.

    Example: leeway demo
    """
    from cli.demo import demo as carry_out

    raise SystemExit(carry_out(as_json))


@cli.command()
@click.option(
    "--port",
    type=click.IntRange(1, HIGHEST_PORT),
    default=3000,
    show_default=True,
    help="Port of the Dagster UI; dbt docs, MLflow, service and dashboard have those after it.",
)
def dev(port: int) -> None:
    """Serve the Dagster UI, the service and the dashboard.

    The Dagster daemon, the dbt docs and MLflow's UI are beside them, all on 127.0.0.1. Ctrl-C ends
    all.

    Example: leeway dev
    """
    from cli.dev import dev as carry_out

    raise SystemExit(carry_out(port))


@cli.command()
@click.argument("name", type=UseCaseName())
@click.option("--batch", help="Materialize this batch only.")
@click.option("--select", help="Materialize these nodes only, separated by commas.")
@click.option("--all", "everything", is_flag=True, help="Also what is up to date.")
@JSON
def run(name: str, batch: str | None, select: str | None, everything: bool, as_json: bool) -> None:
    """Materialize what is missing or stale in a use case.

    Example: leeway run penguins --select drift --batch 2009
    """
    from cli.run import run as carry_out

    report = carry_out(name, batch=batch, select=select, everything=everything)
    if as_json:
        emit(report.as_dict())
    raise SystemExit(0 if report.status == "success" else 1)


@cli.command()
@click.argument("name")
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path),
    help="CSV, TSV, JSON lines, Parquet or Excel.",
)
@click.option("--target", required=True, help="Column to predict.")
@click.option("--key", help="Column that identifies a row; found or made when not given.")
@click.option("--time", help="Column that says when a row is from.")
@JSON
def new(
    name: str, data: Path, target: str, key: str | None, time: str | None, as_json: bool
) -> None:
    """Make a use case from a file: its YAML and its dbt models.

    Says what it assumed. What is there already is never written over.

    Example: leeway new churn2 --data my.csv --target churned
    """
    from cli.new import new as carry_out

    report = carry_out(name, data, target, key, time)
    if as_json:
        emit(report.as_dict())
    raise SystemExit(1 if report.kept else 0)


@cli.command()
@click.argument("name", required=False)
@JSON
def status(name: str | None, as_json: bool) -> None:
    """Say what is known of each use case, or of one.

    Its champion, metrics, last batch, drift, freshness, checks and last run.

    Example: leeway status penguins --json
    """
    from cli.status import (
        decisions_of,
        print_status,
        print_trials,
        status_of,
        waiting_versions,
    )

    found = status_of(name)
    if as_json:
        emit(found)
    else:
        names = found["use_cases"]
        print_status(found, waiting_versions(names), decisions_of(names))
        print_trials(names)


@cli.command()
@click.argument("name", required=False)
@JSON
def check(name: str | None, as_json: bool) -> None:
    """Run the asset checks; exit 1 if any of severity ERROR fails.

    Of NAME, or of every use case that was materialized; exit 1 also if nothing was.

    Example: leeway check penguins
    """
    from cli.check import check as carry_out

    raise SystemExit(carry_out(name, as_json))


@cli.command()
@click.argument("reference", type=click.Path(path_type=Path))
@click.argument("current", type=click.Path(path_type=Path))
@JSON
def drift(reference: Path, current: Path, as_json: bool) -> None:
    """Say whether CURRENT has drifted from REFERENCE.

    Both are files: Parquet, CSV, TSV, JSON lines or Excel. No project is needed.

    Example: leeway drift january.parquet february.parquet
    """
    from cli.drift import drift as carry_out

    carry_out(reference, current, as_json)


@cli.command()
@click.argument("name", type=UseCaseName())
@click.option(
    "--columns",
    type=click.IntRange(1, 10),
    default=1,
    show_default=True,
    help="How many columns each fault is tried in, the most important ones first.",
)
@click.option("--fault", multiple=True, help="This fault only; may be given several times.")
@JSON
def rehearse(name: str, columns: int, fault: tuple[str, ...], as_json: bool) -> None:
    """Plant data faults into a private copy, and say what caught them.

    Trains a quick model on the batches that there are, then plants each fault into a copy of the
    last one and runs the graph: which check caught it, after how many rows, and how many rows with
    the fault reached a prediction. Nothing of the installation is changed.

    Exits 0 when the rehearsal took place, also when faults survived: they are what it looks for.

    Example: leeway rehearse penguins
    """
    from cli.rehearse import rehearse as carry_out

    carry_out(name, columns=columns, only=fault, as_json=as_json)


@cli.command()
@click.argument("name", type=UseCaseName())
@click.argument("version", type=click.IntRange(min=1))
@click.option("--why", default="by hand", show_default=True, help="Reason, for the ledger.")
@JSON
def promote(name: str, version: int, why: str, as_json: bool) -> None:
    """Make a version the champion.

    Example: leeway promote penguins 3 --why "approved by the biology team"
    """
    from cli.champion import promote as carry_out

    carry_out(name, version, why, as_json)


@cli.command()
@click.argument("name", type=UseCaseName())
@click.option("--why", default="by hand", show_default=True, help="Reason, for the ledger.")
@JSON
def rollback(name: str, why: str, as_json: bool) -> None:
    """Give the championship back to the version that had it before.

    Example: leeway rollback penguins --why "complaints since this morning"
    """
    from cli.champion import rollback as carry_out

    carry_out(name, why, as_json)


@cli.command()
@click.argument("name", type=UseCaseName())
@click.option(
    "--policy",
    type=click.Path(path_type=Path),
    help="YAML with the blocks drift and retraining; what it leaves out is today's.",
)
@click.option("--refit", is_flag=True, help="Train at each retrain, in place of recorded models.")
@click.option("--change", multiple=True, help="Batch that is known to have changed; repeatable.")
@click.option("--plot", type=click.Path(path_type=Path), help="Write the picture to this PNG.")
@click.option("--on-node", is_flag=True, help="Show the picture on the node release in Dagster.")
@JSON
def backtest(
    name: str,
    policy: Path | None,
    refit: bool,
    change: tuple[str, ...],
    plot: Path | None,
    on_node: bool,
    as_json: bool,
) -> None:
    """Replay the batches of a use case under another policy.

    Says what it would have alarmed, trained, promoted and cost beside today's. Trains and releases
    nothing.

    Example: leeway backtest churn --policy calmer.yaml --refit
    """
    from cli.backtest import backtest as carry_out

    carry_out(name, policy, as_json, refit=refit, changes=change, plot=plot, on_node=on_node)


@cli.command()
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    default=8000,
    envvar="PORT",
    show_default=True,
    help="Port of the service; the variable PORT says it, too.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; any but this machine's own needs keys (`leeway keys new`).",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes that answer; each holds every release.",
)
def serve(port: int, host: str, workers: int) -> None:
    """Serve the champions of all use cases.

    What becomes champion later is served without a restart. /docs has the documentation.

    Example: leeway serve --port 8000
    """
    from cli.serve import serve as carry_out

    raise SystemExit(carry_out(host, port, workers))


@cli.group(cls=Verbs)
def keys() -> None:
    """Make, list and revoke the keys of the prediction service.

    A service that runs takes a new key, and refuses a revoked one, within a second.

    Example: leeway keys new --scope predict
    """


@keys.command(name="new")
@click.option(
    "--scope",
    type=click.Choice(["predict", "admin"]),
    default="predict",
    show_default=True,
    help="admin also moves champions, and reads history and why.",
)
@click.option("--name", default="", help="Whose key it is, for the list.")
@JSON
def new_key(scope: Literal["predict", "admin"], name: str, as_json: bool) -> None:
    """Make a key and print it, this once.

    Example: leeway keys new --scope predict --name dashboard
    """
    from cli.keys import new as carry_out

    carry_out(scope, name, as_json)


@keys.command(name="list")
@JSON
def list_keys(as_json: bool) -> None:
    """List the keys that are valid.

    Example: leeway keys list
    """
    from cli.keys import listed

    listed(as_json)


@keys.command(name="revoke")
@click.argument("identity", metavar="ID")
@JSON
def revoke_key(identity: str, as_json: bool) -> None:
    """End a key.

    Example: leeway keys revoke 0123456789ab
    """
    from cli.keys import revoke

    revoke(identity, as_json)


@cli.command()
@click.argument("about", type=UseCaseName(), metavar="NAME[@VERSION] | PREDICTION")
@click.option("--batch", help="Tell where this batch came from, and what rests on it.")
@JSON
def why(about: str, batch: str | None, as_json: bool) -> None:
    """Say why a model is as it is, from recorded facts alone.

    Why it was trained, on what, how it was chosen and judged, who made it champion, what happened
    since, and why it is not trained again; without a version, the champion, or why there is none.
    Of a prediction of a batch, called NAME/BATCH/KEY, where it came from. Each statement says what
    it rests on; what was not recorded is unknown.

    Example: leeway why penguins@2
    """
    from cli.why import why as carry_out

    carry_out(about, batch, as_json)


@cli.command()
@JSON
def doctor(as_json: bool) -> None:
    """Say what is wrong with the installation and how to mend it.

    Changes nothing. Exits 1 if anything is missing or misconfigured.

    Example: leeway doctor
    """
    from cli.doctor import doctor as carry_out

    raise SystemExit(carry_out(as_json))


def main() -> None:
    """Entry point of the console script."""
    rest_while_importing()
    if not sys.warnoptions:  # what libraries say to their developers is not for the person here
        warnings.simplefilter("ignore")
    cli(prog_name="leeway")


if __name__ == "__main__":
    main()
