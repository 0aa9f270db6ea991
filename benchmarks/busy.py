"""Another program that keeps every core busy: ``python -m benchmarks.busy [--seconds 60]``."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import click

# It ends by itself once whoever started it is gone, even where that one was killed.
_SPIN = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    sum(range(100_000))\n"


@contextlib.contextmanager
def busy_cores(count: int | None = None) -> Iterator[list[int]]:
    """Keep ``count`` cores busy, all of them by default, until the ``with`` block is left.

    Yields:
        The process numbers of the programs that do it.
    """
    spinning = [subprocess.Popen([sys.executable, "-c", _SPIN]) for _ in range(count or os.cpu_count() or 1)]
    try:
        yield [process.pid for process in spinning]
    finally:
        for process in spinning:
            process.kill()
        for process in spinning:
            process.wait()


@click.command()
@click.option("--seconds", default=60.0, show_default=True)
def main(seconds: float) -> None:
    """Keep every core busy for some time."""
    with busy_cores() as pids:
        click.echo(f"{len(pids)} processes for {seconds:g} s")
        time.sleep(seconds)


if __name__ == "__main__":
    main()
