"""A folder of results that appears whole or not at all."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from gclf_live.errors import OutputError
from gclf_live.evaluation.answers import Answers
from gclf_live.evaluation.mistakes import contact_sheet, worst_mistakes
from gclf_live.evaluation.page import render_page
from gclf_live.evaluation.report import Report
from gclf_live.media.pictures import write_picture
from gclf_live.output.tables import write_rows
from gclf_live.whole_file import WholeFile

FILES = ("index.html", "evaluation.json", "predictions.csv", "mistakes.jpg")
"""What the folder holds."""
_PART = ".part"


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Make sure, before work is put into it, that a report may be written.

    Raises:
        OutputError: it is a file; it holds an earlier report and ``overwrite`` is not set; or it holds
            anything else, which is never replaced.
    """
    try:
        inside = sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []
    except NotADirectoryError:
        raise OutputError(f"cannot write {str(folder)!r}: it is a file. Give the name of a folder") from None
    except OSError as error:
        raise _cannot_write(folder, error) from error
    foreign = [name for name in inside if name not in FILES]
    if foreign:
        raise OutputError(
            f"{str(folder)!r} holds files that are not of a report, such as {foreign[0]!r}. Give a new folder"
        )
    if inside and not overwrite:
        raise OutputError(
            f"{str(folder)!r} holds a report already. Add --overwrite to replace it, or give another name"
        )


def write_report(folder: Path, report: Report, *, name: str, overwrite: bool = False) -> None:
    """Write page, figures, predictions and contact sheet.

    Args:
        folder: made if need be; a report in it is replaced as a whole.
        report: what to write.
        name: heading of the page.
        overwrite: replace a report that is there.

    Raises:
        OutputError: see ``check_folder``; or the system does not let it be written.
    """
    with _whole_folder(folder, overwrite=overwrite) as part:
        mistakes = worst_mistakes(report.answers)
        (part / "index.html").write_text(render_page(report, mistakes, name=name), encoding="utf-8")
        document = json.dumps(report.as_json(), ensure_ascii=False, indent=2, allow_nan=False)
        (part / "evaluation.json").write_text(document + "\n", encoding="utf-8")
        columns = ("file", "label", "answer", "confidence", *_p_columns(report.answers), "face_height_px")
        write_rows(part / "predictions.csv", _rows(report.answers), columns)
        write_picture(part / "mistakes.jpg", contact_sheet(mistakes))


def _p_columns(answers: Answers) -> tuple[str, ...]:
    return tuple(f"p_{name}" for name in answers.classes)


def _rows(answers: Answers) -> Iterator[dict[str, object]]:
    names = _p_columns(answers)
    heights = answers.face_height_px
    for i, file in enumerate(answers.files):
        row = answers.probabilities[i]
        yield {
            "file": file,
            "label": answers.classes[int(answers.targets[i])],
            "answer": answers.classes[int(row.argmax())],
            "confidence": row.max(),
            **dict(zip(names, row, strict=True)),
            "face_height_px": heights[i],
        }


@contextlib.contextmanager
def _whole_folder(folder: Path, *, overwrite: bool) -> Iterator[Path]:
    """A hidden folder that takes the place of ``folder`` when the block ends well.

    A file beside it, which is locked as long as this process lives, tells it from what a kill has left.
    """
    check_folder(folder, overwrite=overwrite)
    final = folder.resolve()
    mark = _make_mark(folder, final.parent)
    part = mark.temp.with_suffix(_PART)
    try:
        _remove_abandoned(mark.temp)
        part.mkdir()
        yield part
        check_folder(folder, overwrite=overwrite)  # Another run may have written it meanwhile.
        _take_place(part, final)
    except OutputError:
        raise
    except OSError as error:
        raise _cannot_write(folder, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
        mark.discard()


def _make_mark(folder: Path, beside: Path) -> WholeFile:
    try:
        return WholeFile(beside / ".gclf-live-evaluation.mark", overwrite=True, parents=True)
    except OutputError as error:
        if isinstance(error.__cause__, OSError):
            raise _cannot_write(folder, error.__cause__) from error
        raise


def _remove_abandoned(mark: Path) -> None:
    """Remove this machine's hidden folders whose mark is gone: ``WholeFile`` removes those of killed runs."""
    machine = mark.name.rpartition("-")[0]
    for part in mark.parent.glob(f"{machine}-*{_PART}"):
        if not part.with_suffix(mark.suffix).exists():
            shutil.rmtree(part, ignore_errors=True)


def _take_place(part: Path, final: Path) -> None:
    """Rename ``part`` to ``final``; what was there goes back if that fails, and away if it does not."""
    if not final.exists():
        part.rename(final)
        return
    old = part.with_suffix(".old")
    final.rename(old)
    try:
        part.rename(final)
    except BaseException:  # an interrupt too must leave one of the two under the name
        old.rename(final)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _cannot_write(folder: Path, error: OSError) -> OutputError:
    return OutputError(f"cannot write {str(folder)!r}: {error.strerror or error}. Give another place")
