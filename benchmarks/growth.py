"""How time and memory of ``annotate`` grow with faces, frame size and length.

python -m benchmarks.growth [--part faces --part sizes --part lengths --part memory] [--plot growth.png]

Memory is that of the whole command. ``--minutes 60`` adds an hour of video to it, and takes as long as
the machine needs for that.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import click

from benchmarks.annotate import annotate
from benchmarks.crowd import SIZES, Crowd, make_clips
from benchmarks.interleaved import Spread, in_turn
from benchmarks.machine import describe
from benchmarks.memory import repeat_clip
from gclf_live.model.classifier import Classifier

_FACES = (0, 1, 6, 20, 50)
_PARTS = ("faces", "sizes", "lengths", "memory")
_POLL_S = 0.2
_REPEATED_S = 10.0

Figures = dict[float, list[float]]
"""What was measured, by number of faces, megapixels, seconds or minutes."""


@dataclass(frozen=True, slots=True)
class Table:
    """What was measured of one kind.

    Attributes:
        title: the quantity with its unit, by what, and of what input.
        unit: of the figures' keys.
        figures: one list a key, one figure a round.
    """

    title: str
    unit: str
    figures: Figures

    def lines(self) -> list[str]:
        """One line for each key: median (lowest to highest), and the ratio of the median to the first one."""
        rows = [(key, Spread.of(values)) for key, values in self.figures.items()]
        first = rows[0][1].median
        heads = [f"{self.unit:>12}  {'median (lowest to highest)':<32} to the first"]
        return heads + [
            f"{key:>12.4g}  {f'{spread:.1f}':<32} {spread.median / first:.2f}" for key, spread in rows
        ]


@click.command()
@click.option("--part", "parts", multiple=True, type=click.Choice(_PARTS), default=_PARTS, show_default=True)
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--seconds", type=click.FloatRange(min=1), default=3.0, show_default=True, help="Of each clip.")
@click.option("--faces", multiple=True, type=click.IntRange(min=0), default=_FACES, show_default=True)
@click.option("--size", "sizes", multiple=True, type=click.Choice(list(SIZES)), default=tuple(SIZES))
@click.option("--times", multiple=True, type=click.IntRange(min=1), default=(1, 4, 16), show_default=True)
@click.option(
    "--minutes", multiple=True, type=click.FloatRange(min=0.1), default=(1.0, 4.0), show_default=True
)
@click.option(
    "--plot", type=click.Path(dir_okay=False, path_type=Path), help="Draw the table, as .png or .svg."
)
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), help="Keep the clips here.")
@click.option("--device", default="auto", show_default=True)
def main(
    parts: tuple[str, ...],
    rounds: int,
    seconds: float,
    faces: tuple[int, ...],
    sizes: tuple[str, ...],
    times: tuple[int, ...],
    minutes: tuple[float, ...],
    plot: Path | None,
    keep: Path | None,
    device: str,
) -> None:
    """Print a table for each part, and draw it. ``--times`` repeats a clip for the parts about length."""
    classifier = Classifier.load(device=device)
    classifier.warm_up((1, 8))
    click.echo(describe())
    tables: list[Table] = []
    with nullcontext(str(keep)) if keep else tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def show(
            title: str, unit: str, clips: Mapping[float, Path], measure: Callable[[Path], float]
        ) -> None:
            click.echo(f"\n{title}")
            tables.append(Table(title, unit, grow(clips, measure, rounds=rounds)))
            click.echo("\n".join(tables[-1].lines()))

        if "faces" in parts:
            show(
                "ms a frame by faces, 720p",
                "faces",
                _by_faces(folder, faces, seconds),
                _ms_a_frame(classifier),
            )
        if "sizes" in parts:
            by_size = _by_size(folder, sizes, seconds)
            show("ms a frame by size, 6 faces", "megapixels", by_size, _ms_a_frame(classifier))
        if "lengths" in parts:
            by_length = _by_length(folder, [count * seconds for count in times], seconds, Crowd(6, seconds))
            show("ms a frame by length, 720p, 6 faces", "seconds", by_length, _ms_a_frame(classifier))
        if "memory" in parts:
            show("MiB by faces, 720p", "faces", _by_faces(folder, faces, seconds), command_mib)
            long = _by_length(
                folder, [60 * m for m in minutes], _REPEATED_S, Crowd(1, _REPEATED_S, *SIZES["480p"])
            )
            by_minutes = {length_s / 60: clip for length_s, clip in long.items()}
            show("MiB by length, 480p, 1 face", "minutes", by_minutes, command_mib)
    if plot is not None:
        draw(tables, plot)
        click.echo(f"wrote {plot}")


def grow(clips: Mapping[float, Path], measure: Callable[[Path], float], *, rounds: int) -> Figures:
    """Measure every clip once a round, in turn."""
    sides = {f"{key:g}": (lambda clip=clip: measure(clip)) for key, clip in clips.items()}
    figures = in_turn(sides, rounds=rounds, say=lambda line: click.echo(line, err=True))
    return dict(zip(clips, figures.values(), strict=True))


def command_mib(clip: Path) -> float:
    """Annotate a clip as a user does; returns the most memory that the process held, in MiB."""
    target = clip.with_name(f"{clip.stem}-annotated.mp4")
    command = [sys.executable, "-m", "gclf_live", "annotate", str(clip), "--overwrite", "-o", str(target)]
    mib = peak_mib(command)
    target.unlink()
    return mib


def peak_mib(command: Sequence[str]) -> float:
    """Run a program to its end; returns the most resident memory that it had, in MiB. Linux only.

    Raises:
        click.ClickException: it failed.
    """
    # A file, as a pipe that nobody reads would fill up.
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said)
        highest_kib = _watch_kib(process)
        if process.returncode:
            said.seek(0)
            last = said.read().strip().rpartition("\n")[2]
            raise click.ClickException(f"{' '.join(command)} ended with {process.returncode}: {last}")
    return highest_kib / 1024


def _watch_kib(process: subprocess.Popen[bytes]) -> int:
    """Wait for the end of a process; the most memory that it was seen to have had, in KiB."""
    # What wait4 would tell begins with the memory of the process that it was started from: ours.
    status = Path(f"/proc/{process.pid}/status")
    highest_kib = 0
    while process.poll() is None:
        with contextlib.suppress(OSError):
            found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text(encoding="ascii"))
            highest_kib = max(highest_kib, int(found[1]) if found else 0)
        time.sleep(_POLL_S)
    return highest_kib


def draw(tables: Sequence[Table], path: Path) -> None:
    """One small plot a table: medians, and the range of the rounds."""
    from matplotlib.figure import Figure  # only here: it takes a second

    figure = Figure(figsize=(4 * len(tables), 3.4), layout="constrained")
    for axes, table in zip(figure.subplots(1, len(tables), squeeze=False)[0], tables, strict=True):
        spreads = [Spread.of(values) for values in table.figures.values()]
        medians = [spread.median for spread in spreads]
        below = [spread.median - spread.low for spread in spreads]
        above = [spread.high - spread.median for spread in spreads]
        axes.errorbar(list(table.figures), medians, yerr=[below, above], marker="o", capsize=3)
        axes.set(title=table.title, xlabel=table.unit, ylabel=table.title.partition(" by ")[0])
        axes.set_ylim(0, 1.1 * max(spread.high for spread in spreads))
        axes.grid(alpha=0.3)
    figure.savefig(path)


def _ms_a_frame(classifier: Classifier) -> Callable[[Path], float]:
    def measure(clip: Path) -> float:
        target = clip.with_name(f"{clip.stem}-annotated.mp4")
        started_s = time.perf_counter()
        frames = annotate(clip, target, classifier)
        took_s = time.perf_counter() - started_s
        target.unlink()
        return took_s / frames * 1000

    return measure


def _by_faces(folder: Path, faces: Sequence[int], seconds: float) -> dict[float, Path]:
    clips = make_clips(folder, (Crowd(count, seconds) for count in faces))
    return {crowd.faces: clip for crowd, clip in clips.items()}


def _by_size(folder: Path, sizes: Sequence[str], seconds: float) -> dict[float, Path]:
    clips = make_clips(folder, (Crowd(6, seconds, *SIZES[size]) for size in sizes))
    return {crowd.width_px * crowd.height_px / 1e6: clip for crowd, clip in clips.items()}


def _by_length(folder: Path, lengths_s: Sequence[float], seconds: float, crowd: Crowd) -> dict[float, Path]:
    """Clips of these lengths, of a crowd's clip of ``seconds`` that is repeated without encoding it again."""
    clip = make_clips(folder, [crowd])[crowd]
    found: dict[float, Path] = {}
    for length_s in lengths_s:
        times = max(1, round(length_s / seconds))
        found[length_s] = folder / f"{clip.stem}-{times}-times.mp4"
        if not found[length_s].exists():
            repeat_clip(clip, found[length_s], times=times)
    return found


if __name__ == "__main__":
    main()
