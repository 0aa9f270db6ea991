"""Options that several commands share, and what they stand for."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from gclf_live.model.classifier import Classifier

DEFAULT_THRESHOLD = 0.8

_Command = TypeVar("_Command", bound=Callable[..., Any])


def model_options(command: _Command) -> _Command:
    """Add ``--weights``, ``--device`` and ``--threshold``."""
    weights = click.option(
        "--weights",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Checkpoint to use instead of the one that comes with gclf-live (.safetensors or .pth).",
    )
    device = click.option(
        "--device",
        default="auto",
        show_default=True,
        metavar="auto|cpu|cuda[:N]",
        help="Where the network runs. What was chosen is said on standard error.",
    )
    threshold = click.option(
        "--threshold",
        type=click.FloatRange(0, 1),
        default=DEFAULT_THRESHOLD,
        show_default=True,
        metavar="P",
        help="Confidence below which a face is labelled unsure.",
    )
    return weights(device(threshold(command)))


def json_option(command: _Command) -> _Command:
    """Add ``--json``."""
    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        help="One JSON document on standard output, everything else on standard error.",
    )(command)


def load_classifier(weights: Path | None, device: str) -> Classifier:
    """Load the network and say on standard error where it runs and in which precision."""
    from gclf_live.model.classifier import Classifier

    classifier = Classifier.load(weights, device=device)
    say(classifier.plan.reason)
    return classifier


def say(line: str) -> None:
    """One line for the user on standard error."""
    click.echo(f"gclf-live: {line}", err=True)


def print_json(document: object) -> None:
    """One JSON document on standard output, in UTF-8 whatever the terminal's encoding."""
    text = json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False)
    sys.stdout.buffer.write(f"{text}\n".encode())
    sys.stdout.buffer.flush()
