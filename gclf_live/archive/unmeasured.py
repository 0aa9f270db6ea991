"""Videos of an archive that have no result: whoever adds the others up has to say so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gclf_live.archive.history import History
from gclf_live.archive.journal import JournalError, read_events
from gclf_live.archive.names import FOLDER, result_name


def unmeasured(folder: Path) -> Iterator[str]:
    """One line for each video that failed or is not finished, by the journal of an output folder.

    ``folder`` may be the output folder or one below it: then of the videos whose results belong there.
    Nothing where there is no journal. Videos that no run has come to are not in it by name: one line
    says that there may be such. A video that the last run was not about is left out where it is gone.
    """
    asked = folder.resolve()
    whole = next((each for each in (asked, *asked.parents) if _journal(each).is_file()), None)
    if whole is None:
        return
    try:
        history = History.read(read_events(_journal(whole)))
    except (JournalError, OSError) as error:
        yield f"videos that failed, if any, are not known: {error}"
        return
    for name, begun in sorted(history.begun.items()):
        if not name.endswith(".mp4") or asked not in (whole / name).parents:  # pictures have no result
            continue
        if begun.run < history.runs and not Path(begun.source).exists():
            continue
        has_failed, has_result = name in history.failed, (whole / result_name(name)).exists()
        where = Path(name).with_name(Path(begun.source).name)
        if has_failed:
            yield f"{where}: failed" + ("; its figures are of an earlier run" if has_result else "")
        elif not has_result:
            yield f"{where}: not finished"
    if not history.ended:
        yield f"the last run into {str(folder)!r} has not come to its end: more may be missing"


def _journal(folder: Path) -> Path:
    return folder / FOLDER / "journal.jsonl"
