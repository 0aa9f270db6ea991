"""Groups of pictures: by label, by face height, and by the columns of a table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gclf_live.evaluation.answers import Answers
from gclf_live.groups_table import GroupsTable
from gclf_live.records import F32

_AGE_FROM = (0, 13, 20, 40, 60)
_ADULT_AGE = 18
_HEIGHT_FROM_PX = (0, 24, 32, 48, 64, 96, 128, 192)
_MOST_VALUES = 40
"""A column with more different values, such as a person's number, is no grouping."""

_TAKEN = frozenset({"file", "label", "adults", "face_height_px"})
"""Columns of a table that are not groups of their own: the name, and what is derived here."""


@dataclass(frozen=True, slots=True)
class Grouping:
    """One way to divide the pictures.

    Attributes:
        column: its name.
        values: the group of each of the N pictures; empty where nothing is known.
        order: the groups that there are, in the order in which they are shown.
    """

    column: str
    values: tuple[str, ...]
    order: tuple[str, ...]


def make_groups(
    answers: Answers, table: GroupsTable | None = None
) -> tuple[tuple[Grouping, ...], tuple[str, ...]]:
    """Every grouping that is known, and lines for the user on what of the table cannot be used.

    Always there is ``label``; with found faces ``face_height_px``. Of the table's columns ``age`` is
    taken in bands, ``adults`` tells from 18 years on, ``age x label`` crosses the two, and each other
    column is given for adults alone as well.

    Args:
        answers: of N pictures.
        table: what else is known of the pictures.
    """
    labels = [answers.classes[target] for target in answers.targets.tolist()]
    made = [Grouping("label", tuple(labels), tuple(name for name in answers.classes if name in labels))]
    notes: list[str] = []
    known = {column: table.values(column, answers.files) for column in table.columns} if table else {}
    ages = [_age(value) for value in known["age"]] if "age" in known else []
    for column, values in known.items():
        if column == "age":
            made += _by_age(ages, labels)
            notes += _strange_ages(values)
        elif column not in _TAKEN:
            different = sorted(set(values) - {""})
            if len(different) > _MOST_VALUES:
                notes.append(
                    f"no groups by {column!r}: it has {len(different)} different values, and {_MOST_VALUES} "
                    "are the most"
                )
            else:
                made.append(Grouping(column, tuple(values), tuple(different)))
                made += _of_adults(made[-1], ages)
    made.append(_by_height(answers.face_height_px))
    return tuple(grouping for grouping in made if _divides(grouping)), tuple(notes)


def _divides(grouping: Grouping) -> bool:
    """Whether it says more than that all pictures are alike."""
    return len(set(grouping.values)) > 1


def _of_adults(grouping: Grouping, ages: Sequence[float | None]) -> Iterator[Grouping]:
    """The same groups without children and without those of unknown age; nothing where no age is known."""
    if len(grouping.order) > 1 and any(age is not None for age in ages):
        values = tuple(
            value if age is not None and age >= _ADULT_AGE else ""
            for value, age in zip(grouping.values, ages, strict=True)
        )
        order = tuple(name for name in grouping.order if name in values)
        yield Grouping(f"{grouping.column} (adults)", values, order)


def _by_age(ages: Sequence[float | None], labels: Sequence[str]) -> Iterator[Grouping]:
    bands = tuple("" if age is None else _age_band(age) for age in ages)
    yield Grouping("age", bands, tuple(sorted(set(bands) - {""})))
    young, adult = f"under {_ADULT_AGE}", f"{_ADULT_AGE} and older"
    grown = tuple("" if age is None else adult if age >= _ADULT_AGE else young for age in ages)
    yield Grouping("adults", grown, tuple(name for name in (adult, young) if name in grown))
    crossed = tuple(f"{band} {label}" if band else "" for band, label in zip(bands, labels, strict=True))
    yield Grouping("age x label", crossed, tuple(sorted(set(crossed) - {""})))


def _strange_ages(values: Sequence[str]) -> Iterator[str]:
    strange = [value for value in values if value and _age(value) is None]
    if strange:
        yield (
            f"{len(strange)} ages are no number of years, such as {strange[0]!r}: those pictures are in no "
            "group by age"
        )


def _age(text: str) -> float | None:
    try:
        age = float(text)
    except ValueError:
        return None
    return age if 0 <= age < math.inf else None


def _age_band(age: float) -> str:
    """``20-39`` for 27, ``60+`` for 60."""
    ends = (*(start - 1 for start in _AGE_FROM[1:]), None)
    start, end = [pair for pair in zip(_AGE_FROM, ends, strict=True) if pair[0] <= age][-1]
    return f"{start:02}+" if end is None else f"{start:02}-{end:02}"


def _by_height(heights_px: F32) -> Grouping:
    ends = (*_HEIGHT_FROM_PX[1:], None)
    names = tuple(
        f"{start} and more" if end is None else f"{start}-{end - 1}"
        for start, end in zip(_HEIGHT_FROM_PX, ends, strict=True)
    )
    values = tuple(
        names[max(i for i, start in enumerate(_HEIGHT_FROM_PX) if start <= height)]
        if math.isfinite(height)
        else ""
        for height in heights_px.tolist()
    )
    return Grouping("face_height_px", values, tuple(name for name in names if name in values))
