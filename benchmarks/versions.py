"""What each step gave: ``annotate`` of several commits of this repository, in turn, on one clip.

python -m benchmarks.versions COMMIT... [--faces 6] [--size 720p] [--rounds 5]

Every commit is checked out into a folder of its own; ``.`` is the working tree. The last row is the working
tree's reader and writer with nothing between.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from benchmarks.crowd import SIZES, Crowd, make_clips
from benchmarks.machine import describe

_ROOT = Path(__file__).parent.parent
_PREPARE = """
import sys, time
from pathlib import Path
tree, clip, target = sys.argv[1:]
sys.path.insert(0, tree)
clip, target = Path(clip), Path(target)
"""
_ANNOTATE = """
from gclf_live.model.classifier import Classifier
from gclf_live.pipeline.annotate import annotate_video
classifier = Classifier.load(device="cpu")
classifier.warm_up((1, 8, 40))
work = lambda: annotate_video(clip, target, classifier, overwrite=True)
"""
_COPY = """
from benchmarks.annotate import copy_video
work = lambda: copy_video(clip, target)
"""
_MEASURE = """
wall, processor = time.perf_counter(), time.process_time()
work()
print(time.perf_counter() - wall, time.process_time() - processor)
"""


@click.command()
@click.argument("commits", nargs=-1, required=True)
@click.option("--faces", type=click.IntRange(min=0), default=6, show_default=True)
@click.option("--size", type=click.Choice(list(SIZES)), default="720p", show_default=True)
@click.option("--seconds", type=click.FloatRange(min=1), default=10.0, show_default=True, help="Of the clip.")
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True)
def main(commits: tuple[str, ...], faces: int, size: str, seconds: float, rounds: int) -> None:
    """Print wall and processor time of each."""
    click.echo(describe())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        crowd = Crowd(faces, seconds, *SIZES[size], (0.3, 0.5, 1.0))
        clip = make_clips(folder, [crowd])[crowd]
        sides = {commit: (_checked_out(commit, folder), _ANNOTATE) for commit in commits}
        sides["decode and encode only"] = (_ROOT, _COPY)
        found: dict[str, list[tuple[float, float]]] = {side: [] for side in sides}
        for turn in range(rounds):
            names = list(sides)
            for side in names[turn % len(names) :] + names[: turn % len(names)]:
                found[side].append(_run(*sides[side], clip, folder / "out.mp4"))
            click.echo(f"round {turn + 1} of {rounds}", err=True)
    click.echo(f"{clip.name}, {rounds} rounds, seconds: median (lowest to highest)")
    click.echo(f"{'':<24} {'wall':>24} {'processor':>24}")
    for side, times in found.items():
        cells = (
            f"{statistics.median(each):.2f} ({min(each):.2f} to {max(each):.2f})"
            for each in zip(*times, strict=True)
        )
        click.echo(f"{side:<24} " + " ".join(f"{cell:>24}" for cell in cells))


def _checked_out(commit: str, folder: Path) -> Path:
    """The files of a commit, in a new folder."""
    if commit == ".":
        return _ROOT
    target = folder / commit
    target.mkdir()
    archive = subprocess.run(["git", "archive", commit], cwd=_ROOT, stdout=subprocess.PIPE, check=True)
    subprocess.run(["tar", "-x", "-C", str(target)], input=archive.stdout, check=True)
    return target


def _run(tree: Path, program: str, clip: Path, target: Path) -> tuple[float, float]:
    """Wall and processor time of one run in a process of its own, in seconds."""
    command = [sys.executable, "-c", _PREPARE + program + _MEASURE, str(tree), str(clip), str(target)]
    answer = subprocess.run(command, cwd=tree, stdout=subprocess.PIPE, text=True, check=False)
    if answer.returncode:
        raise click.ClickException(f"{tree.name} failed; see above")
    wall_s, processor_s = answer.stdout.split()[-2:]
    return float(wall_s), float(processor_s)


if __name__ == "__main__":
    main()
