"""The `makegood` command: one module a group of commands, registered here."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final, NoReturn

import typer

from deploy.errors import StackError

MODULES: Final = (
    "stack",
    "demo",
    "chaos",
    "telling",
    "publish",
    "versions",
    "emit",
    "backfill",
    "replay",
    "status",
    "top",
    "lanes",
    "answers",
    "acts",
    "audit",
    "lint",
    "backtest",
    "calendar",
    "feed",
    "keys",
    "privacy",
)


def command_line(arguments: Sequence[str]) -> typer.Typer:
    """Return the command line; a command that is named as its module brings no other one with it, which takes a second."""
    app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.callback()(lambda: None)  # without it, a single command would not be named
    for name in arguments[:1] if arguments and arguments[0] in MODULES else MODULES:
        import_module(f"services.cli.{name}").register(app)
    return app


app = command_line(sys.argv[1:])


def main() -> None:
    """Run the command line; what goes wrong is one sentence and what to do, and exit code 1."""
    try:
        app()
    except StackError as error:
        sys.stderr.write(f"makegood: {error}\n")
        sys.exit(1)
    except OSError as error:  # of a file that was named; what speaks to a system says more
        sys.stderr.write(f"makegood: {error.filename}: {error.strerror}\n" if error.filename else f"makegood: {error}\n")
        sys.exit(1)
    except SystemExit as ended:
        if sys.argv[1:2] == ["backtest"] and isinstance(ended.code, int):
            _leave(ended.code)
        raise


def _leave(code: int) -> NoReturn:
    """End the process here and now: freeing a year's events one by one takes a tenth of the time that judging them did."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
