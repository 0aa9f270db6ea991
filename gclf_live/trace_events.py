"""Spans of time as a trace file that Chrome's ``about:tracing`` and https://ui.perfetto.dev open."""

from __future__ import annotations

import gzip
import json
import os
import threading
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from gclf_live.errors import UsageError
from gclf_live.whole_file import WholeFile, whole_file

_SUFFIXES = (".json", ".json.gz")
_FIELDS = 4


class TraceEvents:
    """Keeps the first ``max_events`` spans, 32 bytes each, and counts the others. Thread-safe."""

    def __init__(self, max_events: int) -> None:
        self.left_out = 0
        self._max_numbers = _FIELDS * max_events
        self._numbers = array("q")  # of each span: stage, lane, start and duration
        self._stages: dict[str, int] = {}
        self._lock = threading.Lock()

    def add(self, stage: str, *, lane: int, start_ns: int, took_ns: int) -> None:
        """Note a span of ``stage``; ``lane`` is the row of the trace that it belongs to."""
        with self._lock:
            if len(self._numbers) >= self._max_numbers:
                self.left_out += 1
                return
            number = self._stages.setdefault(stage, len(self._stages))
            self._numbers.extend((number, lane, start_ns, took_ns))

    def write(self, path: Path, lanes: Mapping[int, str], *, overwrite: bool = False) -> None:
        """Write what was kept in the Trace Event Format, with times in microseconds.

        ``otherData.spans_left_out`` says how many spans were only counted. The format is described in "Trace
        Event Format" (Google), which https://perfetto.dev/docs/getting-started/other-formats points to.

        Args:
            path: ``.json``, or ``.json.gz`` to compress it; whole under its name, or not at all.
            lanes: the name of each lane's thread.
            overwrite: replace a file that exists.

        Raises:
            UsageError, OutputError: see ``check_trace``; or the system does not let the file be written.
        """
        _check_suffix(path)
        with self._lock:
            numbers, stages = self._numbers[:], list(self._stages)
        head = json.dumps({"spans_left_out": self.left_out})
        with whole_file(path, overwrite=overwrite) as temp, _open_text(temp, path) as file:
            file.write(f'{{"displayTimeUnit": "ms", "otherData": {head}, "traceEvents": [\n')
            file.write(",\n".join(_names(lanes)))
            for at in range(0, len(numbers), _FIELDS):
                stage, lane, start_ns, took_ns = numbers[at : at + _FIELDS]
                file.write(",\n" + _span(stages[stage], lane, start_ns, took_ns))
            file.write("\n]}\n")


def check_trace(path: Path, *, overwrite: bool = False) -> None:
    """Make sure that a trace can be written here, before the work whose time is taken.

    Raises:
        UsageError: the name ends in neither ``.json`` nor ``.json.gz``.
        OutputError: the file exists and ``overwrite`` is not set, or it cannot be written there.
    """
    _check_suffix(path)
    WholeFile(path, overwrite=overwrite).discard()


def _check_suffix(path: Path) -> None:
    if not path.name.lower().endswith(_SUFFIXES):
        allowed = " or ".join(_SUFFIXES)
        raise UsageError(f"cannot write a trace to {str(path)!r}: its name must end in {allowed}")


def _open_text(temp: Path, path: Path) -> IO[str]:
    if path.suffix.lower() == ".gz":
        return gzip.open(temp, "wt", encoding="utf-8")
    return temp.open("w", encoding="utf-8")


def _names(lanes: Mapping[int, str]) -> Iterator[str]:
    """Metadata events: what the process and its threads are called, and in which order they stand."""
    yield _metadata("process_name", 0, name="gclf-live")
    for lane, thread in lanes.items():
        yield _metadata("thread_name", lane, name=thread)
        yield _metadata("thread_sort_index", lane, sort_index=lane)


def _metadata(kind: str, lane: int, **arguments: object) -> str:
    return json.dumps({"name": kind, "ph": "M", "pid": os.getpid(), "tid": lane, "args": arguments})


def _span(stage: str, lane: int, start_ns: int, took_ns: int) -> str:
    """A complete event: a start and a duration in one."""
    where = {"pid": os.getpid(), "tid": lane}
    when = {"ts": start_ns / 1000, "dur": took_ns / 1000}
    return json.dumps({"name": stage, "cat": "stage", "ph": "X"} | when | where)
