"""Tables as CSV, JSON, JSON lines or Parquet, by the ending of the file's name."""

from __future__ import annotations

import csv
import importlib
import importlib.util
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO, TypeAlias

from gclf_live.errors import OutputError, UsageError
from gclf_live.output.rows import tidy_row
from gclf_live.whole_file import check_output, whole_file
from gclf_live.wording import pip_install, tidy_text

Row: TypeAlias = Mapping[str, object]
_Writer: TypeAlias = Callable[[Path, Iterator[dict[str, object]], Sequence[str]], None]

# Two hours of three faces at 25 frames a second are 540,000 rows: they are written as they come.
_ROWS_AT_ONCE = 50_000
_COUNTS = {"track_id", "frame", "faces", "classified"}
_TEXTS = {"label", "excluded", "path", "video"}
_MEASURES = {"seconds", "confidence", "quality", "detection_score"}


def check_table(path: Path, *, overwrite: bool = False) -> None:
    """Make sure that ``write_rows`` can write here, before the work that fills the table.

    Raises:
        UsageError: the name's ending is not that of a table.
        OutputError: the file exists and ``overwrite`` is not set, is a folder, or is Parquet without
            pyarrow installed.
    """
    if path.suffix.lower() not in _WRITERS:
        allowed = ", ".join(_WRITERS)
        raise UsageError(f"cannot write a table to {str(path)!r}: its name must end in one of {allowed}")
    if path.suffix.lower() == ".parquet":
        check_parquet(repr(str(path)), instead="a name that ends in .csv")
    check_output(path, overwrite=overwrite)


def check_parquet(asked: str, *, instead: str) -> None:
    """Make sure that Parquet can be written.

    Args:
        asked: what was asked for, as the user said it.
        instead: what else to give.

    Raises:
        OutputError: pyarrow is not installed.
    """
    if importlib.util.find_spec("pyarrow") is None:
        raise OutputError(
            f"cannot write {asked}: Parquet needs pyarrow. Run {pip_install('pyarrow')}, or give {instead}"
        )


def write_rows(path: Path, rows: Iterable[Row], columns: Sequence[str], *, overwrite: bool = False) -> None:
    """Write a table: whole under its name, or not at all.

    Args:
        path: ends in .csv, .json (one list), .jsonl (one object a line) or .parquet.
        rows: values by column. A column that a row lacks is empty; one not in ``columns`` is left out.
            None and what is not finite become an empty cell or null; numbers are rounded as
            ``tidy_row`` says.
        columns: the table's columns, in order.
        overwrite: replace a file that exists.

    Raises:
        UsageError, OutputError: see ``check_table``; or the system does not let the file be written.
    """
    check_table(path, overwrite=overwrite)
    plain = (tidy_row({name: row.get(name) for name in columns}) for row in rows)
    names = [tidy_text(name) for name in columns]
    with whole_file(path, overwrite=overwrite, parents=True) as partial:
        _WRITERS[path.suffix.lower()](partial, plain, names)


class _LineFeeds:
    """Rows that end in one character. Told so, ``csv`` would leave a carriage return in a text unquoted."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, row: str) -> int:
        """Write one row as ``csv`` gives it."""
        return self._file.write(row.removesuffix("\r\n") + "\n")


def _write_csv(path: Path, rows: Iterator[dict[str, object]], columns: Sequence[str]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(_LineFeeds(file), columns)
        writer.writeheader()
        writer.writerows(rows)


def _write_json(path: Path, rows: Iterator[dict[str, object]], columns: Sequence[str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write("[")
        for i, row in enumerate(rows):
            file.write(",\n" if i else "\n")
            file.write(_dumps(row))
        file.write("\n]\n")


def _write_jsonl(path: Path, rows: Iterator[dict[str, object]], columns: Sequence[str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(_dumps(row) + "\n" for row in rows)


def _dumps(row: dict[str, object]) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False)


def _write_parquet(path: Path, rows: Iterator[dict[str, object]], columns: Sequence[str]) -> None:
    # Imported here: it takes a third of a second, and only this format needs it.
    pyarrow, parquet = (importlib.import_module(name) for name in ("pyarrow", "pyarrow.parquet"))
    batch = list(itertools.islice(rows, _ROWS_AT_ONCE))
    schema = _schema(pyarrow, batch, columns)
    with parquet.ParquetWriter(path, schema) as writer:
        while batch:
            writer.write_batch(pyarrow.RecordBatch.from_pylist(batch, schema=schema))
            batch = list(itertools.islice(rows, _ROWS_AT_ONCE))


def _schema(pyarrow: Any, rows: Sequence[Row], columns: Sequence[str]) -> Any:
    """The types by the columns' names, so that every file of a kind has the same; others by their values."""

    def kind(name: str) -> Any:
        if name in _COUNTS:
            return pyarrow.int64()
        if name in _TEXTS:
            return pyarrow.string()
        if name in _MEASURES or name.endswith(("_s", "_px")) or name.startswith("p_"):
            return pyarrow.float64()
        inferred = pyarrow.infer_type([row[name] for row in rows])
        return pyarrow.string() if pyarrow.types.is_null(inferred) else inferred

    return pyarrow.schema([(name, kind(name)) for name in columns])


_WRITERS: dict[str, _Writer] = {
    ".csv": _write_csv,
    ".json": _write_json,
    ".jsonl": _write_jsonl,
    ".parquet": _write_parquet,
}
