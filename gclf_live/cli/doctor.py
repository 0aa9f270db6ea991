"""``gclf-live doctor``: what works here, what does not, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gclf_live.cli.options import device_option, json_option, print_json, weights_option
from gclf_live.errors import ExitCode

if TYPE_CHECKING:
    from gclf_live.pipeline.diagnosis import Diagnosis


@click.command(short_help="Say what works here, what does not, and what to do.")
@weights_option
@device_option
@json_option
def doctor(weights: Path | None, device: str, as_json: bool) -> int:
    """Look at devices, versions, codecs, display, cameras and checkpoint, and time one picture.

    Ends with what is missing or broken and what to do about it. Exit code 1 if pictures and videos cannot
    be labelled; without a display or a camera they can.
    """
    from gclf_live.pipeline.doctor import examine

    diagnosis = examine(weights, device=device)
    if as_json:
        print_json(diagnosis.as_json())
    else:
        for line in report_lines(diagnosis):
            click.echo(line)
    return ExitCode.DONE if diagnosis.usable else ExitCode.FAILED


def report_lines(diagnosis: Diagnosis) -> Iterator[str]:
    """The report for a person: a part a paragraph, then the problems."""
    for part, facts in diagnosis.facts.items():
        told = _PARTS[part](facts)
        for number, line in enumerate(told):
            yield f"{part if number == 0 else '':<12}{line}"
    problems = diagnosis.problems
    yield ""
    if not problems:
        yield "No problems found."
        return
    yield (
        "Problems:" if not diagnosis.usable else "It works; what is missing matters only where it is needed:"
    )
    for problem in problems:
        yield f"- {problem.part}: {problem.text}{' [essential]' if problem.essential else ''}"


def _plain(facts: Mapping[str, Any]) -> list[str]:
    return [_listed(facts)]


def _devices(facts: Mapping[str, Any]) -> list[str]:
    bfloat16 = "with" if facts["cpu_bfloat16"] else "without"
    return [
        f"{facts['cpu']}: {facts['cores']} cores, {facts['threads']} used, {bfloat16} bfloat16",
        f"CUDA: {', '.join(facts['cuda']) or 'none'}",
        f"the network runs on {facts['chosen']}",
    ]


def _codecs(facts: Mapping[str, Any]) -> list[str]:
    return [
        ", ".join(f"{name.replace('_', ' ')} {'yes' if there else 'NO'}" for name, there in facts.items())
    ]


def _display(facts: Mapping[str, Any]) -> list[str]:
    return [(facts["name"] or "yes") if facts["available"] else "none"]


def _cameras(facts: Mapping[str, Any]) -> list[str]:
    return [", ".join(map(str, facts["found"])) or "none"]


def _checkpoint(facts: Mapping[str, Any]) -> list[str]:
    crop, data = facts["crop"], facts["data"]
    lines = [
        f"{facts['file']}, {facts['bytes'] / 1e6:.1f} MB",
        f"{facts['architecture']} for {', '.join(facts['classes'])}; crops of {crop['size_px']} px by "
        f"{crop['alignment']}, margin {crop['margin']:g}",
        f"recipe: {facts['recipe'] or 'not recorded'} {str(facts['recipe_sha256'])[:12]}".rstrip(),
        f"trained on: {_listed(data.get('counts')) or 'not recorded'}",
        f"terms: {_listed(data.get('terms')) or 'not recorded'}",
        f"teacher: {_listed(data.get('teacher')) or 'none recorded'}",
    ]
    if data.get("init"):
        lines.append(f"started from: {_listed(data['init'])}")
    return [
        *lines,
        f"validation: {_listed(facts['validation']) or 'not recorded'}",
        *(["errors: " + told] if (told := _errors(facts["error_table"])) else []),
        facts["meaning"],
    ]


def _errors(table: list[dict[str, float]]) -> str:
    """A few rows of the table: every face, the default threshold, and a strict one."""
    shown = [row for row in table if row["threshold"] in (0.5, 0.8, 0.95)]
    return "; ".join(
        f"from {row['threshold']:g} on {100 * row['coverage']:.1f} % get a label, "
        f"{100 * row['error']:.1f} % of them wrong"
        for row in shown
    )


def _frame(facts: Mapping[str, Any]) -> list[str]:
    return [
        f"{facts['width_px']}x{facts['height_px']}, {facts['faces']} face: {facts['frame_ms']:g} ms, "
        f"classifying a crop alone {facts['classify_ms']:g} ms (medians of {facts['runs']})"
    ]


def _listed(value: object) -> str:
    """Any JSON value on one line: ``female 0.94, male 0.93``; whatever a checkpoint says of itself."""
    if isinstance(value, Mapping):
        inside = (
            f"{key} ({_listed(item)})" if isinstance(item, Mapping) else f"{key} {_listed(item)}"
            for key, item in value.items()
        )
        return ", ".join(inside)
    if isinstance(value, list):
        return ", ".join(map(_listed, value))
    return "" if value is None else " ".join(str(value).split())


_PARTS = {
    "versions": _plain,
    "ffmpeg": _plain,
    "devices": _devices,
    "codecs": _codecs,
    "display": _display,
    "cameras": _cameras,
    "checkpoint": _checkpoint,
    "frame": _frame,
}
