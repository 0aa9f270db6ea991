"""Videos of an archive that have no result: whoever adds the others up has to say so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gclf_live.archive.history import History
from gclf_live.archive.journal import JournalError, read_events
from gclf_live.archive.names import FOLDER, result_name


def unmeasured(folder: Path) -> Iterator[str]:
    """One line for each video that failed or is not finished, by the journal of an output folder.

    Nothing for a folder without a journal. Videos that no run has come to are not in it by name: one line
    says that there may be such. A video that the last run was not about is left out where it is gone.
    """
    path = folder / FOLDER / "journal.jsonl"
    if not path.is_file():
        return
    try:
        history = History.read(read_events(path))
    except (JournalError, OSError) as error:
        yield f"videos that failed, if any, are not known: {error}"
        return
    for name, begun in sorted(history.begun.items()):
        if not name.endswith(".mp4"):  # pictures have no result
            continue
        if begun.run < history.runs and not Path(begun.source).exists():
            continue
        has_failed, has_result = name in history.failed, (folder / result_name(name)).exists()
        where = Path(name).with_name(Path(begun.source).name)
        if has_failed:
            yield f"{where}: failed" + ("; its figures are of an earlier run" if has_result else "")
        elif not has_result:
            yield f"{where}: not finished"
    if not history.ended:
        yield f"the last run into {str(folder)!r} has not come to its end: more may be missing"
