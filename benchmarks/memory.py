"""Memory of ``gclf-live annotate`` over a long video: the sample clip, repeated.

python -m benchmarks.memory [--minutes 10] [--no-video]
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import click

from benchmarks import SAMPLE_CLIP
from benchmarks.machine import describe
from gclf_live.whole_file import whole_file


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
def main(minutes: int, no_video: bool) -> None:
    """Print resident memory at ten moments of the run, and its highest value."""
    click.echo(describe())
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "long.mp4"
        repeat_clip(SAMPLE_CLIP, video, times=minutes * 6)
        outputs = ["--no-video", "--result", f"{folder}/r.json"] if no_video else ["-o", f"{folder}/out.mp4"]
        command = [sys.executable, "-m", "gclf_live", "annotate", str(video), *outputs]
        process = subprocess.Popen(command)
        samples: list[tuple[float, float]] = []
        started_s = time.monotonic()
        while process.poll() is None:
            samples.append((time.monotonic() - started_s, _resident_mib(process.pid)))
            time.sleep(1)
    if process.returncode:
        sys.exit(process.returncode)
    samples = samples[:-1]
    for share in range(1, 11):
        at_s, mib = samples[min(len(samples) - 1, share * len(samples) // 10)]
        click.echo(f"{at_s:7.0f} s  {mib:7.0f} MiB")
    click.echo(f"highest {max(mib for _, mib in samples):.0f} MiB")


def _resident_mib(pid: int) -> float:
    """Resident memory of a process; 0 once it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError):
        return 0.0
    return pages * resource.getpagesize() / 2**20


if __name__ == "__main__":
    main()
