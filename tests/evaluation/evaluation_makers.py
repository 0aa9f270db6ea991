"""Answers whose figures are known, and folders of labelled pictures, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from face_makers import BLUE, RED, Face, scene

from gclf_live.evaluation.answers import Answers, Unreadable
from gclf_live.media.pictures import write_picture
from gclf_live.records import U8

FACES = ("collins", "obama")


def make_answers(
    rows: Sequence[tuple[int, Sequence[float]]],
    *,
    classes: tuple[str, ...] = ("female", "male"),
    folder: Path = Path("data"),
    heights_px: Sequence[float] | None = None,
    missing: tuple[str, ...] = (),
    unreadable: tuple[Unreadable, ...] = (),
) -> Answers:
    """Answers from pairs of target and probabilities; files are ``CLASS/0.png`` and so on."""
    heights = [50.0] * len(rows) if heights_px is None else list(heights_px)
    return Answers(
        classes=classes,
        folder=folder,
        files=tuple(f"{classes[target]}/{i}.png" for i, (target, _) in enumerate(rows)),
        targets=np.array([target for target, _ in rows], np.int64),
        probabilities=np.array([probabilities for _, probabilities in rows], np.float32),
        boxes=np.array([[0, 0, 0.75 * height, height] for height in heights], np.float32),
        missing=missing,
        unreadable=unreadable,
    )


def drawn_answers(count: int, *, sharpness: float = 1.0, classes: int = 2, seed: int = 1) -> Answers:
    """Answers that are right as often as they say at ``sharpness`` 1, and too sure of themselves above."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 2, (count, classes))
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    targets = (generator.random((count, 1)) > chances.cumsum(axis=1)).sum(axis=1)
    sharpened = np.exp(sharpness * logits)
    probabilities = sharpened / sharpened.sum(axis=1, keepdims=True)
    names = tuple(f"class{i}" for i in range(classes))
    rows = list(zip(targets.tolist(), probabilities.tolist(), strict=True))
    return make_answers(rows, classes=names)


def face_picture(*, red: bool, height_px: float = 90, name: str = "collins") -> U8:
    """A picture of 240x240 with one face, which ``ColourClassifier`` calls female if red."""
    return scene(Face(name, 120, 120, height_px, RED if red else BLUE), width_px=240, height_px=240)


def make_dataset(folder: Path, *, each: int = 2) -> Path:
    """``each`` red faces as female and as many blue ones as male."""
    for label, red in (("female", True), ("male", False)):
        (folder / label).mkdir(parents=True)
        for i in range(each):
            write_picture(folder / label / f"{i}.png", face_picture(red=red, name=FACES[i % 2]))
    return folder
