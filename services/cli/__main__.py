"""The `makegood` command: one module a group of commands, registered here."""

import sys

import typer

from deploy.errors import StackError
from services.cli import answers, backtest, demo, emit, publish, replay, stack, status

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
for module in (stack, demo, publish, emit, replay, status, answers, backtest):
    module.register(app)


def main() -> None:
    """Run the command line; what goes wrong is one sentence and what to do, and exit code 1."""
    try:
        app()
    except StackError as error:
        sys.stderr.write(f"makegood: {error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
