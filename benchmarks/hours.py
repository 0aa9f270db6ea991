"""Ten hours of video in accelerated time: ``python -m benchmarks.hours [--hours 10] [--part live]``.

Live, a stand-in camera hands out a picture as soon as the one before is on the screen, and a clock goes on by
the time between two pictures. The rest is the session that users have, but for the search for faces and the
network, which know where a face is and what to call it: with them, ten hours would take ten hours. A tenth
of the time is recorded, too. ``annotate`` is the command itself, on a clip that is repeated.

Printed are memory, open files, threads and delay by tenths, and at the end the tracks, beside how many people
came, and how far sound and picture have drifted apart. What is not flat, or not right, is an error.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import click

from benchmarks.crowd import Crowd, CrowdStage, write_crowd
from benchmarks.hours_index import indexes_mib
from benchmarks.hours_live import LiveHours
from benchmarks.hours_state import State, flat_faults, state_of, state_table
from benchmarks.machine import describe
from benchmarks.memory import repeat_clip

_CLIP_S = 10.0
_INDEX_MIB_AN_HOUR = 30.0
"""An mp4 keeps the size and the time of each of its frames until its end: 0.2 kB a frame at 30 a second."""
_MEASURED_MIB_AN_HOUR = 10.0
"""What was found is held until the copy is drawn: 0.2 kB for each of two faces in every sixth frame, and the
times of all frames."""
_SECOND_PASS_MIB = 40.0
"""The encoder, and the thread that decodes beside it."""


@dataclass(frozen=True, slots=True)
class Ends:
    """Where the streams of a file end, in seconds.

    Attributes:
        picture_s: the last frame's time.
        sound_s: the end of the last packet.
        frame_s: from one frame to the next, on average.
    """

    picture_s: float
    sound_s: float
    frame_s: float


@click.command()
@click.option("--hours", type=click.FloatRange(min=0.001), default=10.0, show_default=True)
@click.option("--fps", type=click.FloatRange(min=1), default=30.0, show_default=True, help="Of the camera.")
@click.option(
    "--part", "parts", multiple=True, type=click.Choice(["live", "record", "annotate"]), help="Only these."
)
def main(hours: float, fps: float, parts: tuple[str, ...]) -> None:
    """Print what long runs come to, and fail where something grows that must not."""
    click.echo(describe())
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in parts or ("live", "record", "annotate"):
            if part == "annotate":
                wrong += annotate_hours(folder, hours)
            else:
                record = folder / "live.mp4" if part == "record" else None
                wrong += live_hours(hours if record is None else hours / 10, fps, record)
    if wrong:
        raise click.ClickException("; ".join(wrong))


def live_hours(hours: float, fps: float, record: Path | None) -> list[str]:
    """One live session, recorded or not, and what is wrong with it."""
    live = LiveHours(seconds=3600 * hours, fps=fps, record=record)
    live.run()
    what = "live" if record is None else "live, recorded"
    click.echo(
        f"\n{what}: {hours:g} h at {fps:g} frames/s, {live.frames:,} frames in {live.wall_s:.0f} s; real: "
        "capture thread, shot cuts, tracker, crops, smoothing, drawing, window"
        + ("; encoder, mp4" if record else "")
        + "; stand-ins: camera, clock, screen, search for faces, network"
    )
    click.echo(state_table(live.states))
    click.echo(f"tracks {live.tracks:,}, people who came {live.people:,}")
    allowed_mib = 3.0 + (_INDEX_MIB_AN_HOUR * hours * fps / 30 if record else 0.0)
    wrong = [f"{what}: {fault}" for fault in flat_faults(live.states, allowed_mib=allowed_mib)]
    if live.tracks != live.people:
        wrong.append(f"{what}: {live.tracks} tracks of {live.people} people")
    if record is not None:
        ends = ends_of(record)
        drift = (ends.picture_s - live.last_pts_s) * fps
        click.echo(f"recording: its last frame is {drift:+.3f} frames from where the clock was")
        if abs(drift) >= 1:
            wrong.append(f"{what}: it has drifted by {drift:.2f} frames")
    return wrong


def annotate_hours(folder: Path, hours: float) -> list[str]:
    """``gclf-live annotate`` on a repeated clip, and what is wrong with it."""
    clip, source, target = folder / "clip.mp4", folder / "long.mp4", folder / "out.mp4"
    write_crowd(clip, CrowdStage(Crowd(2, seconds=_CLIP_S, width_px=320, height_px=180)))
    repeat_clip(clip, source, times=max(1, round(3600 * hours / (_CLIP_S + 0.1))))
    command = ["annotate", str(source), "-o", str(target), "--device", "cpu"]
    began_s = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "gclf_live", *command])
    states: list[State] = []
    while process.poll() is None:
        if (state := state_of(process.pid)) is not None:
            states.append(state)
        time.sleep(0.5)
    if process.returncode:
        return [f"annotate ended with {process.returncode}"]
    click.echo(
        f"\nannotate: {hours:g} h of 320x180 at 30 frames/s in {time.monotonic() - began_s:.0f} s; "
        "all of it real"
    )
    tenths = _tenths(states)
    click.echo(state_table(tenths))
    before, after = ends_of(source), ends_of(target)
    read_mib, written_mib = indexes_mib(source, folder / "copied.mp4")
    click.echo(
        f"of this, what libav alone holds to copy the packets: 2 x {read_mib:.0f} MiB for the source, from "
        f"which picture and sound are read, and up to {written_mib:.0f} MiB for the copy, in the second pass"
    )
    drift = ((after.sound_s - after.picture_s) - (before.sound_s - before.picture_s)) / before.frame_s
    click.echo(f"sound against picture at the end: {drift:+.3f} frames from where the source has them")
    # The first tenth loads, and the passes differ: each is looked at by itself.
    allowed_mib = written_mib + _SECOND_PASS_MIB + _MEASURED_MIB_AN_HOUR * hours
    wrong = [f"annotate: {fault}" for fault in flat_faults(tenths[1:], allowed_mib=allowed_mib, files=8)]
    return wrong + [f"annotate: sound has drifted by {drift:.2f} frames"] * (abs(drift) >= 1)


def _tenths(states: Sequence[State]) -> list[State]:
    """The state at the end of each tenth of a run."""
    last = len(states) - 2  # the very last ones are of a process that is ending
    return [states[max(0, share * last // 10)] for share in range(1, 11)]


def ends_of(path: Path) -> Ends:
    """Where the streams of a file end; nothing is decoded."""
    picture: list[float] = []
    sound_s = 0.0
    with av.open(path) as container:
        for packet in container.demux():
            if packet.pts is None or packet.time_base is None:
                continue
            if packet.stream.type == "video":
                picture.append(float(packet.pts * packet.time_base))
            else:
                sound_s = max(sound_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))
    return Ends(max(picture), sound_s, (max(picture) - min(picture)) / max(1, len(picture) - 1))


if __name__ == "__main__":
    main()
