"""``gclf-live --camera`` and ``--source``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gclf_live.cli.options import choose_threshold, load_classifier, print_json, say
from gclf_live.cli.profile import Profiling
from gclf_live.errors import SourceError, UsageError

if TYPE_CHECKING:
    from gclf_live.media.camera import FrameStream
    from gclf_live.media.source import Source
    from gclf_live.pipeline.session import LiveSession


def run_live(
    text: str,
    *,
    from_camera: bool,
    record: Path | None,
    overwrite: bool,
    no_window: bool,
    max_latency: float,
    mirror: bool | None,
    seconds: float | None,
    reconnect: float | None = None,
    weights: Path | None,
    device: str,
    threshold: float | None,
    max_error: float | None,
    profile: bool,
    trace: Path | None,
    as_json: bool,
) -> None:
    """Watch one source until it ends or the user ends it, then print a summary.

    The options are those of the command; ``text`` is the value of ``--camera`` or ``--source``. A camera or
    stream that is lost is looked for ``reconnect`` seconds: None is for ever, and 0 ends the session at once.

    Raises:
        GclfError: the source, the display, the weights or the recording cannot be used.
    """
    source = _parse(text, from_camera=from_camera)
    _check_surroundings(record, overwrite=overwrite, needs_window=not no_window)
    with Profiling(profile=profile, trace=trace, overwrite=overwrite) as profiling:
        spans = profiling.spans
        with spans.span("load"):
            # The source first: a wrong camera number must not wait for torch and the network to load.
            stream = _open(source)

            from gclf_live.media.source import SourceKind
            from gclf_live.media.stream import reconnection
            from gclf_live.output.window import LiveWindow
            from gclf_live.pipeline.live import LiveLabeller, LiveSettings
            from gclf_live.pipeline.session import LiveSession, SessionOptions

            try:
                classifier = load_classifier(weights, device)
                chosen = choose_threshold(classifier, threshold, max_error)
                settings = LiveSettings(threshold=chosen, max_latency_s=max_latency / 1000)
                labeller = LiveLabeller(classifier, settings, spans=spans, say=say)
            except BaseException:
                stream.close()
                raise
        options = SessionOptions(
            mirror=source.kind is SourceKind.CAMERA if mirror is None else mirror,
            record=record,
            overwrite=overwrite,
            max_duration_s=seconds,
        )
        session = LiveSession(
            stream,
            labeller,
            window=None if no_window else LiveWindow(),
            options=options,
            policy=source.policy,
            reconnection=None if reconnect == 0 else reconnection(source, stream, give_up_after_s=reconnect),
            say=say,
            spans=spans,
        )
        _run(session, profiling, max_latency_ms=max_latency, as_json=as_json)


def _check_surroundings(record: Path | None, *, overwrite: bool, needs_window: bool) -> None:
    """Raise OutputError or DisplayError now rather than after the network was loaded."""
    from gclf_live.media._suffix import MP4_SUFFIXES, check_suffix
    from gclf_live.whole_file import check_output

    if record is not None:
        check_suffix(record, MP4_SUFFIXES)
        check_output(record, overwrite=overwrite)
    if needs_window:
        from gclf_live.output.display import check_display

        check_display()


def _open(source: Source) -> FrameStream:
    from gclf_live.media.camera import open_camera
    from gclf_live.media.source import SourceKind
    from gclf_live.media.stream import open_stream

    return open_camera(int(source.value)) if source.kind is SourceKind.CAMERA else open_stream(source)


def _run(session: LiveSession, profiling: Profiling, *, max_latency_ms: float, as_json: bool) -> None:
    """Run a session and print its summary, also where it was interrupted or has failed."""
    from gclf_live.output.live_costs import costs_summary
    from gclf_live.output.summary import live_summary

    try:
        session.run()
    finally:
        stats, costs = session.stats(), session.costs()
        if as_json:
            print_json(stats.as_json() | costs.as_json() | profiling.document())
        elif stats.captured:  # what failed before the first picture has its own line
            click.echo("\n".join([live_summary(stats), *costs_summary(costs, max_latency_ms=max_latency_ms)]))


def _parse(text: str, *, from_camera: bool) -> Source:
    """What ``--camera`` (a number, or the path of a device) or ``--source`` means."""
    from gclf_live.media.source import SourceKind, parse_source, without_password

    try:
        source = parse_source(text)
        if not from_camera or source.kind is SourceKind.CAMERA:
            return source
    except SourceError:
        if not from_camera:
            raise
    shown = without_password(text)
    raise UsageError(
        f"--camera {shown!r} is no camera number; try --camera 0, or --source for files and URLs"
    )
