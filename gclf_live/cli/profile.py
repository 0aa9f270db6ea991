"""What ``--profile`` and ``--trace`` ask for, around the work of a command."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import click

from gclf_live.cli.options import say
from gclf_live.errors import GclfError

if TYPE_CHECKING:
    from typing import Self

    from gclf_live.profiling import Profiler, Spans


class Profiling:
    """Prints the table and writes the trace when its ``with`` block ends, also by Ctrl-C or an error.

    Attributes:
        spans: what the stages are timed with; does nothing unless one of the two options was given.
    """

    spans: Spans

    def __init__(self, *, profile: bool, trace: Path | None, overwrite: bool) -> None:
        """Start the wall time.

        Args:
            profile: print the table to standard error.
            trace: the file to write, or None.
            overwrite: replace ``trace`` where it exists.

        Raises:
            UsageError, OutputError: ``trace`` cannot be written, see ``trace_events.check_trace``.
        """
        from gclf_live.profiling import NO_PROFILER, Profiler
        from gclf_live.trace_events import check_trace

        if trace is not None:
            check_trace(trace, overwrite=overwrite)
        self._profile, self._trace, self._overwrite = profile, trace, overwrite
        self._profiler: Profiler | None = None
        self.spans = NO_PROFILER
        if profile or trace is not None:
            self.spans = self._profiler = Profiler(keep_events=trace is not None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._profiler is None:
            return
        try:
            self._tell(self._profiler)
        except GclfError as failure:
            if kind is None:
                raise
            say(str(failure))  # what ended the work is the error to end with

    def document(self) -> dict[str, object]:
        """What a JSON document gets besides: a ``profile`` with ``--profile``, else nothing."""
        if self._profiler is None or not self._profile:
            return {}
        from gclf_live.output.profile_text import profile_json

        return {"profile": profile_json(self._profiler.profile())}

    def _tell(self, profiler: Profiler) -> None:
        from gclf_live.output.profile_text import profile_table

        if self._profile:
            click.echo(profile_table(profiler.profile()), err=True)
        if self._trace is not None:
            profiler.write_trace(self._trace, overwrite=self._overwrite)
            say(f"trace: {self._trace}; https://ui.perfetto.dev opens it")
