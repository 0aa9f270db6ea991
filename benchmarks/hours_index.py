"""What libav holds of a long mp4, by itself: ``python -m benchmarks.hours_index SOURCE TARGET``.

A file that is read has its index in memory, and one that is written keeps the size and the times of every
frame and packet until its end. This copies the packets of SOURCE to TARGET, with nothing of ours between, and
prints by how many MiB the process grows when SOURCE is opened, and while TARGET is written.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import av
import click

from benchmarks.hours_state import state_of


@click.command()
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
def main(source: Path, target: Path) -> None:
    """Copy, and print both numbers."""
    with av.open(target, "w", options={"movflags": "+faststart"}) as copy:
        before_mib = _resident_mib()
        with av.open(source) as original:
            opened_mib = _resident_mib()
            streams = {each.index: copy.add_stream_from_template(each) for each in original.streams}
            for packet in original.demux():
                if packet.dts is not None:
                    packet.stream = streams[packet.stream.index]
                    copy.mux(packet)
            click.echo(f"{opened_mib - before_mib:.1f} {_resident_mib() - opened_mib:.1f}")


def indexes_mib(source: Path, target: Path) -> tuple[float, float]:
    """What an open ``source`` takes, and a copy of it that is not closed yet, in MiB, in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.hours_index", str(source), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    read_mib, written_mib = map(float, done.stdout.split())
    return read_mib, written_mib


def _resident_mib() -> float:
    state = state_of()
    return state.memory_mib if state else 0.0


if __name__ == "__main__":
    main()
