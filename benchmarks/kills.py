"""Whether an archive survives ``kill -9``: ``python -m benchmarks.kills [--count 20] [--seed 1]``.

A run over a few short clips is killed, with all of its processes, at a random moment after it began to work,
and begun again, until it gets to its end; then the next archive is begun, until there were enough kills. What
each archive holds must equal what an unbroken run gives, and no part that was saved may be begun again.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from benchmarks.crowd import Crowd, CrowdStage, write_crowd
from benchmarks.machine import describe
from gclf_live.media.reader import VideoReader

_PROGRAM = """
import sys
from pathlib import Path
from gclf_live.archive.run import ArchiveOptions, run_archive
from gclf_live.pipeline.jobs import plan_jobs
clips, output, part_s, video, jobs, weights = sys.argv[1:]
report = run_archive(
    plan_jobs([Path(clips)], Path(output), into_folder=True),
    ArchiveOptions(Path(output), weights=Path(weights) if weights else None, device="cpu", tables="csv",
                   part_s=float(part_s), video=video == "1", jobs=int(jobs)),
    say=lambda line: print(line, file=sys.stderr),
)
sys.exit(report.exit_code)
"""
_PATIENCE_S = 300.0


@dataclass(frozen=True, slots=True)
class Archive:
    """What is worked on again and again.

    Attributes:
        clips: folder of the inputs.
        part_s: length of a part.
        video: whether copies are drawn.
        jobs: worker processes.
        weights: checkpoint; None for the one of the package.
    """

    clips: Path
    part_s: float = 2.0
    video: bool = True
    jobs: int = 2
    weights: Path | None = None

    def start(self, output: Path) -> subprocess.Popen[bytes]:
        """Begin a run, or go on with it, in a process group of its own."""
        weights = str(self.weights or "")
        arguments = [self.clips, output, self.part_s, int(self.video), self.jobs, weights]
        return subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, *map(str, arguments)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def finish(self, output: Path) -> Pace:
        """Run to the end; returns what the run was like.

        Raises:
            click.ClickException: the run failed.
        """
        running = self.start(output)
        began_s = wait_for_work(running, output)
        _, told = running.communicate(timeout=_PATIENCE_S)
        if running.returncode != 0:
            raise click.ClickException(f"a run ended with {running.returncode}: {told.decode()[-2000:]}")
        lines = sum(1 for _ in journal(output))
        return Pace(lines, (time.monotonic() - began_s) / lines)


@dataclass(slots=True)
class Tally:
    """What the kills came to, over all archives.

    Attributes:
        kills: runs that were killed while they worked.
        archives: archives that got to their end.
        saved: parts that were saved.
        lost: parts that were begun and had to be begun again.
        twice: parts that were begun again after they had been saved: there must be none.
        different: outputs that differ from those of an unbroken run: likewise.
    """

    kills: int = 0
    archives: int = 0
    saved: int = 0
    lost: int = 0
    twice: int = 0
    different: list[str] = field(default_factory=list)


def journal(output: Path) -> Iterator[dict[str, Any]]:
    """The complete lines of an archive's journal."""
    path = output / ".gclf-live" / "journal.jsonl"
    for line in path.read_bytes().splitlines(keepends=True) if path.exists() else ():
        if line.endswith(b"\n"):
            yield json.loads(line)


def wait_for_work(running: subprocess.Popen[bytes], output: Path) -> float:
    """Wait until a run has written that it begins; returns that moment of ``time.monotonic``.

    Raises:
        click.ClickException: it ended or took too long.
    """
    before = sum(event.get("event") == "run" for event in journal(output))
    end_s = time.monotonic() + _PATIENCE_S
    while sum(event.get("event") == "run" for event in journal(output)) == before:
        if running.poll() is not None or time.monotonic() > end_s:
            assert running.stderr is not None
            raise click.ClickException(f"a run did not begin: {running.stderr.read().decode()[-2000:]}")
        time.sleep(0.02)
    return time.monotonic()


