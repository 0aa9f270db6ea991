"""Memory of ``gclf-live annotate`` over a long video: the sample clip, repeated.

python -m benchmarks.memory [--minutes 10] [--no-video]
python -m benchmarks.memory --minutes 1 --jobs 2        # each process of an archive
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import click
import numpy as np

from benchmarks import SAMPLE_CLIP
from benchmarks.hours_state import state_of
from benchmarks.machine import describe
from gclf_live.whole_file import whole_file

_PARTS = 10
_HELPER_MIB = 50
"""What is smaller is one of Python's own helpers."""


def repeat_clip(clip: Path, target: Path, *, times: int) -> None:
    """Write ``clip`` ``times`` times in a row; packets are copied, nothing is encoded again."""
    with (
        whole_file(target, overwrite=True) as part,
        av.open(str(part), "w") as output,
        av.open(str(clip)) as first,
    ):
        streams = {stream.index: output.add_stream_from_template(stream) for stream in first.streams}
        for turn in range(times):
            with av.open(str(clip)) as source:
                # A tenth of a second more: AAC begins before 0 and would overlap with the turn before.
                length = Fraction(source.duration or 0, av.time_base) + Fraction(1, 10)
                for packet in source.demux():
                    if packet.dts is not None and packet.pts is not None and packet.time_base:
                        shift = round(turn * length / packet.time_base)
                        packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                        packet.stream = streams[packet.stream.index]
                        output.mux(packet)


@click.command()
@click.option("--minutes", default=10, show_default=True)
@click.option("--no-video", is_flag=True, help="Measure only, without a copy.")
@click.option("--jobs", type=int, help="An archive of so many such videos, with as many processes.")
def main(minutes: int, no_video: bool, jobs: int | None) -> None:
    """Print resident memory in ten parts of the run, median and highest, once a second."""
    click.echo(describe())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        for i in range(jobs or 1):
            repeat_clip(SAMPLE_CLIP, folder / "in" / f"{i}.mp4", times=minutes * 6)
        if jobs:
            outputs = ["--out-dir", f"{folder}/out", "--jobs", str(jobs), *["--no-video"] * no_video]
            _print_archive(["annotate", f"{folder}/in", *outputs])
        else:
            outputs = (
                ["--no-video", "--result", f"{folder}/r.json"] if no_video else ["-o", f"{folder}/out.mp4"]
            )
            _print_course(["annotate", f"{folder}/in/0.mp4", *outputs])


def _print_course(arguments: list[str]) -> None:
    started_s = time.monotonic()
    seen = [(time.monotonic() - started_s, state_of(pid)) for pid in _watched(arguments, every_s=1)]
    samples = [(at_s, state.memory_mib) for at_s, state in seen if state is not None]
    rows = np.array_split(np.array(samples), min(_PARTS, len(samples)))
    for part in rows:
        until_s, mib = part[-1, 0], part[:, 1]
        click.echo(f"to {until_s:5.0f} s  {np.median(mib):7.0f} MiB  highest {mib.max():7.0f} MiB")
    highest = [part[:, 1].max() for part in rows]
    mean = float(np.mean(highest))
    click.echo(
        f"highest of all {max(highest):.0f} MiB; of the parts {100 * (min(highest) / mean - 1):+.1f} to "
        f"{100 * (max(highest) / mean - 1):+.1f} % of their mean"
    )


def _print_archive(arguments: list[str]) -> None:
    """Each process's highest values; what several share counts for each of them by its part."""
    resident: dict[int, float] = {}
    own: dict[int, float] = {}
    for pid in _watched(arguments, every_s=0.3):
        for each in (pid, *_children(pid)):
            for mib, highest in zip(_shares_mib(each), (resident, own), strict=True):
                highest[each] = max(highest.get(each, 0), mib)
    for i, (each, mib) in enumerate(resident.items()):
        if mib < _HELPER_MIB:
            continue
        process = "first process" if i == 0 else "a process of it"
        click.echo(
            f"{process:<16}{mib:7.0f} MiB resident  {own[each]:7.0f} MiB where shared pages are divided"
        )


def _watched(arguments: list[str], *, every_s: float) -> Iterator[int]:
    """The process of ``gclf-live`` with these arguments, again and again until it ends; 0 is no failure."""
    process = subprocess.Popen([sys.executable, "-m", "gclf_live", *arguments])
    while process.poll() is None:
        yield process.pid
        time.sleep(every_s)
    if process.returncode:
        sys.exit(process.returncode)


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]
    except OSError:
        return []


def _shares_mib(pid: int) -> tuple[float, float]:
    """Resident memory, and the same with shared pages divided among those who share them."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()[1:]
    except OSError:
        return 0.0, 0.0
    kib = {name: float(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    return kib.get("Rss", 0.0) / 1024, kib.get("Pss", 0.0) / 1024


if __name__ == "__main__":
    main()
