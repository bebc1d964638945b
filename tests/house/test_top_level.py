"""The top level holds what the customer fixed, and nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FIXED = {
    "marketplace",
    "dispatch",
    "vendors",
    "static",
    "tests",
    "pyproject.toml",
    "README.md",
    "Makefile",
}


@pytest.fixture(scope="module")
def tracked() -> list[str]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return listed.stdout.splitlines()


def test_the_top_level_is_as_fixed(tracked):
    top = {path.split("/")[0] for path in tracked}
    assert {name for name in top if not name.startswith(".")} <= FIXED


def test_pinned_dependencies_have_hashes_and_name_no_index():
    text = (ROOT / ".ci" / "requirements.txt").read_text()
    pins = re.findall(r"^[a-z0-9][\w.\-]*(?:\[[^\]]*\])?==", text, re.M)
    assert len(pins) > 100
    assert text.count("--hash=sha256:") >= len(pins)
    assert "://" not in text
    assert "--index-url" not in text
    assert "--find-links" not in text
