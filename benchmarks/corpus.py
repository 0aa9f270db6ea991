"""What goes into ``annotate`` and what comes out, case by case: ``python -m benchmarks.corpus``.

A case is right where the copy has the frames, times, length, sound, orientation and colours of its source, or
where the run ends with one line that says why there is none. No case may end otherwise, or leave anything.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from PIL import Image

from benchmarks.confined import Confined, Told, load_pipeline, run_command
from benchmarks.corpus_cases import CASES, Case, Input, Pictures, Refused
from benchmarks.corpus_check import Facts, Right, facts, faults
from benchmarks.corpus_damage import DAMAGE, Damage, Tally
from benchmarks.machine import describe

_QUALITY = ("--crf", "1", "--preset", "ultrafast", "--device", "cpu")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        case: its name.
        cells: frames, times, duration, sound, picture, colours; or the line with which it ended.
        wrong: what is not as it should be; empty where all is.
    """

    case: str
    cells: tuple[str, ...]
    wrong: tuple[str, ...] = ()

    def line(self) -> str:
        """As a row of a Markdown table."""
        verdict = f"FAIL: {'; '.join(self.wrong)}" if self.wrong else "PASS"
        cells = self.cells if len(self.cells) > 1 else (*["-"] * 5, self.cells[0])
        return f"| {' | '.join((self.case, *cells, verdict))} |"


