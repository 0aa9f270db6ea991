"""How well and how fast faces are followed: identity switches on films of wandering faces.

python -m benchmarks.tracking [--against trackers] [--against norfair]
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterable

import click
import numpy as np

from benchmarks.machine import describe
from benchmarks.other_trackers import Tracker, load_rivals
from benchmarks.wandering import Conditions, Sighting, box_faces, make_film
from gclf_live.faces.tracker import FaceTracker
from gclf_live.records import Faces

_SPEEDS = (0.4, 1.0)
_RATES = (5.0, 6.0, 15.0, 30.0)
_CROWDS = (1, 6, 20, 50)
_UPDATES = 150
_WARM_UP = 20


def count_confusions(film: Iterable[Sighting], tracker: Tracker) -> tuple[int, int]:
    """Follow the faces of a film.

    Returns:
        Identity switches, as CLEAR MOT counts them (Bernardin and Stiefelhagen 2008,
        doi:10.1155/2008/246309): how often a person's id is another than at the last sighting; and how
        many ids were given to more than one person.
    """
    last: dict[int, int] = {}
    owners: defaultdict[int, set[int]] = defaultdict(set)
    switches = 0
    for sighting in film:
        tracks = tracker.update(sighting.faces, sighting.pts_s)
        person_of = {
            box.tobytes(): person
            for box, person in zip(sighting.faces.boxes, sighting.people.tolist(), strict=True)
        }
        for box, track_id in zip(tracks.faces.boxes, tracks.ids.tolist(), strict=True):
            person = person_of[box.tobytes()]
            if person >= 0:
                switches += last.get(person, track_id) != track_id
                last[person] = track_id
                owners[track_id].add(person)
    return switches, sum(len(people) > 1 for people in owners.values())


def time_update_ms(make: Callable[[], Tracker], faces: int) -> float:
    """Median CPU time of an update with so many faces that drift slowly, in milliseconds."""
    rng = np.random.default_rng(0)
    places = np.array([(60 + 120 * (i % 10), 60 + 130 * (i // 10)) for i in range(faces)], np.float64)
    tracker = make()
    took_s = [
        _time_s(
            tracker, box_faces(places + rng.normal(0, 2, places.shape) + i / 2, np.full(faces, 80.0)), i / 30
        )
        for i in range(_UPDATES)
    ]
    return statistics.median(took_s[_WARM_UP:]) * 1000


def _time_s(tracker: Tracker, faces: Faces, pts_s: float) -> float:
    # CPU time: what else runs on the machine does not count.
    started_s = time.process_time()
    tracker.update(faces, pts_s)
    return time.process_time() - started_s


@click.command()
@click.option("--against", multiple=True, metavar="PACKAGE", help="Measure trackers or norfair as well.")
@click.option("--seeds", default=4, show_default=True)
def main(against: tuple[str, ...], seeds: int) -> None:
    """Print identity switches by frame rate and in all, and the time of an update."""
    candidates: dict[str, Callable[[], Tracker]] = {"FaceTracker": FaceTracker}
    for package in against:
        candidates |= load_rivals(package)
    click.echo(describe())
    click.echo(f"{len(_SPEEDS) * len(_RATES) * seeds} films; speeds {_SPEEDS} face sizes a second")
    rates = " ".join(f"{rate:>4.0f}" for rate in _RATES)
    crowds = " ".join(f"{crowd:>6}" for crowd in _CROWDS)
    click.echo(
        f"{'':<20} switches at {rates} frames/s   all   ids on two   CPU ms an update of {crowds} faces"
    )
    for name, make in candidates.items():
        click.echo(_row(name, make, seeds))


def _row(name: str, make: Callable[[], Tracker], seeds: int) -> str:
    switches, shared = [], 0
    for rate in _RATES:
        films = [Conditions(speed, rate, seed) for speed in _SPEEDS for seed in range(seeds)]
        counts = [count_confusions(make_film(film), make()) for film in films]
        switches.append(sum(count for count, _ in counts))
        shared += sum(ids for _, ids in counts)
    by_rate = " ".join(f"{count:>4}" for count in switches)
    times = " ".join(f"{time_update_ms(make, crowd):>6.2f}" for crowd in _CROWDS)
    return f"{name:<20} {'':<11} {by_rate} {'':<10} {sum(switches):>3} {shared:>12} {'':<21} {times}"


if __name__ == "__main__":
    main()
