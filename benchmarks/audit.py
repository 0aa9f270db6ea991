"""Whether an audit's figures are right, and how many tracks one has to label for which interval.

python -m benchmarks.audit [--archives 400]

Archives are made up whose true classes are known: tracks of uneven length, a classifier that errs as ours
does, or more often and surer of itself than it should be. Tracks are drawn, "labelled" with the truth, and
summarised by the code of gclf-live audit. A figure is right if it comes out on average; an interval, if it
holds the truth in 95 of 100 archives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import click
import numpy as np

from benchmarks.machine import describe
from gclf_live.records import UNSURE, Bool
from gclf_live.screentime.audit_answers import AuditPlan
from gclf_live.screentime.audit_estimates import Proportion
from gclf_live.screentime.audit_sample import EXCLUDED, Candidate, draw_sample
from gclf_live.screentime.audit_summary import AuditSummary, summarise

CLASSES = ("female", "male")
_THRESHOLD = 0.8


@dataclass(frozen=True, slots=True)
class AuditWorld:
    """What archives are like.

    Attributes:
        tracks: in an archive.
        videos: that they are spread over.
        share: of the first class, before tracks get their lengths.
        strength: distance of the classes in log odds, in standard deviations: 3.5 is 96 % right.
        bias: added to the log odds for the first class, as on footage that the classifier was not made for.
        unclear: chance that a person cannot tell a face.
        excluded: chance that a track is excluded.
        longer: tracks of the first class are longer by this factor.
    """

    tracks: int = 3000
    videos: int = 20
    share: float = 0.35
    strength: float = 3.5
    bias: float = 0.0
    unclear: float = 0.03
    excluded: float = 0.1
    longer: float = 1.0


@dataclass(frozen=True, slots=True)
class KnownArchive:
    """An archive whose truth is known.

    Attributes:
        tracks: what can be drawn; ``track_id`` is the position.
        truth: of each track, None where a person cannot tell.
    """

    tracks: tuple[Candidate, ...]
    truth: tuple[str | None, ...]

    def figures(self) -> dict[str, float]:
        """The true values of what an audit estimates."""
        seconds = np.array([track.seconds for track in self.tracks])
        label = np.array([track.label for track in self.tracks])
        truth = np.array([truth or "" for truth in self.truth])
        told, right, first = truth != "", label == truth, truth == CLASSES[0]
        labelled = told & np.isin(label, CLASSES)

        def share(hits: Bool, among: Bool) -> float:
            return float(seconds[hits & among].sum() / seconds[among].sum())

        return {
            "accuracy": share(right, labelled),
            "accuracy of tracks": float(right[labelled].mean()),
            "precision": share(first, labelled & (label == CLASSES[0])),
            "recall": share(right, labelled & first),
            "share": share(first, told & (label != EXCLUDED)),
            "share with excluded": share(first, told),
        }


def draw_known_archive(world: AuditWorld, rng: np.random.Generator) -> KnownArchive:
    """One archive. Log odds are normal with mean +-d^2/2 and variance d^2, so calibrated without a bias."""
    count = world.tracks
    own = rng.beta(8 * world.share, 8 * (1 - world.share), world.videos)
    video = rng.integers(world.videos, size=count)
    first = rng.random(count) < own[video]
    odds = np.where(first, 1, -1) * world.strength**2 / 2 + rng.normal(0, world.strength, count) + world.bias
    probability = 1 / (1 + np.exp(-odds))
    seconds = rng.lognormal(1.0, 0.9, count) * np.where(first, world.longer, 1.0)
    confidence = np.maximum(probability, 1 - probability)
    label = np.where(confidence < _THRESHOLD, UNSURE, np.where(probability > 0.5, *CLASSES))
    label = np.where(rng.random(count) < world.excluded, EXCLUDED, label)
    unclear = rng.random(count) < world.unclear * np.where(label == EXCLUDED, 5, 1)
    tracks = zip(video.tolist(), label.tolist(), confidence.tolist(), seconds.tolist(), strict=True)
    return KnownArchive(
        tuple(Candidate(v, number, name, sure, s) for number, (v, name, sure, s) in enumerate(tracks)),
        tuple(
            None if hidden else CLASSES[0 if is_first else 1]
            for is_first, hidden in zip(first.tolist(), unclear.tolist(), strict=True)
        ),
    )


def audit_archive(
    archive: KnownArchive, *, count: int, seed: int, answered: int | None = None
) -> AuditSummary:
    """Draw a sample and answer it, or the first ``answered`` of it, with the truth."""
    plan = AuditPlan(seed, count, CLASSES, (), 0, 0.0, draw_sample(archive.tracks, count=count, seed=seed))
    drawn = plan.sample.drawn[:answered]
    summary = summarise(plan, {i: archive.truth[track.track_id] for i, track in enumerate(drawn, 1)})
    assert summary is not None
    return summary


def estimated(summary: AuditSummary) -> Mapping[str, Proportion | None]:
    """What the audit says, by the names of ``KnownArchive.figures``."""
    first = CLASSES[0]
    return {
        "accuracy": summary.by_seconds.accuracy,
        "accuracy of tracks": summary.by_tracks.accuracy,
        "precision": summary.by_seconds.precision[first],
        "recall": summary.by_seconds.recall[first],
        "share": summary.shares[first].corrected,
        "share with excluded": summary.shares[first].with_excluded,
    }


@dataclass(frozen=True, slots=True)
class Trial:
    """What many audits came to, for one figure.

    Attributes:
        truth: mean of the true values.
        bias: mean of the estimate minus the truth.
        noise: standard error of ``bias``.
        coverage: share of the intervals that hold the truth.
        width: mean width of the intervals.
    """

    truth: float
    bias: float
    noise: float
    coverage: float
    width: float


def try_audits(
    world: AuditWorld, *, count: int, archives: int, seed: int = 0, answered: int | None = None
) -> dict[str, Trial]:
    """Audit many archives of a kind; what does not exist in one of them is passed over there."""
    rng = np.random.default_rng(seed)
    rows: dict[str, list[tuple[float, float, float, float]]] = {}
    for number in range(archives):
        archive = draw_known_archive(world, rng)
        said = estimated(audit_archive(archive, count=count, seed=number, answered=answered))
        for name, truth in archive.figures().items():
            if (each := said[name]) is not None:
                rows.setdefault(name, []).append((truth, each.value, each.low, each.high))
    return {name: _trial(np.array(values)) for name, values in rows.items()}


def _trial(rows: np.ndarray) -> Trial:
    truth, value, low, high = rows.T
    errors = value - truth
    return Trial(
        truth=float(truth.mean()),
        bias=float(errors.mean()),
        noise=float(errors.std() / np.sqrt(len(errors))),
        coverage=float(((low <= truth) & (truth <= high)).mean()),
        width=float((high - low).mean()),
    )


WORLDS = {
    "as our classifier": AuditWorld(),
    "share of 10 %": AuditWorld(share=0.1),
    "one video, 400 tracks": AuditWorld(tracks=400, videos=1),
    "weaker classifier": AuditWorld(strength=2.5),
    "biased on this footage": AuditWorld(bias=1.5),
    "women on screen for longer": AuditWorld(longer=2.0),
    "15 % cannot be told": AuditWorld(unclear=0.15),
    "30 % excluded": AuditWorld(excluded=0.3),
}


@click.command()
@click.option("--archives", default=400, show_default=True, help="For each kind of archive and sample size.")
@click.option("--part", type=click.Choice(["all", "figures", "sizes"]), default="all", show_default=True)
def main(archives: int, part: str) -> None:
    """Print bias, coverage and width, then the width by number of tracks."""
    click.echo(describe())
    if part != "sizes":
        _print_figures(archives)
    if part != "figures":
        _print_sizes(max(20, archives // 4))


def _print_figures(archives: int) -> None:
    click.echo(f"{archives:,} archives a kind, 200 tracks labelled; in points, the coverage in per cent")
    click.echo(f"{'archives':<28} {'figure':<20}   true    bias (+-)      coverage  width")
    for name, world in WORLDS.items():
        for figure, trial in try_audits(world, count=200, archives=archives).items():
            click.echo(f"{name:<28} {figure:<20} {_line(trial)}")


def _print_sizes(archives: int) -> None:
    click.echo(
        f"half of the interval's width in points, by how many tracks were labelled; {archives:,} archives"
    )
    for count in (50, 100, 200, 400, 800):
        for name in ("as our classifier", "weaker classifier", "biased on this footage"):
            trials = try_audits(WORLDS[name], count=count, archives=archives)
            widths = "  ".join(f"{figure} {50 * trial.width:.1f}" for figure, trial in trials.items())
            click.echo(f"{count:>4}  {name:<24} {widths}")


def _line(trial: Trial) -> str:
    return (
        f"{100 * trial.truth:6.1f}  {100 * trial.bias:6.2f} ({100 * trial.noise:.2f})  "
        f"{100 * trial.coverage:10.1f}  {100 * trial.width:6.2f}"
    )


if __name__ == "__main__":
    main()
