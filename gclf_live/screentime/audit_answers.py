"""The file of an audit: what was drawn from which results, and each answer as it was given.

JSON lines. The first says what is audited; each other one is an answer. Lines are only ever added, and are on
the disk before the next track is shown, so a kill at any moment loses no answer.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gclf_live.errors import OutputError, SourceError
from gclf_live.records import UNSURE
from gclf_live.screentime.audit_sample import EXCLUDED, DrawnTrack, Sample, Stratum
from gclf_live.whole_file import whole_file

AUDIT_FORMAT = 1
DEFAULT_NAME = "audit.jsonl"
"""How the answers are called, beside the results, unless the user says otherwise."""
_KIND = "gclf-live audit"


@dataclass(frozen=True, slots=True)
class AuditedResult:
    """One result that is audited.

    Attributes:
        name: file name of the video.
        sha256: of the result's file, hexadecimal.
        weights_sha256: of the checkpoint that it was measured with.
    """

    name: str
    sha256: str
    weights_sha256: str


@dataclass(frozen=True, slots=True)
class AuditPlan:
    """What an audit asks for; settled when it begins.

    Attributes:
        seed, count: what the sample was drawn with; ``count`` is what was asked for.
        classes: names of the classes.
        results: what is audited.
        passed_over: tracks that could not be drawn, for want of a picture or of time on screen.
        passed_over_s: their seconds.
        sample: the tracks to ask about, and their strata.
    """

    seed: int
    count: int
    classes: tuple[str, ...]
    results: tuple[AuditedResult, ...]
    passed_over: int
    passed_over_s: float
    sample: Sample

    def same_sample(self, other: AuditPlan) -> bool:
        """Whether the other audit asks about the same tracks in the same order."""
        return (self.classes, self.results, self.sample) == (other.classes, other.results, other.sample)


def begin_audit(path: Path, plan: AuditPlan) -> None:
    """Write the file of an audit without answers.

    Raises:
        OutputError: it exists or cannot be written.
    """
    sample = plan.sample
    header = {
        "format": AUDIT_FORMAT,
        "kind": _KIND,
        "seed": plan.seed,
        "count": plan.count,
        "classes": list(plan.classes),
        "results": [asdict(each) for each in plan.results],
        "passed_over": plan.passed_over,
        "passed_over_s": plan.passed_over_s,
        "strata": [asdict(each) for each in sample.strata],
        "sample": [{"number": number} | asdict(each) for number, each in enumerate(sample.drawn, 1)],
    }
    with whole_file(path) as partial:
        partial.write_text(json.dumps(header, separators=(",", ":")) + "\n", "utf-8")


class AnswersFile:
    """The file of an audit, to read and to add to.

    Attributes:
        path: where it is.
        plan: what is asked for.
        answers: number of a track, from 1, to what a person says: a class name, or None for unclear.
        dropped: whether the last line was cut off in the middle, as by a kill, and is left out.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open and read it.

        Args:
            path: of a file that ``begin_audit`` wrote.
            read_only: it may then be read while somebody else adds to it.

        Raises:
            SourceError: it cannot be read, is damaged or no audit's.
            OutputError: another audit is adding to it.
        """
        self.path = path
        self._file = self._open(read_only=read_only)
        try:
            data = self._file.read()
            whole, _, rest = data.rpartition(b"\n")
            lines = whole.split(b"\n")
            self.plan = _plan(path, lines[0])
            self.answers, good = self._read(lines[1:])
            self.dropped = bool(rest) or good < len(lines) - 1
            if self.dropped and not read_only:
                self._file.truncate(sum(len(line) + 1 for line in lines[: good + 1]))
                self._file.seek(0, os.SEEK_END)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def add(self, number: int, answer: str | None) -> None:
        """Store an answer; a later one for the same track counts instead of the earlier.

        Raises:
            OutputError: it cannot be written; the earlier answers are safe.
        """
        line = {"number": number, "answer": answer, "at": datetime.now(UTC).isoformat(timespec="seconds")}
        try:
            rest = json.dumps(line).encode() + b"\n"
            while rest:  # unbuffered, so that a full disk is noticed here and not when the file is closed
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            raise OutputError(
                f"cannot write {str(self.path)!r}: {error.strerror or error}. Make room there and go on; "
                "the answers before are stored"
            ) from error
        self.answers[number] = answer

    def _open(self, *, read_only: bool) -> FileIO:
        try:
            file = self.path.open("rb" if read_only else "r+b", buffering=0)
        except OSError as error:
            raise SourceError(
                f"cannot open the answers {str(self.path)!r}: {error.strerror or error}. Check path and "
                "permissions, or name another file with --answers"
            ) from error
        if not read_only:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                file.close()
                raise OutputError(
                    f"{str(self.path)!r} is in use by another audit. End that one, or name another file with "
                    "--answers"
                ) from error
        return file

    def _read(self, lines: Sequence[bytes]) -> tuple[dict[int, str | None], int]:
        """The answers, and how many lines are good: all, or all but the last."""
        answers: dict[int, str | None] = {}
        for position, line in enumerate(lines):
            try:
                number, answer = _answer(line, self.plan)
            except (ValueError, TypeError, KeyError) as error:
                if position == len(lines) - 1:
                    return answers, position
                raise SourceError(
                    f"the answers {str(self.path)!r} are damaged in line {position + 2}. Take that line out, "
                    "or begin anew with another --answers FILE"
                ) from error
            answers[number] = answer
        return answers, len(lines)


def _answer(line: bytes, plan: AuditPlan) -> tuple[int, str | None]:
    document = json.loads(line)
    number, answer = document["number"], document["answer"]
    if not isinstance(number, int) or not 1 <= number <= len(plan.sample.drawn):
        raise ValueError(f"number {number!r}")
    if answer is not None and answer not in plan.classes:
        raise ValueError(f"answer {answer!r}")
    return number, answer


def _plan(path: Path, line: bytes) -> AuditPlan:
    try:
        document = json.loads(line)
    except ValueError as error:
        raise _no_audit(path) from error
    if not isinstance(document, dict) or document.get("kind") != _KIND:
        raise _no_audit(path)
    if document.get("format") != AUDIT_FORMAT:
        raise SourceError(
            f"the answers {str(path)!r} have the format {document.get('format')!r}; this gclf-live reads "
            f"{AUDIT_FORMAT}. Go on with the gclf-live that began them, or begin anew"
        )
    try:
        return AuditPlan(
            seed=int(document["seed"]),
            count=int(document["count"]),
            classes=tuple(str(name) for name in document["classes"]),
            results=tuple(AuditedResult(**each) for each in document["results"]),
            passed_over=int(document["passed_over"]),
            passed_over_s=float(document["passed_over_s"]),
            sample=_sample(document),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(
            f"the answers {str(path)!r} are damaged in their first line. Begin anew with another "
            "--answers FILE"
        ) from error


def _sample(document: Mapping[str, Any]) -> Sample:
    strata = tuple(Stratum(**each) for each in document["strata"])
    drawn = tuple(
        DrawnTrack(**{name: value for name, value in each.items() if name != "number"})
        for each in document["sample"]
    )
    labels = {*document["classes"], UNSURE, EXCLUDED}
    if not all(each.label in labels and each.tracks > 0 and each.seconds > 0 for each in strata):
        raise ValueError("a stratum of nothing")
    if not all(0 <= track.stratum < len(strata) and 0 < track.chance <= 1 for track in drawn):
        raise ValueError("a track without a stratum or a chance")
    if not all(track.label == strata[track.stratum].label and track.seconds > 0 for track in drawn):
        raise ValueError("a track in the stratum of another label")
    return Sample(strata, drawn)


def _no_audit(path: Path) -> SourceError:
    return SourceError(
        f"{str(path)!r} is no file of an audit's answers; give another name with --answers, and a new file "
        "is begun there"
    )