HEAD = (
    "| case | frames in/out | last at, s | lasts, s | sound, s | picture | colours off by, or the line | |\n"
    "|---|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True, slots=True)
class Job:
    """What the child process is given."""

    source: str
    folder: Path
    stdin: Path | None = None
    more: tuple[str, ...] = ()


def work(job: Job) -> Told:
    """Run ``annotate`` on one input, into ``job.folder``."""
    given = ["annotate", job.source, *_QUALITY, *job.more]
    if Path(job.source).is_dir():
        given += ["--out-dir", str(job.folder)]
    elif job.source.endswith(".png"):
        given += ["-o", str(job.folder / "out.png")]
    else:
        given += ["-o", str(job.folder / "out.mp4"), "--faces", str(job.folder / "faces.csv")]
    return run_command(given, stdin=job.stdin)


def run_case(case: Case, child: Confined, more: tuple[str, ...] = ()) -> Row:
    """Make the input of a case, run it, and judge what came of it."""
    with tempfile.TemporaryDirectory() as name:
        folder, output = Path(name) / "in", Path(name) / "out"
        folder.mkdir()
        output.mkdir()
        made = case.make(folder)
        stdin = folder / "in.mp4" if made.by_pipe else None
        given = "-" if made.source == stdin else str(made.source)
        outcome = child.call(Job(given, output, stdin, more))
        if outcome.fault:
            click.echo(outcome.fault, err=True)
            return Row(case.name, ("-",), (outcome.fault.splitlines()[-1],))
        return _judge(case.name, made, outcome.value, output)


def _judge(name: str, made: Input, told: Told, output: Path) -> Row:
    if isinstance(made.wanted, Pictures):
        return _judge_pictures(name, made.wanted, told, output)
    wrong = wrong_manners(told, output)
    last = told.err.splitlines()[-1].removeprefix("gclf-live: ") if told.err else ""
    last = last.replace(f"{made.source.parent}/", "")
    if isinstance(made.wanted, Refused):
        if told.code == 0 or made.wanted.word not in last:
            wrong.append(f"exit code {told.code}, and {made.wanted.word!r} is not said")
        return Row(name, (last,), tuple(wrong))
    if told.code != 0:
        return Row(name, (last,), (*wrong, "was refused"))
    more, found, difference = faults(made.wanted, made.source, output / "out.mp4", output / "faces.csv")
    if made.wanted.note and made.wanted.note not in told.err:
        more.append(f"{made.wanted.note!r} is not said")
    return Row(name, _cells(made.wanted, found, difference), tuple(wrong + more))


def _judge_pictures(name: str, wanted: Pictures, told: Told, output: Path) -> Row:
    sizes = {path.name: Image.open(path).size for path in sorted(output.glob("*.png"))}
    same = told.code == 0 and sizes == dict.fromkeys(wanted.names, wanted.size)
    wrong = () if same else (f"exit code {told.code}, pictures {sizes}",)
    size = f"{wanted.size[0]}x{wanted.size[1]}"
    return Row(name, (f"{len(wanted.names)}/{len(sizes)}", "-", "-", "-", size, "-"), wrong)


def wrong_manners(told: Told, output: Path) -> list[str]:
    """What no run may do: print anything but lines of ours, end with another code, leave files behind."""
    wrong = []
    lines = told.err.splitlines()
    if any(not line.startswith("gclf-live: ") for line in lines):
        wrong.append(f"printed {told.err!r}")
    if told.code not in (0, 1):
        wrong.append(f"exit code {told.code}")
    if "cannot write" in told.err:
        wrong.append("blames the output")
    # One line says where the network runs, and one why there is no copy.
    if told.code != 0 and len(lines) > 2:
        wrong.append(f"{len(lines)} lines instead of one")
    wanted = {"out.mp4", "faces.csv"} if told.code == 0 else set()
    left = {path.name for path in output.iterdir()}
    if left != wanted:
        wrong.append(f"left {sorted(left)}")
    return wrong


def _cells(wanted: Right, found: Facts, difference: float) -> tuple[str, ...]:
    return (
        f"{len(wanted.times_s)}/{len(found.times_s)}",
        f"{float(found.times_s[-1]):.3f}" if found.times_s else "-",
        f"{found.duration_s:.3f}",
        ", ".join(f"{seconds:.2f}" for seconds in found.sounds_s) or "none",
        f"{found.size[0]}x{found.size[1]}" + ("" if found.plain else " turned"),
        f"{difference:.1f}" if wanted.colours else "not compared",
    )


def run_damage(damage: Damage, child: Confined, numbers: Sequence[int], more: tuple[str, ...] = ()) -> Row:
    """Run the given variants of a file that was damaged, and count what came of them."""
    tally = Tally()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "in"
        folder.mkdir()
        whole = damage.make(folder)
        before = facts(whole)
        for number in numbers:
            source, output = folder / f"damaged{whole.suffix}", Path(name) / f"out{number}"
            output.mkdir()
            source.write_bytes(damage.change(whole.read_bytes(), number))
            outcome = child.call(Job(str(source), output, None, more))
            wrong = [outcome.fault] if outcome.fault else wrong_manners(outcome.value, output)
            tally.add(number, outcome.value, wrong, source, output / "out.mp4", before)
    return Row(damage.name, (tally.line(),), tuple(tally.wrong))


def rows(child: Confined, chosen: str, part: slice) -> Iterator[Row]:
    """The rows of the cases whose name holds ``chosen``; of damaged files those in ``part``."""
    for case in CASES:
        if chosen in case.name:
            yield run_case(case, child)
    for damage in DAMAGE:
        numbers = range(damage.count)[part]
        if chosen in damage.name and numbers:
            yield run_damage(damage, child, numbers)


@click.command()
@click.option("--case", "chosen", default="", metavar="WORD", help="Only cases with this in their name.")
@click.option("--first", type=int, default=0, show_default=True, help="Damaged files: begin with this one.")
@click.option("--count", type=int, help="Damaged files: so many of each kind.")
def main(chosen: str, first: int, count: int | None) -> None:
    """Print what goes in, what comes out, and what is refused."""
    click.echo(describe())
    click.echo(HEAD)
    failed = 0
    with Confined(work, prepare=load_pipeline) as child:
        for row in rows(child, chosen, slice(first, None if count is None else first + count)):
            click.echo(row.line())
            failed += bool(row.wrong)
    if failed:
        raise click.ClickException(f"{failed} cases failed")


if __name__ == "__main__":
    main()
