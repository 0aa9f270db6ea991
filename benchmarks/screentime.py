"""Whether the corrected share of screen time is right, and its interval as wide as it says.

python -m benchmarks.screentime [--archives 1000]

Archives are made up whose true share is known: videos that differ in their own share, in length and in the
people who come back in them, tracks of uneven length, one class with shorter ones, and a classifier with the
error rates that the shipped checkpoint states. Its calibration is off by chance, another way in each archive.
A share is right if it comes out on average; an interval, if it holds the truth in 95 of 100 archives.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import click
import numpy as np
import numpy.typing as npt
from scipy import special

from benchmarks.machine import describe
from gclf_live.model.checkpoint import default_weights_path, load_checkpoint
from gclf_live.model.meta import ErrorAtThreshold
from gclf_live.records import I64, Bool
from gclf_live.screentime.shares import TrackSample, corrected_shares, estimate_shares
from gclf_live.screentime.uncertainty import CalibrationDoubt

F64 = npt.NDArray[np.float64]

SHARES = (0.1, 0.25, 0.5, 0.75, 0.9)
PRIOR = np.array([0.527, 0.473])
"""Shares of the classes in the shipped checkpoint's validation pictures."""
_SAME_VIEW = 0.6
"""How many of a person's tracks look to the classifier as the person's others do."""
_SHORTER = 0.8
"""Length of the first class's tracks against the second's."""
_THRESHOLD = 0.8


@dataclass(frozen=True, slots=True)
class World:
    """What archives are like.

    Attributes:
        videos: number of them in an archive.
        tracks: mean number in a video.
        people: in a video, who come back again and again; 0: each track is somebody else.
        concentration: of the beta distribution of a video's own share; larger is more alike.
        doubt: how far the classifier's calibration is off, in standard deviations over the archives.
    """

    videos: int
    tracks: int
    people: int = 8
    concentration: float = 6.0
    doubt: CalibrationDoubt = field(default_factory=CalibrationDoubt)


WORLDS = (
    World(1, 80, people=0),
    World(1, 400, people=0),
    World(6, 40),
    World(12, 30),
    World(40, 30),
    World(200, 30),
)


LIMITS = {
    "only 4 videos: too wide towards the ends": World(4, 40),
    "a calibration that is right: too wide where there is much footage": World(
        200, 30, doubt=CalibrationDoubt(0.0, 0.0)
    ),
    "one video in which 8 people come back: too narrow, for its tracks are not independent": World(1, 400),
}


class Scores:
    """Log odds for the first class over the second, as the classifier gives them, calibrated.

    How sure it is follows the checkpoint's table of coverage by threshold; it is right as
    often as it is sure.
    """

    def __init__(self, table: tuple[ErrorAtThreshold, ...]) -> None:
        self._covered = np.array([*(row.coverage for row in table), 0.0])
        self._odds = special.logit([*(row.threshold for row in table), 0.9995])

    @classmethod
    def shipped(cls) -> Scores:
        """Those of the weights that come with gclf-live."""
        return cls(load_checkpoint(default_weights_path()).meta.error_table)

    def draw(self, first: Bool, rng: np.random.Generator) -> F64:
        """One view of each track, float64 (N,), given which are of the first class."""
        sure = np.interp(1 - rng.random(len(first)), 1 - self._covered, self._odds)
        right = rng.random(len(first)) < special.expit(sure)
        return np.asarray(np.where(first == right, sure, -sure))


@dataclass(frozen=True, slots=True)
class Archive:
    """A made-up archive: its tracks, and the share that they really have."""

    sample: TrackSample
    own_share: float


def draw_archive(world: World, share: float, scores: Scores, rng: np.random.Generator) -> Archive:
    """One archive; ``share`` is the first class's part of the seconds in footage of that kind."""
    by_count = share / _SHORTER / (share / _SHORTER + 1 - share)
    counts = np.maximum(rng.negative_binomial(4, 4 / (4 + world.tracks), world.videos), 3)
    if world.videos == 1:
        counts[:] = world.tracks
    videos = np.repeat(np.arange(world.videos), counts)
    own = np.full(world.videos, by_count)
    if world.videos > 1:
        own = rng.beta(by_count * world.concentration, (1 - by_count) * world.concentration, world.videos)
    first, odds = _people(world, own, videos, scores, rng)
    seconds = rng.lognormal(1.0, 0.8, len(videos)) * np.where(first, _SHORTER, 1.0)
    scale, shift = np.exp(rng.normal(0, world.doubt.scale)), rng.normal(0, world.doubt.shift)
    reported = special.expit(odds * scale + shift + special.logit(PRIOR[0]))
    sample = TrackSample(seconds, np.column_stack([reported, 1 - reported]), videos)
    return Archive(sample, float(seconds[first].sum() / seconds.sum()))


def _people(
    world: World, own: F64, videos: I64, scores: Scores, rng: np.random.Generator
) -> tuple[Bool, F64]:
    """Who is of the first class, and the log odds of each track; a person's tracks look alike."""
    if not world.people:
        first = rng.random(len(videos)) < own[videos]
        return first, scores.draw(first, rng)
    persons = rng.random(world.videos * world.people) < np.repeat(own, world.people)
    person = videos * world.people + rng.integers(0, world.people, len(videos))
    first = persons[person]
    usual = scores.draw(persons, rng)[person]
    return first, np.where(rng.random(len(videos)) < _SAME_VIEW, usual, scores.draw(first, rng))


