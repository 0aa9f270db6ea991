"""What every kind of end leaves: ``python -m benchmarks.stops [--command NAME] [--stop KIND] [--count 10]``.

Real processes are stopped in the middle of their work: by signals, by closing what reads them, by a full disk
(a small file system where this runs as root, else a limit to the size of files), by taking their folder away,
by a limit to their memory, by ``kill -9`` at random moments. Then what is left is looked at, and the same
command is run again, which must end well and give what a run gives that nobody stopped.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click

from benchmarks.kills import count_parts, differences, journal
from benchmarks.machine import describe
from benchmarks.stop_commands import COMMANDS, Command, Scene, make_scene
from benchmarks.stop_judging import faults, left_behind, outputs
from benchmarks.stop_kinds import KILLS, KINDS, Kind, small_disk
from benchmarks.stop_running import Running
from gclf_live.cli.stopping import stop_on_signals


@dataclass(slots=True)
class Row:
    """What one kind of stop came to for one command.

    Attributes:
        times: that it was tried.
        late: times that the command had ended before.
        codes: exit codes; negative for the signal that ended the process.
        left: what was left behind.
        wrong: what must not be.
    """

    command: str
    kind: str
    times: int = 0
    late: int = 0
    codes: Counter[int] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def line(self) -> str:
        """One line of the table."""
        codes = ", ".join(str(code) for code, _ in self.codes.most_common())
        left = "; ".join(what for what, _ in self.left.most_common(3))
        late = f" ({self.late} too late)" if self.late else ""
        return (
            f"| {self.command} | {self.kind} | {self.times}{late} | {codes} | {left} | "
            f"{'; '.join(sorted(set(self.wrong))) or 'none'} |"
        )


@dataclass(slots=True)
class Stops:
    """Stops one command in all ways, one after another."""

    scene: Scene
    command: Command
    moments: random.Random
    expected: dict[str, object] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    bytes: int = 0
    length_s: float = 0.0
    tried: int = 0

    def unbroken(self) -> None:
        """Run it once to its end, to know what it gives."""
        folder = self._folder()
        began_s = time.monotonic()
        if self.command.writes:
            with self._start(folder, again=False) as running:
                if running.wait():
                    raise click.ClickException(running.said())
        self.length_s = time.monotonic() - began_s
        self.expected = outputs(folder)
        files = [path for path in folder.rglob("*") if path.is_file()]
        self.names = {str(path.relative_to(folder)) for path in files}
        self.bytes = max((path.stat().st_size for path in files), default=0)

    def points(self, count: int) -> list[float]:
        """Where a disk is full: shares of what a run needs, at random in each of ``count`` equal parts."""
        return [(i + self.moments.random()) / count for i in range(count)]

    def stop(self, kind: Kind, row: Row, share: float) -> None:
        """Stop it once, judge what is left, and run it again."""
        size = round(share if kind.memory else share * self.bytes)
        with small_disk(self._folder(), kind, size) as (folder, around, make_room):
            with Running(self.command.arguments(self.scene, folder), self._log, around) as running:
                at_work = kind.at_once or (
                    running.until(running.hears_signals)
                    and running.until(lambda: self.command.at_work(folder, running.said()))
                )
                if at_work:
                    kind.act(running, folder, self.moments)
                code = running.wait()
                said = running.said()
            row.times += 1
            row.codes[code] += 1
            row.left[left_behind(folder)] += 1
            row.wrong += self._ended(code, said, kind, row)
            row.wrong += faults(folder, self.names, may_hide=kind.may_hide)
            make_room()
            self.finish(folder, row)

    def _ended(self, code: int, said: str, kind: Kind, row: Row) -> list[str]:
        """What is wrong with how it ended."""
        wrong = [f"a traceback: {said[-600:]!r}"] * ("Traceback" in said)
        if code == 0:
            row.late += not kind.may_end_well
            return wrong
        if code not in kind.codes:
            wrong.append(f"exit code {code}: {said[-300:]!r}")
        if kind.word and kind.word not in said:
            wrong.append(f"no line says {kind.word!r}: {said[-300:]!r}")
        return wrong

    def kill(self, row: Row, kills: int) -> int:
        """Kill it so often, at random moments from its start on, in one folder; then let it end.

        Returns:
            How often it was killed: fewer times where it got to its end before.
        """
        folder = self._folder()
        saved = killed = 0
        in_time = True
        while in_time and killed < kills:
            with self._start(folder, again=True) as running:
                in_time = KILLS.pause(running, self.moments.uniform(0.2, self.length_s))
                if in_time:
                    running.kill()
                    killed += 1
                else:
                    row.late += 1
                row.codes[running.wait()] += 1
            row.times += 1
            row.left[left_behind(folder)] += 1
            row.wrong += faults(folder, self.names, may_hide=True)
            now = KILLS.saved(folder)
            if now < saved:
                row.wrong.append(f"{saved} steps had been saved, and {now} were found")
            saved = now
        self.finish(folder, row)
        return killed

    def finish(self, folder: Path, row: Row) -> None:
        """The next run into the folder, to its end; what it gives is compared with an unbroken run's."""
        if not self.command.writes:
            return
        folder.mkdir(exist_ok=True)
        with self._start(folder, again=True) as running:
            if running.wait():
                row.wrong.append(f"the next run failed: {running.said()[-200:]!r}")
                return
        row.wrong += faults(folder, self.names, may_hide=False)
        if self.command.repeats:
            different = differences(self.expected, outputs(folder))
            row.wrong += [f"{name} differs from that of an unbroken run" for name in different]
        _, _, twice = count_parts(list(journal(folder)))
        row.wrong += ["a part was computed again after it had been saved"] * bool(twice)

    def _start(self, folder: Path, *, again: bool) -> Running:
        arguments = self.command.arguments(self.scene, folder)
        # A training that has saved nothing yet begins again, and has to be told so.
        can_go_on = self.command.again != ("--resume",) or (folder / "last.pt").exists()
        return Running([*arguments, *(self.command.again if again and can_go_on else ())], self._log)

    @property
    def _log(self) -> Path:
        return self.scene.folder / "log"

    def _folder(self) -> Path:
        self.tried += 1
        folder = self.scene.folder / f"{self.command.name.split()[0]}-{self.tried}"
        folder.mkdir()
        return folder


