"""Put measured tables into MODEL_CARD.md, between its ``<!-- NAME -->`` and ``<!-- end -->`` marks.

gclf-live evaluate DATA/test --groups faces.csv --json > evaluation.json
python -m benchmarks.robustness DATA > robustness.txt
python -m benchmarks.track_calibration DATA > tracks.txt
python -m benchmarks.model_card evaluation.json robustness.txt tracks.txt
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from gclf_live.errors import UsageError
from gclf_live.model.checkpoint import default_weights_path, load_checkpoint
from gclf_live.model.meta import CheckpointMeta
from gclf_live.whole_file import whole_file

_CARD = Path(__file__).parent.parent / "MODEL_CARD.md"
_COLUMNS = ("source", "adults", "age", "source (adults)", "ethnicity (adults)", "ethnicity")
"""Columns of ``evaluate --json`` that the card shows."""

_NAMES = {"adults": "age"}
"""What the card calls a column, where it has another name there."""


def fill(card: str, name: str, text: str) -> str:
    """The card with ``text`` between the marks of ``name``.

    Raises:
        UsageError: the card has no such marks.
    """
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    if not pattern.search(card):
        raise UsageError(f"the card has no marks for {name!r}; write '<!-- {name} -->' and '<!-- end -->'")
    return pattern.sub(lambda found: f"{found[1]}{text.rstrip()}\n{found[2]}", card, count=1)


def group_table(document: Mapping[str, Any]) -> Iterator[str]:
    """The evaluation by group as rows of a Markdown table: per cent, with 95 % intervals."""
    classes = document["classes"]
    yield "| pictures | count | accuracy (95 %) | balanced | " + " | ".join(classes) + " |"
    yield "|---" * (4 + len(classes)) + "|"
    yield _group_row("all", document, classes)
    for column in _COLUMNS:
        for value, scores in document["groups"].get(column, {}).items():
            yield _group_row(f"{_NAMES.get(column, column)} {value}", scores, classes)


def _group_row(name: str, scores: Mapping[str, Any], classes: list[str]) -> str:
    low, high = scores["accuracy_interval"]
    cells = [
        name,
        f"{scores['count']:,}",
        f"{_percent(scores['accuracy'])} ({_percent(low)} to {_percent(high)})",
        _percent(scores["balanced_accuracy"]),
        *(_percent(scores["recall"].get(label)) for label in classes),
    ]
    return "| " + " | ".join(cells) + " |"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


def error_rows(meta: CheckpointMeta) -> Iterator[str]:
    """What a threshold costs on validation pictures, as rows of a Markdown table."""
    yield "| shown from a confidence of | faces with a label | of those wrong |"
    yield "|---|---|---|"
    shown = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
    for row in meta.error_table:
        if any(abs(row.threshold - value) < 1e-6 for value in shown):
            yield f"| {row.threshold:g} | {_percent(row.coverage)} % | {_percent(row.error)} % |"


def _block(path: Path) -> str:
    return f"```\n{path.read_text(encoding='utf-8').rstrip()}\n```"


@click.command()
@click.argument("evaluation", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("robustness", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("tracks", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--card", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=_CARD)
def main(evaluation: Path, robustness: Path, tracks: Path, card: Path) -> None:
    """Write the tables into the card."""
    document = json.loads(evaluation.read_text(encoding="utf-8"))
    checkpoint = load_checkpoint(default_weights_path())
    text = card.read_text(encoding="utf-8")
    text = fill(text, "groups", "\n".join(group_table(document)))
    text = fill(text, "error by threshold", "\n".join(error_rows(checkpoint.meta)))
    text = fill(text, "robustness", _block(robustness))
    text = fill(text, "tracks", _block(tracks))
    with whole_file(card, overwrite=True) as part:
        part.write_text(text, encoding="utf-8")
    click.echo(f"{card}: calibration error {document['ece']:.4f}, weights {checkpoint.tensors_sha256[:12]}")


if __name__ == "__main__":
    main()
