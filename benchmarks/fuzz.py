"""Mutated files against what reads them: ``python -m benchmarks.fuzz [--kind K] [--first N] [--count N]``.

Each file is a whole one, mutated as its number says, and goes through ``predict``, ``annotate`` or the
loading of a checkpoint in a child process under limits of the kernel. It may be read, or refused with one
line; a crash, more than 10 s, a traceback, a second line or a file that is left is a fault.
"""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from benchmarks.confined import Confined, Told, load_pipeline, run_command
from benchmarks.fuzz_seeds import KINDS, Kind, Seed, make_seeds
from benchmarks.machine import describe

_EXTREMES = (b"\x00", b"\xff", b"\x7f", b"\x80")


@dataclass(frozen=True, slots=True)
class Task:
    """What the child process is given: a file, what it is, where it may write, and the weights to use."""

    kind: str
    path: Path
    output: Path
    weights: Path


@dataclass(slots=True)
class Count:
    """What came of the files of one kind."""

    runs: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def line(self) -> str:
        """The counts in words."""
        ends = ", ".join(f"{count} {end}" for end, count in sorted(self.ends.items()))
        kinds = Counter(fault.split(": ")[1] for fault in self.faults)
        faults = ", ".join(f"{kinds[kind]} {kind}" for kind in ("crash", "hang", "traceback", "manners"))
        return f"{self.runs} run: {ends}; {faults}"


def mutate(content: bytes, other: bytes, draw: random.Random) -> bytes:
    """``content`` changed in one to four places, as broken disks, cut transfers and hostile people change it.

    Args:
        content: a whole file.
        other: another one, to take pieces from.
        draw: decides how.
    """
    changed = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 4))):
        if not changed:
            break
        draw.choice(_MUTATIONS)(changed, other, draw)
    return bytes(changed)


def _place(changed: Sequence[int], draw: random.Random) -> int:
    """A place in the file: half of the time near its beginning, where the headers are."""
    return draw.randrange(min(len(changed), 512) if draw.random() < 0.5 else len(changed))


def _flip_bits(changed: bytearray, other: bytes, draw: random.Random) -> None:
    for _ in range(draw.choice((1, 8, 64))):
        changed[_place(changed, draw)] ^= 1 << draw.randrange(8)


def _set_extreme(changed: bytearray, other: bytes, draw: random.Random) -> None:
    at, length = _place(changed, draw), draw.choice((1, 2, 4, 8))
    value = draw.choice(_EXTREMES) + draw.choice((b"\x00", b"\xff")) * (length - 1)
    changed[at : at + length] = draw.choice((value, value[::-1]))


def _cut_end(changed: bytearray, other: bytes, draw: random.Random) -> None:
    del changed[_place(changed, draw) + 1 :]


def _cut_out(changed: bytearray, other: bytes, draw: random.Random) -> None:
    at = _place(changed, draw)
    del changed[at : at + draw.choice((1, 4, 100, 5000))]


def _repeat(changed: bytearray, other: bytes, draw: random.Random) -> None:
    at = _place(changed, draw)
    piece = changed[at : at + draw.choice((1, 4, 100, 5000))]
    changed[at:at] = piece * draw.choice((1, 2, 50))


def _blank(changed: bytearray, other: bytes, draw: random.Random) -> None:
    at, length = _place(changed, draw), draw.choice((4, 512, 4096))
    changed[at : at + length] = draw.choice(_EXTREMES) * min(length, len(changed) - at)


def _splice(changed: bytearray, other: bytes, draw: random.Random) -> None:
    at, start = _place(changed, draw), _place(other, draw)
    changed[at:] = other[start:]


_MUTATIONS: tuple[Callable[[bytearray, bytes, random.Random], None], ...] = (
    _flip_bits,
    _flip_bits,
    _set_extreme,
    _set_extreme,
    _cut_end,
    _cut_out,
    _repeat,
    _blank,
    _splice,
)


