"""What docs/troubleshooting.md quotes is what Leeway says, word for word."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.docs.test_readme import cli_verbs, code_of, setting_names, verbs_of

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
LAYERS = ("leeway", "resources", "serving", "assets", "orchestration", "cli")
ANY = "…"  # of what is different each time


def texts_of(source: str) -> list[str]:
    """The texts of a module, with `…` for each value that is put into one."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
        elif isinstance(node, ast.JoinedStr):
            parts = [each.value if isinstance(each, ast.Constant) else ANY for each in node.values]
            found.append("".join(str(part) for part in parts))
    return found


def messages() -> list[str]:
    """What the first column quotes."""
    return re.findall(r"^\| `([^`]+)` \|", GUIDE, re.MULTILINE)


def test_each_message_is_one_that_leeway_says() -> None:
    modules = [path for layer in LAYERS for path in (ROOT / layer).rglob("*.py")]
    said = [text for path in modules for text in texts_of(path.read_text(encoding="utf-8"))]
    quoted = messages()
    assert len(quoted) == GUIDE.count("\n| `") > 10
    assert [message for message in quoted if not any(message in text for text in said)] == []


def test_a_text_in_parts_is_read_as_one() -> None:
    source = 'f"port {wanted} of {HOST} is in use; "\n"x"\nf"a {b!r} " "c"'
    assert texts_of(source)[0] == "port … of … is in use; "
    assert "a … c" in texts_of(source)


def test_commands_and_settings_of_the_guide_exist() -> None:
    assert verbs_of("leeway", code_of(GUIDE)) <= cli_verbs()
    assert set(re.findall(r"\bLEEWAY_[A-Z_]+", GUIDE)) <= setting_names()
