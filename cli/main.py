"""The verbs of `leeway`: their arguments and help.

Belongs here: one short function per verb that hands over to its module. Nothing heavy is imported
before a verb is chosen.
"""

from __future__ import annotations

import sys
import warnings

import click

from cli.collector import rest_while_importing
from cli.output import Refusing, emit

JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group(cls=Refusing, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="leeway")
def cli() -> None:
    """One YAML file per use case becomes an asset graph: data, checks, drift, models, releases.

    Example: leeway demo
    """


@cli.command()
@JSON
def demo(as_json: bool) -> None:
    """Materialize every use case that ships, and print what came out.

    Example: leeway demo
    """
    from cli.demo import demo as carry_out

    raise SystemExit(carry_out(as_json))


@cli.command()
@click.option("--port", default=3000, show_default=True, help="Port of the Dagster UI.")
def dev(port: int) -> None:
    """Serve the Dagster UI and its daemon, and the dbt docs, on 127.0.0.1, until Ctrl-C.

    Example: leeway dev
    """
    from cli.dev import dev as carry_out

    raise SystemExit(carry_out(port))


@cli.command()
@click.argument("name")
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
@click.argument("name", required=False)
@JSON
def status(name: str | None, as_json: bool) -> None:
    """Say for each use case: champion, metrics, last batch, drift, freshness, checks, last run.

    Example: leeway status penguins --json
    """
    from cli.status import print_status, status_of

    found = status_of(name)
    if as_json:
        emit(found)
    else:
        print_status(found)


@cli.command()
@click.argument("name", required=False)
@JSON
def check(name: str | None, as_json: bool) -> None:
    """Run the asset checks; exit 1 if any of severity ERROR fails.

    Example: leeway check penguins
    """
    from cli.check import check as carry_out

    raise SystemExit(carry_out(name, as_json))


@cli.command()
@click.argument("name")
@click.argument("version", type=int)
@click.option("--why", default="by hand", show_default=True, help="Reason, for the ledger.")
@JSON
def promote(name: str, version: int, why: str, as_json: bool) -> None:
    """Make a version the champion.

    Example: leeway promote penguins 3 --why "approved by the biology team"
    """
    from cli.champion import promote as carry_out

    carry_out(name, version, why, as_json)


@cli.command()
@click.argument("name")
@click.option("--why", default="by hand", show_default=True, help="Reason, for the ledger.")
@JSON
def rollback(name: str, why: str, as_json: bool) -> None:
    """Give the championship back to the version that had it before.

    Example: leeway rollback penguins --why "complaints since this morning"
    """
    from cli.champion import rollback as carry_out

    carry_out(name, why, as_json)


@cli.command()
@JSON
def doctor(as_json: bool) -> None:
    """Say what is missing or misconfigured, and how to mend it; exit 1 if anything is.

    Example: leeway doctor
    """
    from cli.doctor import doctor as carry_out

    raise SystemExit(carry_out(as_json))


def main() -> None:
    """Entry point of the console script."""
    rest_while_importing()
    if not sys.warnoptions:  # what libraries say to their developers is not for the person here
        warnings.simplefilter("ignore")
    cli()


if __name__ == "__main__":
    main()
