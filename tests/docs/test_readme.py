"""What the documents name exists, and what exists is named."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def code_of(markdown: str) -> str:
    """The code of a document: fenced blocks and inline spans, without the prose around them."""
    fence = re.compile(r"^```[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
    blocks = fence.findall(markdown)
    spans = re.findall(r"`([^`\n]+)`", fence.sub("", markdown))
    return "\n".join([*blocks, *spans])


def verbs_of(program: str, code: str) -> set[str]:
    """The words that follow a program where it stands at the start of a command."""
    return set(re.findall(rf"(?:^|/)\s*{program} ([a-z]+)\b", code, re.MULTILINE))


def makefile_verbs() -> set[str]:
    return set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))


def cli_verbs() -> set[str]:
    # Imported here, so that a broken command line fails this test alone.
    from cli.main import cli

    return {name for name, command in cli.commands.items() if not command.hidden}


def setting_names() -> set[str]:
    from resources.settings import Settings

    return {f"LEEWAY_{field.upper()}" for field in Settings.model_fields}


def test_only_commands_in_code_count_as_verbs() -> None:
    text = "make sense of `make demo`, not of leeway only.\n```sh\n.venv/bin/leeway run x\n```\n"
    assert verbs_of("make", code_of(text)) == {"demo"}
    assert verbs_of("leeway", code_of(text)) == {"run"}


def test_readme_names_exactly_the_make_verbs() -> None:
    readme = code_of((ROOT / "README.md").read_text())
    assert verbs_of("make", readme) == makefile_verbs()


def test_contributing_names_only_make_verbs_that_exist() -> None:
    named = verbs_of("make", code_of((ROOT / "CONTRIBUTING.md").read_text()))
    assert named
    assert named <= makefile_verbs()


def test_readme_names_exactly_the_leeway_verbs() -> None:
    readme = code_of((ROOT / "README.md").read_text())
    assert verbs_of("leeway", readme) == cli_verbs()


def test_env_example_names_exactly_the_settings() -> None:
    example = (ROOT / ".env.example").read_text()
    listed = re.findall(r"^#? ?(LEEWAY_[A-Z_]+)=", example, re.MULTILINE)
    assert len(listed) == len(set(listed)), "a variable is listed twice"
    assert set(listed) == setting_names()


def test_readme_names_only_settings_that_exist() -> None:
    named = set(re.findall(r"\bLEEWAY_[A-Z_]+", (ROOT / "README.md").read_text()))
    assert named
    assert named <= setting_names()


def test_every_relative_link_leads_to_a_file() -> None:
    documents = [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "CHANGELOG.md",
        *(ROOT / "docs").rglob("*.md"),
    ]
    broken = [
        f"{document.relative_to(ROOT)}: {target}"
        for document in documents
        for target in re.findall(r"\]\(([^)#]+)", document.read_text())
        if "://" not in target and not (document.parent / target).exists()
    ]
    assert broken == []


def test_every_decision_is_in_the_index() -> None:
    folder = ROOT / "docs" / "adr"
    listed = set(re.findall(r"\]\((\d{4}-[^)]+)\)", (folder / "README.md").read_text()))
    assert listed == {path.name for path in folder.glob("[0-9]*.md")}
