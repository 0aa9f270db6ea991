"""``gclf-live serve``: the web page and the HTTP API."""

from __future__ import annotations

import importlib.util
import os
import secrets
import signal
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from gclf_live.cli.options import choose_threshold, finite, load_classifier, model_options, say
from gclf_live.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from gclf_live.serve.engine import Engine
    from gclf_live.serve.limits import Limits

_NEEDED = ("fastapi", "uvicorn", "websockets", "python_multipart", "prometheus_client")


@click.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Where to listen. Anything but this machine alone needs a token.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    metavar="N",
    help="Port to listen on; 0 takes any that is free.",
)
@click.option("--open", "open_browser", is_flag=True, help="Open the page in the browser.")
@click.option(
    "--token",
    envvar="GCLF_LIVE_TOKEN",
    metavar="TEXT",
    help="What every request must bring; also from GCLF_LIVE_TOKEN. With a --host that others can reach, one "
    "is made and printed unless given.",
)
@click.option(
    "--keep",
    "keep_s",
    type=click.FloatRange(1, 30 * 86400),
    callback=finite,
    default=3600,
    show_default=True,
    metavar="SECONDS",
    help="How long results of videos are kept.",
)
@click.option(
    "--max-jobs",
    type=click.IntRange(1, 1000),
    default=8,
    show_default=True,
    metavar="N",
    help="Videos that may wait or run at once.",
)
@click.option(
    "--max-video-seconds",
    type=click.FloatRange(1),
    callback=finite,
    default=7200,
    show_default=True,
    metavar="SECONDS",
    help="Longest video that is accepted.",
)
@click.option(
    "--max-video-mb",
    type=click.IntRange(1),
    default=2000,
    show_default=True,
    metavar="MB",
    help="Largest video that is accepted.",
)
@model_options
def serve(
    host: str,
    port: int,
    open_browser: bool,
    token: str | None,
    keep_s: float,
    max_jobs: int,
    max_video_seconds: float,
    max_video_mb: int,
    weights: Path | None,
    device: str,
    threshold: float | None,
    max_error: float | None,
) -> int:
    """Serve the web page and the HTTP API, from this machine alone unless --host says otherwise.

    Everything is computed here, and nothing is fetched from elsewhere. Ctrl-C ends it; uploads and results
    are then gone.

    \b
    gclf-live serve --open
    gclf-live serve --host 0.0.0.0 --token "$(openssl rand -hex 16)"
    """
    _check_installed()
    from gclf_live.serve.forking import start_fork_server
    from gclf_live.serve.limits import Limits
    from gclf_live.serve.listening import address_for_others, address_of, is_loopback, listen

    if token is not None and not (token.isascii() and token.isprintable() and len(token) >= 8):
        raise UsageError("the token is too short or has odd characters; give 8 ASCII characters or more")
    alone = is_loopback(host)
    made = None if alone or token else secrets.token_urlsafe(24)
    limits = Limits(
        unfinished_jobs=max_jobs, video_seconds=max_video_seconds, video_bytes=max_video_mb * 1_000_000
    )
    with listen(host, port) as listener:
        start_fork_server()  # first: it loads its libraries while this process does
        from gclf_live.serve.security import Access
        from gclf_live.serve.server import run_server

        engine = _engine(weights, device, threshold, max_error, keep_s, limits)
        query = f"?token={made}" if made else ""
        address = address_of(listener, host) + query
        for_others = address_for_others(listener, host)

        def ready() -> None:
            say(f"serving on {address}  ({_how_to_end()})")
            if for_others is not None:
                say(f"from other machines: {for_others}{query}")
            if open_browser:
                click.launch(f"{address}?token={quote(token, safe='')}" if token else address)

        run_server(engine, Access(made or token or "", only_loopback=alone), listener, ready=ready)
    return ExitCode.DONE


def _how_to_end() -> str:
    """What ends the server: a shell without job control starts what ends in ``&`` with Ctrl-C ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        return f"Ctrl-C is ignored here; kill {os.getpid()} ends it"
    return "Ctrl-C ends it"


def _engine(
    weights: Path | None,
    device: str,
    threshold: float | None,
    max_error: float | None,
    keep_s: float,
    limits: Limits,
) -> Engine:
    import torch

    from gclf_live.model.checkpoint import default_weights_path
    from gclf_live.pipeline.measured import weights_sha256
    from gclf_live.serve.engine import Engine, EngineOptions
    from gclf_live.serve.limits import network_threads

    classifier = load_classifier(weights, device)
    torch.set_num_threads(network_threads())
    return Engine(
        classifier,
        EngineOptions(
            threshold=choose_threshold(classifier, threshold, max_error),
            weights_name=(weights or default_weights_path()).stem,
            weights_sha256=weights_sha256(weights),
            keep_s=keep_s,
            limits=limits,
        ),
    )


def _check_installed() -> None:
    """Raise UsageError where the packages of the extra are missing."""
    from gclf_live.wording import pip_install

    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        run = pip_install("'.[serve]'")
        raise UsageError(f"serve needs {', '.join(missing)}. Run {run} in gclf-live's source folder")
