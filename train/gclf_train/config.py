"""Recipes: everything that decides what a training run gives, read from TOML and hashed."""

from __future__ import annotations

import hashlib
import json
import math
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Any

from gclf_live.errors import UsageError
from gclf_live.geometry import Alignment, CropSpec
from gclf_live.model.networks import head_name

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Pictures(StrEnum):
    """What the network is shown of a labelled picture."""

    WHOLE = "whole"
    """The whole picture, squeezed into a square, as the original recipe does."""
    CROPS = "crops"
    """The face, found and cut out as in the live path."""


class Optimiser(StrEnum):
    """The optimisers a recipe may name."""

    ADAM = "adam"
    ADAMW = "adamw"


_SHARES = ("grey", "low_resolution", "blur", "jpeg", "noise", "erase")


def _check_range(settings: object, names: Iterable[str], *, low: float, high: float) -> None:
    """Raise UsageError where a setting is no number from ``low`` to ``high``."""
    for name in names:
        value = getattr(settings, name)
        if not low <= value <= high:
            ends = f"{low:g} to {high:g}" if high < sys.float_info.max else f"finite numbers from {low:g}"
            raise UsageError(f"the recipe has {name} = {value!r}; allowed are {ends}")


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Random changes to a batch. Ranges are half-widths, shares are probabilities a picture.

    Attributes:
        scale, shift, aspect: relative to the crop's side.
        rotation_deg: standard deviation of the turn.
        colour: brightness and contrast, relative; saturation and colour cast follow it.
        grey, low_resolution, blur, jpeg, noise, erase: shares of the pictures.
        smallest_px: to how few pixels ``low_resolution`` may reduce a crop.
    """

    flip: bool = True
    scale: float = 0.0
    shift: float = 0.0
    aspect: float = 0.0
    rotation_deg: float = 0.0
    colour: float = 0.0
    grey: float = 0.0
    low_resolution: float = 0.0
    smallest_px: int = 20
    blur: float = 0.0
    jpeg: float = 0.0
    noise: float = 0.0
    erase: float = 0.0

    def __post_init__(self) -> None:
        parts = ("scale", "shift", "aspect", "colour", *_SHARES)
        _check_range(self, parts, low=0, high=1)
        _check_range(self, ("rotation_deg",), low=0, high=180)
        _check_range(self, ("smallest_px",), low=1, high=512)


@dataclass(frozen=True, slots=True)
class TeacherMix:
    """How much of the target comes from a teacher's table, where one is given.

    Attributes:
        weight: the teacher's share of the cross-entropy's target; the label has the rest.
        reject: a picture whose label the teacher contradicts by this probability or more is left out.
        descriptor_weight: weight of the cosine distance to the teacher's descriptors.
    """

    weight: float = 0.6
    reject: float = 0.97
    descriptor_weight: float = 1.0

    def __post_init__(self) -> None:
        _check_range(self, ("weight", "reject"), low=0, high=1)
        _check_range(self, ("descriptor_weight",), low=0, high=sys.float_info.max)


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way to train; ``image_sizes`` maps the percent of the epochs from which it holds to px."""

    name: str
    pictures: Pictures
    image_sizes: dict[int, int]
    architecture: str = "resnet18"
    pretrained: bool = False
    epochs: int = 30
    patience: int = 5
    batch_size: int = 64
    optimiser: Optimiser = Optimiser.ADAM
    lr: float = 1e-3
    weight_decay: float = 0.0
    warmup_epochs: float = 0.0
    cosine: bool = False
    ema_decay: float = 0.0
    label_smoothing: float = 0.0
    seed: int = 0
    margin: float = 1.15
    alignment: Alignment = Alignment.LANDMARKS
    augmentation: Augmentation = field(default_factory=Augmentation)
    teacher: TeacherMix = field(default_factory=TeacherMix)

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.patience < 1 or self.seed < 0 or not 0 < self.lr < math.inf:
            raise UsageError(
                f"epochs {self.epochs}, patience {self.patience}, lr {self.lr}, seed {self.seed}; "
                "allowed are finite numbers above 0, for the seed from 0"
            )
        _check_range(self, ("ema_decay", "label_smoothing"), low=0, high=1)
        _check_range(self, ("weight_decay", "warmup_epochs"), low=0, high=sys.float_info.max)
        if self.batch_size < 2:
            raise UsageError(f"batch size {self.batch_size}; batch normalisation needs 2 pictures or more")
        if 0 not in self.image_sizes or any(not 32 <= px <= 512 for px in self.image_sizes.values()):
            sizes = ", ".join(f"{px} px" for px in self.image_sizes.values())
            raise UsageError(f"image size {sizes}; allowed are 32 to 512 px, one of them from the start")
        head_name(self.architecture)
        try:
            CropSpec(self.final_size_px, self.margin, self.alignment)
        except ValueError as error:
            raise UsageError(str(error)) from error

    def size_at(self, epoch: int) -> int:
        """Side of the network's input in pixels in ``epoch``, counted from 0."""
        done_percent = 100 * epoch / self.epochs
        return self.image_sizes[max(start for start in self.image_sizes if start <= done_percent)]

    @property
    def final_size_px(self) -> int:
        """Side of the network's input in the last epoch: what the checkpoint is used with."""
        return self.size_at(self.epochs - 1)

    @property
    def crop(self) -> CropSpec:
        """The crop that the checkpoint is used with."""
        return CropSpec(self.final_size_px, self.margin, self.alignment)

    def sha256(self) -> str:
        """Hash of every setting: two runs with the same hash, data and seed give the same curve."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def recipe_names() -> tuple[str, ...]:
    """The recipes that come with the package."""
    found = files("gclf_train.recipes").iterdir()
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in found if entry.name.endswith(".toml")))


def load_recipe(name: str, **changes: Any) -> Recipe:
    """Read a recipe by name, or from a TOML file by path.

    Args:
        name: one of ``recipe_names()`` or the path of a ``.toml`` file.
        changes: fields of ``Recipe`` to set instead, None for those to leave; ``image_size`` sets one
            size for all epochs.

    Raises:
        UsageError: no such recipe, or a setting that does not exist or has no sense.
    """
    recipe = _parse(_read_toml(name), name)
    size = changes.pop("image_size", None)
    if size is not None:
        changes["image_sizes"] = {0: size}
    return replace(recipe, **{key: value for key, value in changes.items() if value is not None})


def _read_toml(name: str) -> dict[str, Any]:
    if name in recipe_names():
        return tomllib.loads((files("gclf_train.recipes") / f"{name}.toml").read_text(encoding="utf-8"))
    if not name.endswith(".toml") or not Path(name).is_file():
        raise UsageError(f"no recipe {name!r}; there are {', '.join(recipe_names())}, or give a .toml file")
    try:
        return tomllib.loads(Path(name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"recipe {name!r} cannot be read: {error}") from error


def _parse(table: dict[str, Any], name: str) -> Recipe:
    """A recipe from parsed TOML; unknown settings are refused rather than ignored."""
    known = {f.name for f in fields(Recipe)}
    unknown = sorted(set(table) - known)
    if unknown:
        raise UsageError(f"recipe {name!r} sets {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    _check_types(Recipe, table, name)
    _check_types(Augmentation, table.get("augmentation"), name)
    _check_types(TeacherMix, table.get("teacher"), name)
    try:
        return Recipe(
            **{
                **table,
                "pictures": Pictures(table["pictures"]),
                "image_sizes": {int(k): int(v) for k, v in table["image_sizes"].items()},
                "optimiser": Optimiser(table.get("optimiser", "adam")),
                "alignment": Alignment(table.get("alignment", "landmarks")),
                "augmentation": Augmentation(**table.get("augmentation", {})),
                "teacher": TeacherMix(**table.get("teacher", {})),
            }
        )
    except KeyError as error:
        raise UsageError(f"recipe {name!r} lacks {error}; look at the recipes of the package") from error
    except (AttributeError, TypeError, ValueError) as error:
        raise UsageError(f"recipe {name!r} cannot be used: {error}") from error


_TYPES = {
    "bool": (bool, "true or false"),
    "int": (int, "a whole number"),
    "float": (int | float, "a number"),
    "str": (str, "text in quotes"),
}


def _check_types(kind: type[Recipe | Augmentation | TeacherMix], table: object, name: str) -> None:
    """Raise UsageError where a value is of another type than the setting: "false" in quotes would be true."""
    if not isinstance(table, Mapping):  # not given, or no table: told where it is used
        return
    for setting in fields(kind):
        value = table.get(setting.name)
        if value is None or str(setting.type) not in _TYPES:
            continue
        wanted, words = _TYPES[str(setting.type)]
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            raise UsageError(f"recipe {name!r} has {setting.name} = {value!r}; wanted is {words}")
