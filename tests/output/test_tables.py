from __future__ import annotations

import csv
import importlib.util
import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gclf_live.errors import ExitCode, OutputError, UsageError
from gclf_live.output.tables import check_parquet, check_table, write_rows

COLUMNS = ("track_id", "pts_s", "label", "p_féminin", "excluded")
ROWS = (
    {"track_id": np.int64(1), "pts_s": 1 / 3, "label": "weiblich, é “女”", "p_féminin": math.nan, "extra": 1},
    {"track_id": 2, "pts_s": 2.0, "label": 'a "quoted"\nline', "p_féminin": 0.98765, "excluded": None},
)
EXPECTED = [
    {"track_id": 1, "pts_s": 0.333333, "label": "weiblich, é “女”", "p_féminin": None, "excluded": None},
    {"track_id": 2, "pts_s": 2.0, "label": 'a "quoted"\nline', "p_féminin": 0.9877, "excluded": None},
]
ENDINGS = [".csv", ".json", ".jsonl", ".parquet"]
needs_pyarrow = pytest.mark.skipif(
    importlib.util.find_spec("pyarrow") is None, reason="pyarrow is not installed (extra: tables)"
)
each_ending = pytest.mark.parametrize(
    "ending", [pytest.param(e, marks=[needs_pyarrow] if e == ".parquet" else []) for e in ENDINGS]
)


def test_csv_is_utf8_with_empty_cells_and_one_kind_of_line_end(tmp_path: Path) -> None:
    path = tmp_path / "faces é.csv"
    write_rows(path, ROWS, COLUMNS)
    text = path.read_bytes().decode("utf-8")
    assert "\r" not in text
    assert text.splitlines()[0] == "track_id,pts_s,label,p_féminin,excluded"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [{k: "" if v is None else str(v) for k, v in row.items()} for row in EXPECTED]


def test_json_is_one_list_and_readable_as_text(tmp_path: Path) -> None:
    path = tmp_path / "faces.JSON"
    write_rows(path, ROWS, COLUMNS)
    text = path.read_text(encoding="utf-8")
    assert json.loads(text) == EXPECTED
    assert "é “女”" in text
    assert "NaN" not in text


def test_jsonl_has_one_object_a_line(tmp_path: Path) -> None:
    path = tmp_path / "faces.jsonl"
    write_rows(path, ROWS, COLUMNS)
    lines = path.read_text(encoding="utf-8").split("\n")
    assert lines.pop() == ""
    assert [json.loads(line) for line in lines] == EXPECTED


@needs_pyarrow
def test_parquet_has_values_nulls_and_types(tmp_path: Path) -> None:
    from pyarrow import parquet

    path = tmp_path / "faces.parquet"
    write_rows(path, ROWS, COLUMNS)
    table = parquet.read_table(path)
    assert table.to_pylist() == EXPECTED
    assert [str(field.type) for field in table.schema] == ["int64", "double", "string", "double", "string"]


@needs_pyarrow
def test_parquet_types_do_not_depend_on_the_rows(tmp_path: Path) -> None:
    from pyarrow import parquet

    columns = (*COLUMNS, "confidence", "width_px", "note")
    full = [dict.fromkeys(columns, 1.0) | {"label": "x", "excluded": "y", "track_id": 1, "note": "z"}]
    for name, rows in (("empty", []), ("full", full), ("nulls", [{}])):
        write_rows(tmp_path / f"{name}.parquet", rows, columns)
    schemas = [parquet.read_schema(tmp_path / f"{n}.parquet") for n in ("empty", "full", "nulls")]
    assert schemas[0] == schemas[1] == schemas[2]


@needs_pyarrow
def test_long_parquet_keeps_every_row_and_values_that_come_late(tmp_path: Path) -> None:
    from pyarrow import parquet

    path = tmp_path / "long.parquet"
    count = 50_010
    rows = ({"frame": i, "confidence": 0.5 if i > 50_000 else None} for i in range(count))
    write_rows(path, rows, ["frame", "confidence"])
    table = parquet.read_table(path)
    assert table["frame"].to_pylist() == list(range(count))
    assert table["confidence"].null_count == 50_001


@each_ending
def test_table_without_rows_is_a_valid_file(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"none{ending}"
    write_rows(path, [], COLUMNS)
    if ending == ".csv":
        assert path.read_text() == "track_id,pts_s,label,p_féminin,excluded\n"
    elif ending == ".json":
        assert json.loads(path.read_text()) == []
    elif ending == ".jsonl":
        assert path.read_bytes() == b""
    else:
        from pyarrow import parquet

        assert parquet.read_table(path).num_rows == 0


@each_ending
def test_rows_that_fail_leave_no_file(tmp_path: Path, ending: str) -> None:
    def rows() -> Iterator[dict[str, object]]:
        yield dict(ROWS[0])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_rows(tmp_path / f"faces{ending}", rows(), COLUMNS)
    assert list(tmp_path.iterdir()) == []


@each_ending
def test_names_that_are_no_utf8_are_escaped(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"faces{ending}"
    write_rows(path, [{"path": "a\udcff.jpg", "p_\udcfe": 0.5}], ["path", "p_\udcfe"])
    content = path.read_bytes()
    assert b"xff.jpg" in content
    assert b"xfe" in content


@pytest.mark.parametrize("name", ["faces", "faces.xlsx", "faces.csv.gz", ".csv"])
def test_unknown_ending_names_those_that_are_known(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"\.csv, \.json, \.jsonl, \.parquet") as caught:
        write_rows(tmp_path / name, ROWS, COLUMNS)
    assert caught.value.exit_code == ExitCode.USAGE
    assert list(tmp_path.iterdir()) == []


def test_existing_table_is_kept_unless_overwriting(tmp_path: Path) -> None:
    path = tmp_path / "faces.csv"
    path.write_text("precious")
    for write in (lambda: check_table(path), lambda: write_rows(path, ROWS, COLUMNS)):
        with pytest.raises(OutputError, match="--overwrite"):
            write()
    assert path.read_text() == "precious"
    write_rows(path, ROWS, COLUMNS, overwrite=True)
    assert path.read_text().startswith("track_id")


def test_parquet_without_pyarrow_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "pyarrow" else found(name, *rest)
    )
    with pytest.raises(OutputError, match=r"pip install pyarrow"):
        check_table(tmp_path / "faces.parquet")
    with pytest.raises(OutputError, match=r"cannot write --tables parquet: .* or give --tables csv$"):
        check_parquet("--tables parquet", instead="--tables csv")
    check_table(tmp_path / "faces.csv")
