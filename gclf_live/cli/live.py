"""``gclf-live --camera`` and ``--source``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gclf_live.cli.options import load_classifier, print_json, say
from gclf_live.errors import OutputError, SourceError, UsageError

if TYPE_CHECKING:
    from gclf_live.media.source import Source


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
    weights: Path | None,
    device: str,
    threshold: float,
    as_json: bool,
) -> None:
    """Watch one source until it ends or the user ends it, then print a summary."""
    from gclf_live.media.source import SourceKind

    source = _parse(text, from_camera=from_camera)
    if record is not None and record.exists() and not overwrite:
        raise OutputError(f"{str(record)!r} exists already. Use --overwrite to replace it, or another name")
    if not no_window:
        from gclf_live.output.display import check_display

        check_display()

    from gclf_live.media.camera import open_camera
    from gclf_live.media.stream import open_stream

    is_camera = source.kind is SourceKind.CAMERA
    # The source first: a wrong camera number must not wait for torch and the network to load.
    stream = open_camera(int(source.value)) if is_camera else open_stream(source)

    from gclf_live.output.summary import live_summary
    from gclf_live.output.window import LiveWindow
    from gclf_live.pipeline.live import LiveLabeller, LiveSettings
    from gclf_live.pipeline.session import LiveSession, SessionOptions

    try:
        labeller = LiveLabeller(
            load_classifier(weights, device),
            LiveSettings(threshold=threshold, max_latency_s=max_latency / 1000),
        )
    except BaseException:
        stream.close()
        raise
    session = LiveSession(
        stream,
        labeller,
        window=None if no_window else LiveWindow(),
        options=SessionOptions(
            mirror=is_camera if mirror is None else mirror,
            record=record,
            overwrite=overwrite,
            most_seconds=seconds,
        ),
        say=say,
    )
    try:
        session.run()
    finally:
        stats = session.stats()
        if as_json:
            print_json(stats.as_json())
        elif stats.captured:  # what failed before the first picture has its own line
            click.echo(live_summary(stats))


def _parse(text: str, *, from_camera: bool) -> Source:
    """What ``--camera`` (a number, or the path of a device) or ``--source`` means."""
    from gclf_live.media.source import SourceKind, parse_source

    try:
        source = parse_source(text)
        if not from_camera or source.kind is SourceKind.CAMERA:
            return source
    except SourceError:
        if not from_camera:
            raise
    raise UsageError(f"--camera {text!r} is no camera number; try --camera 0, or --source for files and URLs")
