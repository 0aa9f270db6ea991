"""How torch's threads should wait for one another: crops classified alone and beside busy programs.

python -m benchmarks.waiting [--rounds 5]

Each figure comes from a process of its own, as the setting is read when torch is loaded.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import AbstractContextManager, nullcontext

import click

from benchmarks.busy import busy_cores
from benchmarks.interleaved import Spread
from benchmarks.machine import describe
from gclf_live.cpu_threads import SPINS

_SETTINGS = {
    "libgomp's own": {},
    f"{SPINS:,} looks (gclf-live)": {"GOMP_SPINCOUNT": str(SPINS)},
    "sleep at once": {"GOMP_SPINCOUNT": "0"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
_CROPS = (1, 8, 32)
_MEASURE = """
import json, statistics, sys, time
import numpy as np
from gclf_live.model.classifier import Classifier
classifier = Classifier.load(device="cpu")
side = classifier.crop_spec.size_px
found = {}
for count in map(int, sys.argv[1:]):
    crops = np.random.default_rng(0).integers(0, 255, (count, side, side, 3), np.uint8)
    times_s = []
    for _ in range(8):
        start_s = time.perf_counter()
        classifier.log_probabilities(crops)
        times_s.append(time.perf_counter() - start_s)
    found[count] = 1000 * statistics.median(times_s[1:])
print(json.dumps(found))
"""


@click.command()
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--beside", type=click.IntRange(min=1), default=2, show_default=True, help="Busy processes.")
def main(rounds: int, beside: int) -> None:
    """Print the ms of a call by setting and number of crops, median of the rounds."""
    click.echo(describe())
    surroundings: dict[str, AbstractContextManager[object]] = {
        "alone": nullcontext(),
        f"beside {beside} processes that never rest": busy_cores(beside),
    }
    click.echo(f"ms to classify {', '.join(map(str, _CROPS))} crops, median of {rounds} (lowest to highest)")
    for title, others in surroundings.items():
        found: dict[str, list[dict[str, float]]] = {name: [] for name in _SETTINGS}
        with others:
            for _ in range(rounds):
                for name, setting in _SETTINGS.items():
                    found[name].append(_measure(setting))
        click.echo(title)
        for name, rows in found.items():
            spreads = [f"{Spread.of([row[str(count)] for row in rows]):.1f}" for count in _CROPS]
            click.echo(f"  {name:<26} {'   '.join(spreads)}")


def _measure(setting: dict[str, str]) -> dict[str, float]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "OMP_NUM_THREADS")
    }
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, *map(str, _CROPS)],
        env={**kept, **setting},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise click.ClickException(f"the measurement failed: {(done.stderr or 'no word').splitlines()[-1]}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
