"""No commit of the project has ever held a secret: what was removed later is still to be read."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from resources.settings import PROJECT

# As their issuers document them; a password has no form, and is looked for by ruff's S105 to S107.
FORMS = {
    "private key": "-----BEGIN ([A-Z0-9]+ )*PRIVATE KEY-----",
    "key of AWS": "(AKIA|ASIA)[0-9A-Z]{16}",
    "token of GitHub": "(gh[pousr]_[0-9A-Za-z]{36}|github_pat_[0-9A-Za-z_]{50})",
    "token of GitLab": "glpat-[0-9A-Za-z_-]{20}",
    "token of Slack": "xox[abeoprs]-[0-9A-Za-z-]{10}",
    "key of Google": "AIza[0-9A-Za-z_-]{35}",
    "token of PyPI": "pypi-AgEIcHlwaS5vcmc[0-9A-Za-z_-]{20}",
    "key of Stripe": "[rs]k_live_[0-9A-Za-z]{20}",
    "password in an address": "(postgres|postgresql|mysql|redis|https?)://[a-z]+:[0-9A-Za-z]{20,}@",
}
PLANTED = {  # in two parts, since this file is searched as well
    "private key": "-----BEGIN RSA PRIVATE" + " KEY-----",
    "key of AWS": "AKIA" + "A1" * 8,
    "token of GitHub": "ghp_" + "a1" * 18,
    "token of GitLab": "glpat-" + "a1" * 10,
    "token of Slack": "xoxb-" + "a1" * 5,
    "key of Google": "AIza" + "a" * 35,
    "token of PyPI": "pypi-" + "AgEIcHlwaS5vcmc" + "a" * 20,
    "key of Stripe": "sk_live_" + "a1" * 10,
    "password in an address": "postgresql://ana:" + "a1" * 10 + "@db",
}
pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


def commits_with(folder: Path, *forms: str) -> list[str]:
    """The commits on any branch that add or remove a line of one of these forms."""
    every = "|".join(forms)
    return git(folder, "log", "--all", f"-G{every}", "--format=%h %s").split("\n")[:-1]


def test_no_secret_is_in_the_history() -> None:
    if not (PROJECT / ".git").exists():
        pytest.skip("this copy of the project has no history")
    assert commits_with(PROJECT, *FORMS.values()) == []


def test_each_form_is_found_also_when_it_was_removed_again(tmp_path: Path) -> None:
    """Guards: a search that finds nothing would find no secret either."""
    git(tmp_path, "init", "-q")
    for name, secret in PLANTED.items():
        (tmp_path / "notes").write_text(f"value: {secret}\n")
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "-qm", f"adds {name}")
        (tmp_path / "notes").unlink()
        git(tmp_path, "commit", "-qam", f"removes {name}")
        found = [line.partition(" ")[2] for line in commits_with(tmp_path, FORMS[name])]
        assert found == [f"removes {name}", f"adds {name}"]
    assert len(commits_with(tmp_path, *FORMS.values())) == 2 * len(FORMS), "as one search, too"
