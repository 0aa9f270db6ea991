"""Reading the table that says to which groups pictures belong."""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from gclf_live.errors import UsageError

_Row: TypeAlias = dict[str, str]


@dataclass(frozen=True, slots=True)
class GroupsTable:
    """What a table says of pictures.

    Attributes:
        columns: names of its columns but for ``file``.
        rows: by picture, as its folder calls it, its values by column.
        notes: lines for the user.
    """

    columns: tuple[str, ...]
    rows: Mapping[str, Mapping[str, str]]
    notes: tuple[str, ...] = ()

    def values(self, column: str, files: Sequence[str]) -> list[str]:
        """The value of each of the ``files``; empty where the table says nothing."""
        return [self.rows.get(file, {}).get(column, "") for file in files]


def read_groups_table(path: Path, folder: Path, files: Sequence[str]) -> GroupsTable:
    """Read a CSV and find the rows of the pictures.

    Args:
        path: a CSV in UTF-8 with a header; comma, semicolon or tab between cells. Its column ``file``
            holds the end of each picture's path, as much of it as tells it from others.
        folder: where the pictures lie.
        files: their paths below it, with forward slashes.

    Raises:
        UsageError: it cannot be read, lacks the column or any other, names none of the pictures, or
            says two things of one.
    """
    columns, rows = _read(path)
    by_file = _by_file(path, rows)
    # A link may be known by its own name or by that of the folder it leads to.
    roots = [_plain(root.as_posix()) for root in (folder.absolute(), folder.resolve())]
    matched = {file: _row_of(roots, _plain(file), by_file) for file in files}
    known = {file: row for file, row in matched.items() if row is not None}
    if not known:
        raise UsageError(
            f"the groups {str(path)!r} name none of the {len(matched)} pictures; its column 'file' must hold "
            f"the end of a picture's path, such as {files[0]!r}; it holds "
            f"{next(iter(by_file), '')!r}"
        )
    lacking = len(matched) - len(known)
    notes = (f"the groups have no row for {lacking} of {len(matched)} pictures",) if lacking else ()
    return GroupsTable(tuple(columns), known, notes)


def _read(path: Path) -> tuple[list[str], list[_Row]]:
    """Names of the columns other than ``file``, and the rows, without white space around cells."""
    try:
        # A spreadsheet's CSV may begin with a byte order mark, and where commas are decimal, use semicolons.
        with path.open(newline="", encoding="utf-8-sig") as handle:
            header = handle.readline()
            handle.seek(0)
            delimiter = max(",;\t", key=header.count)
            lines = [[cell.strip() for cell in line] for line in csv.reader(handle, delimiter=delimiter)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"cannot read the groups {str(path)!r}: {why}; wanted is a CSV in UTF-8 with a column 'file'"
        ) from error
    names = lines[0] if lines else []
    columns = [name for name in names if name not in {"", "file"}]
    if "file" not in names or not columns or len(set(names)) < len(names):
        raise UsageError(
            f"the groups {str(path)!r} have the columns {', '.join(names) or 'none'}; wanted are 'file', "
            "which holds the end of each picture's path, and one or more others, each once"
        )
    return columns, [dict(zip(names, line, strict=False)) for line in lines[1:] if any(line)]


def _by_file(path: Path, rows: Sequence[_Row]) -> dict[str, _Row]:
    by_file: dict[str, _Row] = {}
    for row in rows:
        name = _plain(row.get("file", ""))
        if name and by_file.setdefault(name, row) != row:
            raise UsageError(
                f"the groups {str(path)!r} say two things of {name!r}; leave one row for each picture"
            )
    return by_file


def _row_of(roots: Sequence[str], file: str, by_file: Mapping[str, _Row]) -> _Row | None:
    """The row whose ``file`` is the longest end of the picture's path below one of the ``roots``."""
    for root in roots:
        end = f"{root}/{file}"
        while end:
            if end in by_file:
                return by_file[end]
            end = end.partition("/")[2]
    return None


def _plain(name: str) -> str:
    """One spelling for one path: forward slashes, composed letters (some systems store them apart)."""
    return unicodedata.normalize("NFC", name.replace("\\", "/")).removeprefix("./")