@click.command()
@click.option("--command", "commands", multiple=True, type=click.Choice(list(COMMANDS)), help="Only these.")
@click.option("--stop", "kinds", multiple=True, type=click.Choice([*KINDS, "kill"]), help="Only these.")
@click.option("--count", type=click.IntRange(min=0), default=10, show_default=True, help="Kills a command.")
@click.option(
    "--points", type=click.IntRange(min=1), default=10, show_default=True, help="At which disks are full."
)
@click.option("--seed", default=1, show_default=True, help="Of the moments.")
def main(commands: tuple[str, ...], kinds: tuple[str, ...], count: int, points: int, seed: int) -> None:
    """Stop commands in every way, print what that came to, and fail where anything is wrong."""
    stop_on_signals()  # file systems and processes of this program go with it
    click.echo(describe())
    click.echo("| command | stop | times | exit code | left behind | wrong |\n|---|---|---|---|---|---|")
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        scene = make_scene(Path(name), measured="report" in (commands or COMMANDS))
        for each in commands or COMMANDS:
            stops = Stops(scene, COMMANDS[each], random.Random(seed))
            stops.unbroken()
            for row in _rows(stops, kinds or (*KINDS, "kill"), count, points):
                click.echo(row.line())
                wrong += len(row.wrong)
    if wrong:
        raise click.ClickException(f"{wrong} things are wrong, see the last column")


def _rows(stops: Stops, kinds: tuple[str, ...], count: int, points: int) -> Iterator[Row]:
    """Everything that was asked for of one command."""
    for name in kinds:
        kind = KINDS.get(name)
        row = Row(stops.command.name, KILLS.name if kind is None else kind.name)
        if kind is None:
            left = count if stops.command.name in KILLS.commands else 0
            while left > 0:
                left -= stops.kill(row, min(KILLS.at_a_time, left))
        elif stops.command.name.split()[0] in kind.commands:
            for share in stops.points(points) if kind.disk else kind.shares:
                stops.stop(kind, row, share)
        if row.times:
            yield row


if __name__ == "__main__":
    main()
