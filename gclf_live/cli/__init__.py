"""The command line. What is heavy is imported inside the commands: ``--help`` answers at once."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence

import click

from gclf_live.errors import ExitCode, GclfError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``gclf-live`` and end the process with the exit code of ``errors.ExitCode``."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run ``gclf-live`` and return its exit code; an error is one line on standard error."""
    from gclf_live.cli.app import app

    try:
        code = app.main(arguments, prog_name="gclf-live", standalone_mode=False)
        return int(code) if isinstance(code, int) else ExitCode.DONE
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("gclf-live: interrupted", err=True)
        return ExitCode.INTERRUPTED
    except click.ClickException as error:
        hint = (
            f". See {error.ctx.command_path} --help"
            if isinstance(error, click.UsageError) and error.ctx
            else ""
        )
        click.echo(f"gclf-live: {error.format_message().rstrip('.')}{hint}", err=True)
        return error.exit_code
    except GclfError as error:
        click.echo(f"gclf-live: {error}", err=True)
        return error.exit_code
    except ImportError as error:
        # opencv-python needs libraries that desktops have and bare servers lack.
        missing = re.match(r"(\S+\.so\S*): cannot open shared object file", str(error))
        if missing is None:
            raise
        click.echo(
            f"gclf-live: the system library {missing[1]} is missing; on Debian and Ubuntu: "
            "apt-get install libgl1 libglib2.0-0",
            err=True,
        )
        return ExitCode.FAILED
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain once more while closing it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FAILED
