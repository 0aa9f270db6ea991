"""Whether the corrected share of screen time is right, and its interval as wide as it says.

python -m benchmarks.screentime [--archives 1000]

Archives are made up whose true share is known: videos that differ in their own share, tracks of uneven
length, and a classifier that errs as ours does on tracks. A share is right if it comes out on average; an
interval, if it holds the truth in 95 of 100 archives.
"""

from __future__ import annotations

from dataclasses import dataclass

import click
import numpy as np

from benchmarks.machine import describe
from gclf_live.screentime.shares import TrackSample, estimate_shares

_SHARES = (0.1, 0.25, 0.5, 0.75, 0.9)


@dataclass(frozen=True, slots=True)
class World:
    """What archives are like.

    Attributes:
        videos: number of them in an archive.
        tracks: mean number in a video.
        concentration: of the beta distribution of a video's own share; larger is more alike.
        strength: distance of the two classes in log odds, in standard deviations: 3.5 is 96 % right.
        prior: share of the first class in the pictures that the classifier was calibrated on.
    """

    videos: int
    tracks: int
    concentration: float
    strength: float
    prior: float


def draw_archive(world: World, share: float, rng: np.random.Generator) -> TrackSample:
    """One archive whose expected share of the first class's seconds is ``share``.

    The log likelihood ratio of a track is normal with mean +-d^2/2 and variance d^2, which is what makes
    the probabilities calibrated; seconds are log-normal, of the same law in both classes.
    """
    counts = np.maximum(rng.poisson(world.tracks, world.videos), 1)
    if world.videos > 1:
        own = rng.beta(share * world.concentration, (1 - share) * world.concentration, world.videos)
    else:
        own = np.array([share])
    videos = np.repeat(np.arange(world.videos), counts)
    first = rng.random(len(videos)) < own[videos]
    ratio = np.where(first, 1, -1) * world.strength**2 / 2 + rng.normal(0, world.strength, len(videos))
    odds = np.exp(np.clip(ratio, -30, 30)) * world.prior / (1 - world.prior)
    probabilities = np.column_stack([odds / (1 + odds), 1 / (1 + odds)])
    return TrackSample(rng.lognormal(1.0, 0.8, len(videos)), probabilities, videos)


@click.command()
@click.option("--archives", default=1000, show_default=True, help="For each share and each kind of archive.")
@click.option("--draws", default=1000, show_default=True, help="Bootstrap draws for an interval.")
def main(archives: int, draws: int) -> None:
    """Print bias and coverage for shares from 10 to 90 %."""
    click.echo(describe())
    click.echo(f"{archives:,} archives a row, {draws:,} draws an interval; shares and biases in points")
    click.echo("videos tracks  right   true   labelled  bias   corrected  bias   width   coverage")
    for world in (
        World(videos=1, tracks=60, concentration=8, strength=3.5, prior=0.53),
        World(videos=1, tracks=400, concentration=8, strength=3.5, prior=0.53),
        World(videos=12, tracks=30, concentration=8, strength=3.5, prior=0.53),
        World(videos=40, tracks=30, concentration=8, strength=3.5, prior=0.53),
        World(videos=40, tracks=30, concentration=8, strength=2.5, prior=0.53),
    ):
        for share in _SHARES:
            click.echo(_row(world, share, archives=archives, draws=draws))


def _row(world: World, share: float, *, archives: int, draws: int) -> str:
    rng = np.random.default_rng(7)
    labelled, corrected, widths, held = [], [], [], 0
    right = 0.0
    for number in range(archives):
        sample = draw_archive(world, share, rng)
        result = estimate_shares(sample, np.array([world.prior, 1 - world.prior]), draws=draws, seed=number)
        labelled.append(result.labelled[0])
        corrected.append(result.corrected[0])
        widths.append(result.high[0] - result.low[0])
        held += int(result.low[0] <= share <= result.high[0])
        right += float(sample.probabilities.max(axis=1).mean()) / archives
    return (
        f"{world.videos:6d} {world.tracks:6d}  {100 * right:5.1f}  {100 * share:5.1f}"
        f"  {100 * np.mean(labelled):8.2f} {100 * (np.mean(labelled) - share):6.2f}"
        f"  {100 * np.mean(corrected):8.2f} {100 * (np.mean(corrected) - share):6.2f}"
        f"  {100 * np.mean(widths):6.1f}   {100 * held / archives:5.1f} %"
    )


if __name__ == "__main__":
    main()
