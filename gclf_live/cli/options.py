"""Options that several commands share, and what they stand for."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from gclf_live.model.classifier import Classifier

DEFAULT_THRESHOLD = 0.8

_Command = TypeVar("_Command", bound=Callable[..., Any])


def weights_option(command: _Command) -> _Command:
    """Add ``--weights``."""
    return click.option(
        "--weights",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Checkpoint to use instead of the one that comes with gclf-live (.safetensors or .pth).",
    )(command)


def device_option(command: _Command) -> _Command:
    """Add ``--device``."""
    return click.option(
        "--device",
        default="auto",
        show_default=True,
        metavar="auto|cpu|cuda[:N]",
        help="Where the network runs. What was chosen is said on standard error.",
    )(command)


def model_options(command: _Command) -> _Command:
    """Add ``--weights``, ``--device``, ``--threshold`` and ``--max-error``; see ``choose_threshold``."""
    threshold = click.option(
        "--threshold",
        type=click.FloatRange(0, 1),
        callback=_either,
        metavar="P",
        help=f"Confidence below which a face is labelled unsure; {DEFAULT_THRESHOLD} unless given.",
    )
    max_error = click.option(
        "--max-error",
        type=click.FloatRange(0, 0.5),
        callback=_either,
        metavar="SHARE",
        help="Instead of --threshold: the lowest one at which at most this share of the labels is wrong, "
        "as far as the checkpoint's validation pictures tell (0.02 is 2 of 100).",
    )
    return weights_option(device_option(threshold(max_error(command))))


def finite(context: click.Context, option: click.Parameter, value: float | None) -> float | None:
    """Callback of options for a number: refuse NaN and infinity, which no range of click's keeps out."""
    if value is not None and not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a number that can be used", context, option)
    return value


def _either(context: click.Context, option: click.Parameter, value: float | None) -> float | None:
    """Refuse NaN, and ``--threshold`` and ``--max-error`` together, whichever comes second."""
    value = finite(context, option, value)
    other = {"threshold": "max_error", "max_error": "threshold"}[str(option.name)]
    if value is not None and context.params.get(other) is not None:
        raise click.UsageError(
            "--threshold and --max-error both say when a face is unsure; give one of them", context
        )
    return value


def json_option(command: _Command) -> _Command:
    """Add ``--json``."""
    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        help="One JSON document on standard output, everything else on standard error.",
    )(command)


def profile_options(command: _Command) -> _Command:
    """Add ``--profile`` and ``--trace``; see ``cli.profile``."""
    profile = click.option(
        "--profile", is_flag=True, help="Print at the end, to standard error, where the time went by stage."
    )
    trace = click.option(
        "--trace",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Write when each stage ran to a .json or .json.gz file, for https://ui.perfetto.dev.",
    )
    return profile(trace(command))


def load_classifier(weights: Path | None, device: str) -> Classifier:
    """Load the network and say on standard error where it runs and in which precision."""
    from gclf_live.model.classifier import Classifier

    classifier = Classifier.load(weights, device=device)
    say(classifier.plan.reason)
    return classifier


def choose_threshold(classifier: Classifier, threshold: float | None, max_error: float | None) -> float:
    """The confidence below which a face is ``unsure``, out of what the two options said.

    What ``--max-error`` comes to is said on standard error.

    Raises:
        CheckpointError: the checkpoint cannot promise ``max_error``, see ``threshold_for_error``.
    """
    if max_error is None:
        return DEFAULT_THRESHOLD if threshold is None else threshold
    from gclf_live.model.calibration import threshold_for_error

    table = classifier.meta.error_table
    chosen = threshold_for_error(table, max_error)
    counted = all(row.labelled for row in table if row.coverage > 0)
    say(
        f"threshold {chosen:g}: at most {100 * max_error:g} % of the labels wrong on pictures like its "
        + ("validation pictures, with 95 % confidence" if counted else "validation pictures")
    )
    return chosen


def say(line: str) -> None:
    """One line for the user on standard error, whatever control characters a file's name has."""
    shown = re.sub(r"[\x00-\x1f\x7f]", lambda found: repr(found[0])[1:-1], line)
    click.echo(f"gclf-live: {shown}", err=True)


def say_failures(failed: int, total: int) -> None:
    """Close a run over several inputs with how many failed, so that none is lost in a long output."""
    if failed and total > 1:
        say(f"{failed:,} of {total:,} inputs failed; each has its line above")


def print_json(document: object) -> None:
    """One JSON document on standard output, in UTF-8 whatever the terminal's encoding.

    A byte of a file name that is no UTF-8 comes out as JSON's own escape, ``\\udcff``: Python reads it back.
    """
    text = json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False)
    sys.stdout.buffer.write(f"{text}\n".encode(errors="backslashreplace"))
    sys.stdout.buffer.flush()
