"""docs/command-line.md tells of every command and option, and of no other."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from ipycheckpoint.surfaces.cli import COMMANDS, parser

TEXT = (Path(__file__).parents[4] / "docs" / "command-line.md").read_text(encoding="utf-8")
COMMON, *SECTIONS = re.split(r"^### ", TEXT, flags=re.MULTILINE)
SAID = {re.match(r"`([a-z]+)`", section)[1]: section for section in SECTIONS}


def named(text: str) -> set[str]:
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))


def options(command: str) -> set[str]:
    [subparsers] = [action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)]
    return {
        option for action in subparsers.choices[command]._actions for option in action.option_strings if "--" in option
    }


def test_every_command_has_a_section_and_every_section_is_of_a_command():
    assert set(SAID) == {command.name for command in COMMANDS}


@pytest.mark.parametrize("command", sorted(SAID))
def test_every_option_of_a_command_is_in_its_section_or_common_to_all(command):
    assert options(command) <= named(SAID[command]) | named(COMMON)


@pytest.mark.parametrize("command", sorted(SAID))
def test_every_option_in_a_section_is_one_of_its_command(command):
    assert named(SAID[command]) <= options(command)
