"""`leeway new` writes a use case once, whole, and never over what is there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from openpyxl import Workbook

import cli.new
import resources.use_case_files
from cli.main import cli as leeway
from orchestration.use_cases import load_use_case
from tests.batches import age

ROWS = "".join(f"{row},{row * 37 % 101}.5,{'yn'[row * 13 % 7 % 2]}\n" for row in range(60))
New = Callable[..., Result]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project."""
    for module in (cli.new, resources.use_case_files):
        monkeypatch.setattr(module, "PROJECT", tmp_path)
    (tmp_path / "orchestration" / "defs").mkdir(parents=True)
    (tmp_path / "dbt_project" / "models").mkdir(parents=True)
    (tmp_path / "data.csv").write_text("id,x,y\n" + ROWS)
    age(tmp_path / "data.csv")
    return tmp_path


@pytest.fixture
def new(project: Path) -> New:
    """`leeway new mine` with some options."""

    def call(*arguments: str, name: str = "mine", data: str = "data.csv") -> Result:
        given = ["new", name, "--data", str(project / data), "--target", "y", *arguments]
        return CliRunner().invoke(leeway, given)

    return call


def files_of(project: Path) -> dict[str, tuple[int, bytes]]:
    found = [path for path in project.rglob("*") if path.is_file()]
    return {str(p.relative_to(project)): (p.stat().st_mtime_ns, p.read_bytes()) for p in found}


def test_the_files_are_written_and_the_second_time_nothing_is(new: New, project: Path) -> None:
    first = new("--json")
    assert first.exit_code == 0, first.stderr
    found = json.loads(first.stdout)
    assert found["written"] == ["dbt_project/models/mine", "orchestration/defs/mine/defs.yaml"]
    assert (found["task"], found["kept"]) == ("classification", [])
    assert "id is the key" in " ".join(found["assumptions"])
    assert "Next: read orchestration/defs/mine/defs.yaml, then `leeway run mine`" in first.stderr
    use_case = load_use_case(project / "orchestration/defs/mine/defs.yaml")
    assert use_case.target.name == "y"
    assert use_case.source.kind == "file"
    assert use_case.source.path == "data.csv", "relative to the project, where it is below it"
    before = files_of(project)
    assert set(before) == {
        "data.csv", "orchestration/defs/mine/defs.yaml",
        *(f"dbt_project/models/mine/{place}" for place in (
            "staging/_sources.yml", "staging/_staging.yml", "staging/mine_staged.sql",
            "marts/_marts.yml", "marts/mine_clean.sql",
        )),
    }  # fmt: skip
    second = new()
    assert second.exit_code == 0
    assert "its files are there already" in second.stderr
    assert "nothing was changed" in second.stderr
    assert files_of(project) == before


@pytest.mark.parametrize(
    "place", ["orchestration/defs/mine/defs.yaml", "dbt_project/models/mine/marts/mine_clean.sql"]
)
def test_an_edited_file_is_kept_and_named(new: New, project: Path, place: str) -> None:
    new()
    mark = "#" if place.endswith("yaml") else "--"
    (project / place).write_text((project / place).read_text() + f"{mark} mine\n")
    before = files_of(project)
    done = new("--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["kept"] == [f"{place} differs"]
    assert f"kept as it was: {place} differs" in done.stderr
    assert "move its folder away and repeat the command" in done.stderr
    assert files_of(project) == before


def test_a_model_that_was_removed_is_named_and_a_folder_that_was_is_made_from_the_yaml(
    new: New, project: Path
) -> None:
    new()
    models = project / "dbt_project/models/mine"
    (models / "marts/mine_clean.sql").unlink()
    done = new()
    assert done.exit_code == 1
    assert "dbt_project/models/mine/marts/mine_clean.sql is missing" in done.stderr
    defs = project / "orchestration/defs/mine/defs.yaml"
    defs.write_text(defs.read_text().replace("description: x", "description: the width"))
    models.rename(project / "away")
    done = new("--json")
    assert json.loads(done.stdout)["written"] == ["dbt_project/models/mine"]
    assert "The width." in (models / "marts/_marts.yml").read_text()
    assert "the width" in defs.read_text()


def test_nothing_of_a_folder_is_there_when_writing_fails(
    new: New, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, *_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device", str(self))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", full)
        assert new().exit_code != 0
    assert set(files_of(project)) == {"data.csv"}
    assert list((project / "dbt_project/models").iterdir()) == []
    assert new().exit_code == 0


def test_a_sheet_of_excel_is_a_use_case_and_the_other_sheets_are_told(
    new: New, project: Path
) -> None:
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append(["id", "x", "y"])
    for line in ROWS.splitlines():
        number, x, y = line.split(",")
        sheet.append([int(number), float(x), y])
    book.create_sheet("notes")
    book.save(project / "data.xlsx")
    new()
    of_csv = load_use_case(project / "orchestration/defs/mine/defs.yaml")
    done = new("--json", name="yours", data="data.xlsx")
    assert done.exit_code == 0, done.stderr
    of_excel = load_use_case(project / "orchestration/defs/yours/defs.yaml")
    assert of_excel.columns == of_csv.columns
    said = json.loads(done.stdout)["assumptions"]
    assert said[0].startswith("the table is the first sheet, Sheet, and not notes; source.sheet")


@pytest.mark.parametrize("name", ["Mine", "select", "../up", "a b", "x" * 49])
def test_a_name_that_is_none_is_refused(new: New, project: Path, name: str) -> None:
    done = new(name=name)
    assert done.exit_code == 1
    assert f"error: {name!r} is " in done.stderr
    assert set(files_of(project)) == {"data.csv"}


def test_a_file_that_cannot_be_used_is_refused_with_its_name(new: New, project: Path) -> None:
    done = new(data="nosuch.csv")
    assert (done.exit_code, "no such file" in done.stderr) == (1, True)
    assert "is a folder; give one of its files" in new(data="orchestration").stderr
    (project / "my data.csv").write_text("id,x,y\n" + ROWS)
    assert "its name becomes the batch id, but 'my data' is not" in new(data="my data.csv").stderr
    (project / "data.csv").write_text("id,x,z\n" + ROWS)
    done = new()
    assert done.exit_code == 1
    assert f"error: {project / 'data.csv'}: --target 'y': no such column" in done.stderr
