"""Annotating a video against what else there is: transcoding alone, the naive loop, and ``deface``.

python -m benchmarks.peers [--faces 1 --faces 6 --faces 20] [--size 720p --size 1080p] [--deface PATH]

``deface`` (PyPI; finds every face in every frame and hides it) is kept apart from our own dependencies:

    python3 -m venv deface-venv && deface-venv/bin/pip install deface onnxruntime
    python -m benchmarks.peers --deface deface-venv/bin/deface

It is run as its users run it, as a command, and so is ours for that comparison: both times include their
start.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path

import click

from benchmarks.annotate import annotate, copy_video, frames_a_second
from benchmarks.crowd import SIZES, Crowd, CrowdStage, make_clips
from benchmarks.interleaved import Side, Spread, in_turn, ratios
from benchmarks.machine import describe
from benchmarks.naive import NaiveLoop
from benchmarks.quality import compare, missed_stays
from gclf_live.media.reader import VideoReader
from gclf_live.model.classifier import Classifier
from gclf_live.pipeline.first_pass import AnalysisSettings, analyse_video

_VISITS_S = (0.3, 0.5, 1.0)
_OURS, _COPY, _NAIVE = "gclf-live", "transcode only", "naive loop"
_OUR_COMMAND, _DEFACE = "gclf-live, command", "deface, command"
_COMPARISONS = ((_OURS, _COPY, 0.6), (_OURS, _NAIVE, 10.0), (_OUR_COMMAND, _DEFACE, 3.0))
_NO_DEFACE = """deface is left out: no such program. To compare with it, give its path:
    python3 -m venv deface-venv && deface-venv/bin/pip install deface onnxruntime
    python -m benchmarks.peers --deface deface-venv/bin/deface"""


@click.command()
@click.option("--faces", multiple=True, type=click.IntRange(min=0), default=(6,), show_default=True)
@click.option("--size", "sizes", multiple=True, type=click.Choice(list(SIZES)), default=("720p",))
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--seconds", type=click.FloatRange(min=1), default=5.0, show_default=True, help="Of each clip.")
@click.option(
    "--deface", "deface", type=click.Path(path_type=Path), help="The program; default: on the path."
)
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), help="Keep clips and results here.")
@click.option("--device", default="auto", show_default=True)
def main(
    faces: tuple[int, ...],
    sizes: tuple[str, ...],
    rounds: int,
    seconds: float,
    deface: Path | None,
    keep: Path | None,
    device: str,
) -> None:
    """Print frames per second of every side, the ratios, and what our own speed costs in quality."""
    program = shutil.which(str(deface or "deface"))
    if program is None:
        click.echo(_NO_DEFACE)
    classifier = Classifier.load(device=device)
    classifier.warm_up((1, 8))
    click.echo(describe())
    crowds = [Crowd(n, seconds, *SIZES[size], _VISITS_S) for size in sizes for n in faces]
    with nullcontext(str(keep)) if keep else tempfile.TemporaryDirectory() as folder:
        for crowd, clip in make_clips(Path(folder), crowds).items():
            stage = CrowdStage(crowd)
            click.echo(
                f"\n{crowd.width_px}x{crowd.height_px}, 30 frames/s, {seconds:g} s, H.264 and AAC, "
                f"{crowd.faces} faces of {stage.face_px:.0f} px in view and {len(stage.stays) - crowd.faces} "
                f"more for a moment; {classifier.plan.reason}; {rounds} rounds"
            )
            sides = make_sides(clip, crowd.frames, classifier, program=program)
            rates = in_turn(sides, rounds=rounds, say=lambda line: click.echo(line, err=True))
            click.echo("\n".join(speed_lines(rates)))
            click.echo("\n".join(quality_lines(clip, stage, classifier)))


def make_sides(clip: Path, frames: int, classifier: Classifier, *, program: str | None) -> dict[str, Side]:
    """The sides of the comparison on one clip of so many frames; their results lie beside it.

    ``program`` is the path of ``deface``, or None to leave it and its counterpart out.
    """

    def target(name: str) -> Path:
        return clip.with_name(f"{clip.stem}-{name}.mp4")

    naive = NaiveLoop()
    work: dict[str, Callable[[], int]] = {
        _COPY: lambda: copy_video(clip, target("copy")),
        _OURS: lambda: annotate(clip, target("annotated"), classifier),
        _NAIVE: lambda: naive.annotate(clip, target("naive")),
    }
    if program is not None:
        ours = [sys.executable, "-m", "gclf_live", "annotate", str(clip), "--overwrite", "-o"]
        theirs = [program, str(clip), "--boxes", "--keep-audio", "-o"]
        work[_OUR_COMMAND] = lambda: _run(ours, target("command"), frames)
        work[_DEFACE] = lambda: _run(theirs, target("deface"), frames)
    return {name: frames_a_second(side) for name, side in work.items()}


def speed_lines(rates: Mapping[str, list[float]]) -> list[str]:
    """Frames a second of each side, and the ratio of ours to each other one with what is aimed at."""
    lines = ["frames/s, median (lowest to highest)"]
    lines += [f"  {name:<40} {Spread.of(values):.1f}" for name, values in rates.items()]
    lines += ["ratio of each round, median (lowest to highest)"]
    for ours, other, aim in _COMPARISONS:
        if other in rates:
            ratio = ratios(rates[ours], rates[other])
            verdict = "reached" if ratio.median >= aim else "not reached"
            lines.append(f"  {f'{ours} / {other}':<40} {ratio:.2f}, target {aim:g}: {verdict}")
    return lines


def quality_lines(clip: Path, stage: CrowdStage, classifier: Classifier) -> list[str]:
    """What the first pass finds, against the same with a search in every frame, and against the truth."""
    with VideoReader(clip) as reader:
        fast = analyse_video(reader, classifier)
        every = analyse_video(reader, classifier, AnalysisSettings(detect_every_s=0.0))
    same = compare(fast.results(), every.results())
    lines = [
        "quality, against a search in every frame with the same settings",
        f"  {same.boxes:,} boxes: {same.found:.2%} found, mean IoU {same.iou:.3f}, "
        f"{same.same_label:.2%} with the same label; {same.extra:,} more",
    ]
    for name, analysis in (("gclf-live", fast), ("every frame", every)):
        seen, missed = missed_stays(analysis.results(), stage)
        lines.append(f"  {name}: of {seen} faces in view for 0.3 s or more, {missed} missed")
    return lines


def _run(command: list[str], target: Path, frames: int) -> int:
    """Run a program that writes ``target``; a failure ends the benchmark with what it said."""
    target.unlink(missing_ok=True)
    done = subprocess.run([*command, str(target)], check=False, capture_output=True, text=True)
    # deface ends with 0 also where it could not read the video.
    if done.returncode or not target.exists():
        said = (done.stderr or done.stdout).strip().splitlines()
        raise click.ClickException(
            f"{command[0]} failed: {said[-1] if said else f'it ended with {done.returncode}'}"
        )
    return frames


if __name__ == "__main__":
    main()
