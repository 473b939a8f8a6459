"""Options that several commands share are said once: a command takes those of its own function and of shared ones."""

from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, Signature, signature
from typing import Any

import typer

Function = Callable[..., Any]
Given = Mapping[str, Any]


def add_command(
    commands: typer.Typer, name: str, own: Function, shared: Sequence[Function], run: Callable[[Given], None]
) -> None:
    """Add a command that takes the options of all these functions and gives `run` all of them, by parameter.

    Its help is the docstring of `own`.
    """

    def command(**given: Any) -> None:
        run(given)

    options = [option for function in (own, *shared) for option in _options(function)]
    command.__dict__["__signature__"] = Signature(options)
    commands.command(name, help=own.__doc__)(command)


def given_to(function: Function, given: Given) -> dict[str, Any]:
    """Of what was given to a command, the options of one function."""
    return {option.name: given[option.name] for option in _options(function)}


def _options(function: Function) -> list[Parameter]:
    """Its parameters, but for those that can only be given by position."""
    named = [each for each in signature(function).parameters.values() if each.kind is not Parameter.POSITIONAL_ONLY]
    # By name only: then options with and without a default may stand in any order.
    return [each.replace(kind=Parameter.KEYWORD_ONLY) for each in named]