@dataclass(frozen=True, slots=True)
class Row:
    """What came out in the archives of one kind; shares in points, coverages in per cent.

    Attributes:
        likeliest, labelled: bias of adding up likeliest classes, and labels above the threshold.
        corrected: bias of the corrected share; each against what the archive really holds.
        beyond: mean of the corrected share less the share of that kind of footage.
        beyond_error: standard error of ``beyond``: what the number of archives leaves open.
        width: of the interval, on average.
        coverage: how often it holds the share of that kind of footage.
        own_coverage: how often it holds what the archive really holds.
    """

    likeliest: float
    labelled: float
    corrected: float
    beyond: float
    beyond_error: float
    width: float
    coverage: float
    own_coverage: float


def simulate(world: World, share: float, scores: Scores, *, archives: int, draws: int, seed: int = 7) -> Row:
    """Draw archives and estimate their shares."""
    rng = np.random.default_rng(seed)
    found = np.empty((archives, 6))
    for number in range(archives):
        archive = draw_archive(world, share, scores, rng)
        got = estimate_shares(archive.sample, PRIOR, draws=draws, seed=number)
        labelled = _labelled(archive.sample)
        found[number] = (
            archive.own_share,
            got.labelled[0],
            labelled,
            got.corrected[0],
            got.low[0],
            got.high[0],
        )
    own, likeliest, labelled_share, corrected, low, high = found.T
    return Row(
        likeliest=100 * float((likeliest - own).mean()),
        labelled=100 * float((labelled_share - own).mean()),
        corrected=100 * float((corrected - own).mean()),
        beyond=100 * float((corrected - share).mean()),
        beyond_error=100 * float(corrected.std() / np.sqrt(archives)),
        width=100 * float((high - low).mean()),
        coverage=100 * float(((low <= share) & (share <= high)).mean()),
        own_coverage=100 * float(((low <= own) & (own <= high)).mean()),
    )


def _labelled(sample: TrackSample) -> float:
    """The first class's part of the seconds that got a label."""
    first, second = (sample.seconds[sample.probabilities[:, c] >= _THRESHOLD].sum() for c in (0, 1))
    return float(first / max(first + second, 1e-9))


def calibration_bias(scale: float, shift: float, share: float, scores: Scores) -> float:
    """Points by which the corrected share of very much footage is off with this calibration."""
    world = World(1, 200_000, people=0, doubt=CalibrationDoubt(0.0, 0.0))
    archive = draw_archive(world, share, scores, np.random.default_rng(11))
    p = archive.sample.probabilities[:, 0]
    odds = scale * (special.logit(p) - special.logit(PRIOR[0])) + shift + special.logit(PRIOR[0])
    changed = special.expit(odds)
    sample = replace(archive.sample, probabilities=np.column_stack([changed, 1 - changed]))
    return 100 * float(corrected_shares(sample, PRIOR)[0] - archive.own_share)


@click.command()
@click.option("--archives", default=1000, show_default=True, help="For each share and each kind of archive.")
@click.option("--draws", default=400, show_default=True, help="Bootstrap draws for an interval.")
def main(archives: int, draws: int) -> None:
    """Print bias and coverage for shares from 10 to 90 %."""
    begin, scores = time.perf_counter(), Scores.shipped()
    click.echo(describe())
    click.echo(
        f"{archives:,} archives a row, {draws:,} draws an interval; shares, biases and widths in points"
    )
    click.echo(_HEAD)

    def row(world: World, share: float, *, archives: int = archives) -> Row:
        found = simulate(world, share, scores, archives=archives, draws=draws)
        click.echo(_line(world, share, found))
        return found

    click.echo(_summary([row(world, share) for world in WORLDS for share in SHARES]))
    for what, world in LIMITS.items():
        click.echo(f"{what}; half as many archives")
        for share in SHARES:
            row(world, share, archives=max(archives // 2, 1))
    click.echo("bias of the corrected share in points if the log odds are all multiplied or shifted")
    click.echo("factor  shift" + "".join(f"  {100 * share:5.0f} %" for share in SHARES))
    for scale, shift in ((1.0, 0.0), (0.8, 0.0), (1.25, 0.0), (1.0, 0.4), (1.0, -0.4)):
        biases = (calibration_bias(scale, shift, share, scores) for share in SHARES)
        click.echo(f"{scale:6.2f} {shift:6.2f}" + "".join(f"  {bias:7.2f}" for bias in biases))
    click.echo(f"{time.perf_counter() - begin:.0f} s")


def _summary(rows: Sequence[Row]) -> str:
    coverages = [row.coverage for row in rows]
    corrected, uncorrected = (
        max(abs(row.corrected) for row in rows),
        max(abs(row.likeliest) for row in rows),
    )
    return (
        f"coverage {min(coverages):.1f} to {max(coverages):.1f} %, on average {np.mean(coverages):.1f} %; "
        f"bias at most {corrected:.2f}, uncorrected {uncorrected:.2f}"
    )


_HEAD = (
    "videos tracks people   true | bias: likeliest  labels>=.8  corrected | mean-true (+-1 s.e.) |"
    "  width  coverage | of own share"
)


def _line(world: World, share: float, row: Row) -> str:
    return (
        f"{world.videos:6d} {world.tracks:6d} {world.people or '-':>6} {100 * share:6.1f} |"
        f"       {row.likeliest:9.2f} {row.labelled:11.2f} {row.corrected:10.2f} |"
        f"    {row.beyond:6.2f} (+-{row.beyond_error:4.2f})  |"
        f" {row.width:6.1f}  {row.coverage:6.1f} % |  {row.own_coverage:6.1f} %"
    )


if __name__ == "__main__":
    main()
