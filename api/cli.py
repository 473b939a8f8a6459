"""The command line: `onepath COMMAND`; its commands live in `api.commands`."""

import logging
import sys
from typing import Annotated

import typer

from api.commands import (
    account,
    asking,
    cohorts,
    funnel,
    identity,
    over_time,
    paths,
    person,
    plan,
    questions,
    replay,
    services,
    tail,
    upkeep,
)
from api.commands.common import one_sentence

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="One identity, one path."
)
# In the order in which `onepath --help` lists them.
for module in (
    services,
    tail,
    asking,
    funnel,
    questions,
    over_time,
    cohorts,
    paths,
    plan,
    account,
    identity,
    upkeep,
    replay,
    person,
):
    app.add_typer(module.commands)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        from importlib.metadata import version

        sys.stdout.write(f"onepath {version('onepath')}\n")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """One identity, one path."""


def main() -> None:
    """Run the command line; the entry point."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    for chatty in ("apscheduler", "httpx", "sqlglot"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    with one_sentence():
        app()


if __name__ == "__main__":
    main()
