"""``ipycheckpoint completion bash|zsh|fish``: a script that completes commands and options, made from the parser."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING, NamedTuple

from ipycheckpoint.surfaces.commands.answer import Answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ipycheckpoint.surfaces.commands.answer import Context

SHELLS = ("bash", "zsh", "fish")

_HOW = {
    "bash": "ipycheckpoint completion bash > ~/.local/share/bash-completion/completions/ipycheckpoint",
    "zsh": "ipycheckpoint completion zsh > ~/.zfunc/_ipycheckpoint, where fpath has ~/.zfunc",
    "fish": "ipycheckpoint completion fish > ~/.config/fish/completions/ipycheckpoint.fish",
}


class _Option(NamedTuple):
    names: tuple[str, ...]
    help: str
    choices: tuple[str, ...]
    takes_value: bool


class _Command(NamedTuple):
    name: str
    help: str
    options: tuple[_Option, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command can be told."""
    parser.add_argument("shell", choices=SHELLS, help="which shell the script is for")


def answer(_: Context, options: argparse.Namespace) -> Answer:
    """The script, as it is."""
    from ipycheckpoint.surfaces.cli import parser

    script = script_for(options.shell, parser())
    return Answer({"shell": options.shell, "script": script}, plain=script.rstrip("\n"))


def script_for(shell: str, parser: argparse.ArgumentParser) -> str:
    """The script for `shell` that completes what `parser` reads."""
    commands = list(_commands(parser))
    make = {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell]
    lines = list(make(commands))
    lines.insert(1 if shell == "zsh" else 0, f"# {_HOW[shell]}")  # zsh looks at the first line
    return "\n".join(lines) + "\n"


def _commands(parser: argparse.ArgumentParser) -> Iterator[_Command]:
    [subparsers] = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    helps = {action.dest: action.help or "" for action in subparsers._choices_actions}
    for name, subparser in subparsers.choices.items():
        options = tuple(
            _Option(tuple(a.option_strings), a.help or "", tuple(map(str, a.choices or ())), a.nargs != 0)
            for a in subparser._actions
            if a.option_strings
        )
        positional = tuple(
            _Option((), "", tuple(map(str, a.choices)), True)
            for a in subparser._actions
            if not a.option_strings and a.choices
        )
        yield _Command(name, helps[name], (*options, *positional))


def _names(command: _Command) -> list[str]:
    return [name for option in command.options for name in option.names]


def _compgen(words: Iterable[str]) -> str:
    return f"COMPREPLY=($(compgen -W '{' '.join(words)}' -- \"$word\"))"


def _bash(commands: list[_Command]) -> Iterator[str]:
    yield "_ipycheckpoint() {"
    yield '    local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}"'
    yield "    COMPREPLY=()"
    yield '    if [ "$COMP_CWORD" -eq 1 ]; then'
    yield f"        {_compgen(command.name for command in commands)}"
    yield "        return"
    yield "    fi"
    yield '    case "${COMP_WORDS[1]} $before" in'
    for command in commands:
        for option in command.options:
            for name in option.names if option.choices else ():
                yield f'        "{command.name} {name}")'
                yield f"            {_compgen(option.choices)}; return ;;"
    yield "    esac"
    yield '    case "${COMP_WORDS[1]}" in'
    for command in commands:
        words = [*_names(command), *(c for option in command.options if not option.names for c in option.choices)]
        yield f"        {command.name}) {_compgen(words)} ;;"
    yield "    esac"
    yield "}"
    yield "complete -o default -F _ipycheckpoint ipycheckpoint"


def _zsh(commands: list[_Command]) -> Iterator[str]:
    yield "#compdef ipycheckpoint"
    yield "_ipycheckpoint() {"
    yield "    local -a commands"
    yield "    commands=("
    for command in commands:
        yield f"        {shlex.quote(f'{command.name}:{command.help}')}"
    yield "    )"
    yield "    if (( CURRENT == 2 )); then"
    yield "        _describe command commands"
    yield "        return"
    yield "    fi"
    yield '    case "$words[2]" in'
    for command in commands:
        yield f"        {command.name})"
        yield "            shift words; (( CURRENT-- ))"
        yield "            _arguments -s \\"
        for option in command.options:
            for name in option.names:
                values = f":value:({' '.join(option.choices)})" if option.choices else ":value:_files"
                told = option.help.replace("[", "(").replace("]", ")").replace(":", " -")
                spec = f"{name}[{told}]" + (values if option.takes_value else "")
                yield f"                {shlex.quote(spec)} \\"
        last = [c for option in command.options if not option.names for c in option.choices]
        yield f"                {shlex.quote('*:what:(' + ' '.join(last) + ')' if last else '*:what:_files')} ;;"
    yield "    esac"
    yield "}"
    yield '_ipycheckpoint "$@"'


def _fish(commands: list[_Command]) -> Iterator[str]:
    start = "complete -c ipycheckpoint"
    for command in commands:
        yield f"{start} -n __fish_use_subcommand -f -a {command.name} -d {shlex.quote(command.help)}"
    for command in commands:
        here = f"{start} -n '__fish_seen_subcommand_from {command.name}'"
        for option in command.options:
            values = f" -x -a '{' '.join(option.choices)}'" if option.choices else " -r" if option.takes_value else ""
            for name in option.names:
                flag = f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"
                yield f"{here} {flag}{values} -d {shlex.quote(option.help)}"
            if not option.names:
                yield f"{here} -f -a '{' '.join(option.choices)}'"
