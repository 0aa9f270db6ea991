"""What a checkpoint says of itself: everything that is needed to use it, and where it came from."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from gclf_live.errors import CheckpointError
from gclf_live.geometry import Alignment, CropSpec
from gclf_live.model.networks import ARCHITECTURES
from gclf_live.records import UNSURE

FORMAT_VERSION = 1
"""Version of the JSON document that is written; older ones are read, newer ones refused."""


@dataclass(frozen=True, slots=True)
class ErrorAtThreshold:
    """What a confidence threshold costs and gives on the validation pictures.

    Attributes:
        threshold: the confidence from which a label is shown.
        coverage: share of faces that get a label, in [0, 1].
        error: share of those labels that are wrong, in [0, 1]; 0 where none is shown.
        labelled: number of faces that get a label; 0 in files that did not store it.
    """

    threshold: float
    coverage: float
    error: float
    labelled: int = 0

    def __post_init__(self) -> None:
        shares = (self.threshold, self.coverage, self.error)
        # Written so that NaN is refused too.
        if not all(0 <= share <= 1 for share in shares) or not 0 <= self.labelled < math.inf:
            raise ValueError(
                f"threshold, coverage and error {shares} of {self.labelled} labels; allowed are shares from "
                "0 to 1 and a count"
            )


@dataclass(frozen=True, slots=True)
class CheckpointMeta:
    """How to use a checkpoint, and where it came from.

    Attributes:
        architecture: one of ``networks.ARCHITECTURES``.
        classes: names in the order of the network's outputs.
        crop: size, margin and alignment of the face crop.
        mean: of red, green and blue, on a scale of 0 to 1.
        std: likewise.
        temperature: what logits are divided by before the softmax (Guo et al. 2017, arXiv:1706.04599).
        error_table: coverage and error by threshold, on validation pictures.
        recipe: name of the recipe it was trained with; empty where that is not known.
        recipe_sha256: of all its settings, those that were given instead included; hexadecimal.
        data: counts and terms of the training data.
        validation: figures measured after training.
    """

    architecture: str
    classes: tuple[str, ...]
    crop: CropSpec
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    temperature: float = 1.0
    error_table: tuple[ErrorAtThreshold, ...] = ()
    recipe: str = ""
    recipe_sha256: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    validation: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.architecture not in ARCHITECTURES:
            allowed = ", ".join(ARCHITECTURES)
            raise CheckpointError(f"unknown architecture {self.architecture!r}; allowed are {allowed}")
        if len(self.classes) < 2 or len(set(self.classes)) < len(self.classes) or "" in self.classes:
            raise CheckpointError(f"classes {list(self.classes)}; there must be at least 2 different names")
        if UNSURE in self.classes:
            raise CheckpointError(
                f"a class is called {UNSURE!r}, which marks faces without a label; rename it"
            )
        if len(self.mean) != 3 or len(self.std) != 3:
            raise CheckpointError(f"mean {self.mean} and std {self.std}; each must have 3 numbers")
        if not all(math.isfinite(v) for v in self.mean) or not all(_is_positive(v) for v in self.std):
            raise CheckpointError(
                f"mean {self.mean} and std {self.std}; allowed are finite numbers, std above 0"
            )
        if not _is_positive(self.temperature):
            raise CheckpointError(f"temperature {self.temperature}; allowed is a finite number above 0")


def meta_to_json(meta: CheckpointMeta, *, tensors_sha256: str) -> str:
    """The JSON document of a checkpoint file.

    Raises:
        CheckpointError: ``data`` or ``validation`` hold what JSON cannot say, such as NaN.
    """
    document = {"format_version": FORMAT_VERSION, "tensors_sha256": tensors_sha256, **asdict(meta)}
    try:
        return json.dumps(document, ensure_ascii=False, allow_nan=False, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"cannot store the checkpoint's description ({error}); data and validation take JSON values only"
        ) from error


def meta_from_json(text: str) -> tuple[CheckpointMeta, str]:
    """The description in a JSON document of ``meta_to_json``, and the SHA-256 that its tensors must have.

    Raises:
        CheckpointError: it is no such document, from a newer version, or describes no usable classifier.
    """
    try:
        document = json.loads(text)
        _check_version(document["format_version"])
        return _meta_from_document(document), str(document["tensors_sha256"])
    except KeyError as error:
        raise CheckpointError(f"its description lacks {error}; save it again with gclf-live") from error
    except CheckpointError:
        raise
    except (TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise CheckpointError(f"its description is damaged ({error}); fetch or save it again") from error


def _check_version(version: object) -> None:
    if not isinstance(version, int) or not 1 <= version <= FORMAT_VERSION:
        raise CheckpointError(
            f"format version {version!r}; this gclf-live reads up to {FORMAT_VERSION}. Update gclf-live"
        )


def _meta_from_document(document: Mapping[str, Any]) -> CheckpointMeta:
    crop = document["crop"]
    return CheckpointMeta(
        architecture=document["architecture"],
        classes=tuple(str(name) for name in document["classes"]),
        crop=CropSpec(int(crop["size_px"]), float(crop["margin"]), Alignment(crop["alignment"])),
        mean=_three_numbers(document["mean"]),
        std=_three_numbers(document["std"]),
        temperature=float(document["temperature"]),
        error_table=tuple(ErrorAtThreshold(**row) for row in document["error_table"]),
        recipe=document["recipe"],
        recipe_sha256=document["recipe_sha256"],
        data=dict(document["data"]),
        validation=dict(document["validation"]),
    )


def _three_numbers(values: list[float]) -> tuple[float, float, float]:
    red, green, blue = values
    return float(red), float(green), float(blue)


def _is_positive(value: float) -> bool:
    return math.isfinite(value) and value > 0
