"""A training says from which commit and by whom it was made, or that this is unknown."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from resources.origin import git_commit, user_name

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository of a project with one commit and a tag, which is not the commit's name."""
    git(tmp_path, "init", "-q")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    git(tmp_path, "tag", "-a", "v1", "-m", "one")
    return tmp_path


@needs_git
def test_the_commit_is_named_in_full_and_what_differs_from_it_is_said(project: Path) -> None:
    commit = git(project, "rev-parse", "HEAD")
    assert git_commit(project) == commit
    (project / "notes.txt").write_text("of no version")
    assert git_commit(project) == commit
    (project / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert git_commit(project) == f"{commit}-dirty"


@needs_git
def test_the_commit_of_a_repository_that_does_not_hold_the_project_is_not_its_own(
    project: Path,
) -> None:
    inside = project / "vendor"
    inside.mkdir()
    (inside / "pyproject.toml").write_text("[project]\n")
    assert git_commit(inside) is None
    git(project, "add", "vendor")
    git(project, "commit", "-qm", "second")
    assert git_commit(inside) == git(project, "rev-parse", "HEAD")


def test_without_git_the_commit_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_commit() is None


def test_a_user_without_a_name_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "anna")
    assert user_name() == "anna"

    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr("getpass.getuser", nameless)
    assert user_name() is None
