"""The command line: `onepath COMMAND`; its commands live in `api.commands`."""

import logging
import sys

import typer

from api.commands import questions, services, upkeep
from api.commands.common import one_sentence

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="One identity, one path."
)
for module in (services, questions, upkeep):  # in the order in which `onepath --help` lists them
    app.add_typer(module.commands)


def main() -> None:
    """Run the command line; the entry point."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with one_sentence():
        app()


if __name__ == "__main__":
    main()