def work(task: Task) -> Told:
    """Give one file to what reads it."""
    model = ["--device", "cpu", "--weights", str(task.weights)]
    if task.kind == "pictures":
        # Every other one is drawn on as well.
        if task.path.stat().st_size % 2:
            copy = task.output / ("out.mp4" if task.path.suffix == ".gif" else "out.png")
            return run_command(["annotate", str(task.path), "-o", str(copy), *model])
        return run_command(["predict", str(task.path), "--json", *model])
    if task.kind == "videos":
        speed = ["--preset", "ultrafast", "--crf", "30"]
        return run_command(["annotate", str(task.path), "-o", str(task.output / "out.mp4"), *speed, *model])
    return run_command(["predict", str(task.path.parent / "none.jpg"), "--weights", str(task.path)])


def run_one(kind: Kind, seeds: Sequence[Seed], number: int, child: Confined, folder: Path) -> tuple[str, str]:
    """Mutate a file, run it; how it ended, and what was wrong, or empty."""
    draw = random.Random(f"{kind.name} {number}")
    seed, other = draw.choice(seeds), draw.choice(seeds)
    with tempfile.TemporaryDirectory(dir=folder) as name:
        path, output = Path(name) / f"in{seed.suffix}", Path(name) / "out"
        output.mkdir()
        path.write_bytes(mutate(seed.content, other.content, draw))
        outcome = child.call(Task(kind.name, path, output, folder / "weights.safetensors"))
        if outcome.fault:
            return "at fault", outcome.fault
        wrong = wrong_manners(outcome.value, output)
    end = "read" if outcome.value.code == 0 or _weights_were_read(kind, outcome.value) else "refused"
    return end, f"manners: {wrong}" if wrong else ""


def _weights_were_read(kind: Kind, told: Told) -> bool:
    return kind.name == "checkpoints" and "none.jpg" in told.err


def wrong_manners(told: Told, output: Path) -> str:
    """What no run may do: end with another code, print what is not a line of ours, leave a file."""
    lines = told.err.splitlines()
    if told.code not in (0, 1):
        return f"exit code {told.code}: {told.err[-500:]}"
    if any(not line.startswith("gclf-live: ") for line in lines):
        return f"printed {told.err[-500:]!r}"
    if told.code and len(lines) > 2:  # where the network runs, and why there is no answer
        return f"{len(lines)} lines instead of one: {told.err[-500:]!r}"
    if "cannot write" in told.err:
        return f"blames the output: {told.err[-500:]!r}"
    left = [path.name for path in output.iterdir() if told.code or not path.name.startswith("out.")]
    return f"left {left}" if left else ""


def run_kind(kind: Kind, numbers: range, child: Confined, *, say: Callable[[str], None]) -> Count:
    """Run the mutated files with these numbers."""
    count = Count()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seeds = make_seeds(kind, folder)
        for number in numbers:
            end, wrong = run_one(kind, seeds, number, child, folder)
            count.runs += 1
            count.ends[end] += 1
            if wrong:
                count.faults.append(f"{kind.name} {number}: {wrong}")
                say(count.faults[-1])
    return count


@click.command()
@click.option("--kind", type=click.Choice(sorted(KINDS)), multiple=True, help="Default: all.")
@click.option("--first", default=0, show_default=True, help="Begin with the file of this number.")
@click.option("--count", type=int, help="So many of each kind.  [default: 2000 pictures, 500 of the others]")
def main(kind: tuple[str, ...], first: int, count: int | None) -> None:
    """Print how many mutated files were read, were refused, and did what none may do."""
    click.echo(describe())
    faults = 0
    with Confined(work, prepare=load_pipeline) as child:
        for name in kind or sorted(KINDS):
            behind = first + (KINDS[name].count if count is None else count)
            counted = run_kind(
                KINDS[name], range(first, behind), child, say=lambda line: click.echo(line, err=True)
            )
            click.echo(f"{name}, {first} to {behind - 1}: {counted.line()}")
            faults += len(counted.faults)
    if faults:
        raise click.ClickException(f"{faults} faults")


if __name__ == "__main__":
    main()