def kill(running: subprocess.Popen[bytes]) -> None:
    """End all processes of a run at once, with no chance to tidy up."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGKILL)
    running.communicate()


@dataclass(frozen=True, slots=True)
class Pace:
    """What an unbroken run was like.

    Attributes:
        lines: that it wrote into its journal.
        line_s: seconds from one to the next, on average.
    """

    lines: int
    line_s: float


def kill_through(archive: Archive, output: Path, *, moments: random.Random, pace: Pace, kills: int) -> int:
    """Work through one archive with at most ``kills`` kills on the way; returns how many there were.

    A run is killed a random time after a random line of its journal: on a busy machine, one that is killed
    after so many seconds has done nothing yet, or all.

    Args:
        archive: what is worked on.
        output: a new folder.
        moments: draws when a run is killed.
        pace: of an unbroken run.
        kills: no more than these; then the run may go on to its end.
    """
    done = 0
    while done < kills:
        running = archive.start(output)
        wait_for_work(running, output)
        last = _lines(output) + moments.randint(0, pace.lines // 2)
        while running.poll() is None and _lines(output) < last:
            time.sleep(0.01)
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(moments.uniform(0, pace.line_s))
        if running.poll() is not None:
            running.communicate()
            break
        kill(running)
        done += 1
    archive.finish(output)
    return done


def _lines(output: Path) -> int:
    return sum(1 for _ in journal(output))


def count_parts(events: Sequence[dict[str, Any]]) -> tuple[int, int, int]:
    """Parts saved, begun again because they were lost, and begun or saved again after they had been saved."""
    begun: Counter[tuple[str, ...]] = Counter()
    saved: set[tuple[str, ...]] = set()
    twice = 0
    for event in events:
        part = tuple(str(event.get(name)) for name in ("file", "step", "key", "part"))
        if event.get("event") == "begun":
            begun[part] += 1
            twice += part in saved
        elif event.get("event") == "saved":
            twice += part in saved
            saved.add(part)
        elif event.get("event") == "kept":
            saved.add(part)
    return len(saved), sum(count - 1 for count in begun.values()), twice


def contents(output: Path) -> dict[str, object]:
    """What is in an output folder: bytes by name; of a video the times of its frames.

    An encoder with several threads does not give the same bytes twice.
    """
    found: dict[str, object] = {}
    for path in sorted(output.rglob("*")):
        name = path.relative_to(output)
        if path.is_file() and name.parts[0] != ".gclf-live":
            found[str(name)] = frame_times(path) if path.suffix == ".mp4" else path.read_bytes()
    return found


def frame_times(path: Path) -> tuple[float, ...]:
    """Presentation times of all frames of a video."""
    with VideoReader(path) as reader:
        return tuple(frame.pts_s for frame in reader.decoded())


def differences(expected: dict[str, object], found: dict[str, object]) -> list[str]:
    """Names that are in one only, or with another content."""
    return sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))


@click.command()
@click.option("--count", type=click.IntRange(min=1), default=20, show_default=True, help="Kills.")
@click.option("--seed", default=1, show_default=True, help="Of the moments.")
@click.option("--jobs", type=click.IntRange(min=1), default=2, show_default=True, help="Worker processes.")
@click.option("--no-video", is_flag=True, help="Measure only.")
def main(count: int, seed: int, jobs: int, no_video: bool) -> None:
    """Kill runs over an archive at random moments, and print what that came to."""
    click.echo(describe())
    moments, tally = random.Random(seed), Tally()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        archive = Archive(make_clips(folder / "clips"), video=not no_video, jobs=jobs)
        pace = archive.finish(folder / "unbroken")
        expected = contents(folder / "unbroken")
        while tally.kills < count:
            output = folder / f"archive-{tally.archives}"
            left = count - tally.kills
            tally.kills += kill_through(archive, output, moments=moments, pace=pace, kills=left)
            tally.archives += 1
            saved, lost, twice = count_parts(list(journal(output)))
            tally.saved, tally.lost, tally.twice = tally.saved + saved, tally.lost + lost, tally.twice + twice
            tally.different += [f"{output.name}/{each}" for each in differences(expected, contents(output))]
            click.echo(f"{tally.kills} kills", err=True)
    click.echo(
        f"{tally.kills} kills in {tally.archives} archives of {len(expected)} outputs: {tally.saved} parts "
        f"saved, {tally.lost} lost in work and done again, {tally.twice} computed again after being saved, "
        f"{len(tally.different)} outputs that differ from those of an unbroken run"
    )
    if tally.twice or tally.different:
        raise click.ClickException(f"this must not be: {tally.different}")


def make_clips(folder: Path) -> Path:
    """Three clips of different lengths with a few faces."""
    folder.mkdir()
    for index, (faces, seconds) in enumerate(((2, 5.0), (3, 9.0), (1, 3.0))):
        crowd = Crowd(faces, seconds=seconds, width_px=854, height_px=480)
        write_crowd(folder / f"clip-{index}.mp4", CrowdStage(crowd))
    return folder


if __name__ == "__main__":
    main()
