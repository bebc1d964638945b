"""Every command that the dispatcher's README names is one that it takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from dispatch.__main__ import _parser as dispatch_parser
from dispatch.bench.command import _parser as bench_parser

README = Path(__file__).resolve().parents[2] / "dispatch" / "README.md"
TEXT = README.read_text(encoding="utf-8")
COMMANDS = sorted(set(re.findall(r"python -m dispatch ([^`\n#|]+)", TEXT)))


def _names(parser) -> set[str]:
    return {
        name
        for action in parser._actions
        if hasattr(action, "choices") and isinstance(action.choices, dict)
        for name in action.choices
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_readme_is_understood(command):
    words = shlex.split(command)
    if words[0] == "bench":
        bench_parser().parse_args(words[1:])
    else:
        dispatch_parser().parse_args(words)


def test_the_readme_shows_an_example_of_every_command():
    shown = {shlex.split(command)[0] for command in COMMANDS}
    assert shown == _names(dispatch_parser())
    benches = {shlex.split(each)[1] for each in COMMANDS if each.startswith("bench ")}
    assert benches == _names(bench_parser())


def test_modules_that_the_readme_names_exist():
    for name in re.findall(r"`([a-z_/]+\.py|engine/kernel/)`", TEXT):
        found = [*README.parent.glob(name), *README.parent.glob(f"engine/kernel/{name}")]
        assert found, name
