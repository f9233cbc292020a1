"""The line behind ``%%checkpoint`` is understood, or said to be wrong in few words."""

from __future__ import annotations

import pytest

from ipycheckpoint.errors import UsageError
from ipycheckpoint.surfaces.options import OPTIONS, USAGE, CellOptions, help_text, parse_options


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("", CellOptions()),
        ("model", CellOptions(name="model")),
        ("'my model'", CellOptions(name="my model")),
        ("--tags a=1 b=x=y --tags c=", CellOptions(tags=(("a", "1"), ("b", "x=y"), ("c", "")))),
        ("m --inputs a b", CellOptions(name="m", inputs=("a", "b"))),
        ("m --inputs a,b", CellOptions(name="m", inputs=("a", "b"))),
        ("--outputs a --exclude b", CellOptions(outputs=("a",), exclude=("b",))),
        ("--watch 'a b.csv' *.txt", CellOptions(watch=("a b.csv", "*.txt"))),
        ("--no-watch", CellOptions(no_watch=True)),
        ("--pin numpy", CellOptions(pin=("numpy",))),
        ("--expires 2w", CellOptions(expires_seconds=1209600.0)),
        ("m --identifier by --cache shared", CellOptions(name="m", identifier="by", cache="shared")),
        ("--rerun --quiet", CellOptions(rerun=True, quiet=True)),
    ],
)
def test_options_are_read(line: str, options: CellOptions) -> None:
    assert parse_options(line) == options


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--tag a=1", r"did you mean --tags\?"),
        ("--tags", "--tags"),
        ("--tags a", "KEY=VALUE"),
        ("--inputs a-b", "'a-b'"),
        ("--cache a-b", "'a-b' is no name of a variable, as --cache needs"),
        ("--identifier", "--identifier"),
        ("--expires 1y", "s, m, h, d or w"),
        ("a b", "unrecognized arguments: b"),
        ("--rerun=1", "--rerun"),
        ("'open", "'open"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(line: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_options(line)


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_is_in_the_help_and_in_the_usage(option: str) -> None:
    assert option in help_text()
    assert option in USAGE
