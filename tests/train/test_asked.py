"""What two runs were started with, told apart in the words of the command line."""

from __future__ import annotations

from dataclasses import replace

import pytest
from train_makers import TINY

from gclf_train.asked import asked_for, differences
from gclf_train.config import Augmentation, Recipe, load_recipe


def _unlike(before: Recipe, now: Recipe) -> str:
    return differences(asked_for(before, {}), asked_for(now, {}))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, ""),
        ({"epochs": 9}, "--epochs 3, not 9"),
        ({"pretrained": True}, "--pretrained no, not yes"),
        ({"image_sizes": {0: 32, 50: 48}}, "--image-size 32, not 32/48"),
        ({"weight_decay": 0.1}, "the recipe's weight_decay 0.0, not 0.1"),
        (
            {"augmentation": replace(TINY.augmentation, flip=False)},
            "the recipe's augmentation.flip yes, not no",
        ),
        ({"weight_decay": 0.1, "seed": 2}, "--seed 0, not 2; the recipe's weight_decay 0.0, not 0.1"),
    ],
)
def test_what_differs_is_named_with_both_values(changes: dict[str, object], told: str) -> None:
    assert _unlike(TINY, replace(TINY, **changes)) == told  # type: ignore[arg-type]


def test_of_two_recipes_the_first_few_differences_are_named() -> None:
    told = _unlike(load_recipe("readme"), load_recipe("live"))
    assert told.startswith("--recipe readme, not live; ")
    assert told.endswith(" more")
    assert told.count("; ") == 4


def test_files_are_compared_too_and_a_setting_may_be_missing() -> None:
    before = asked_for(TINY, {"--teacher": "none"})
    now = asked_for(TINY, {"--teacher": "0123abcd", "--new": "1"})
    assert differences(before, now) == "--teacher none, not 0123abcd; --new -, not 1"


def test_nothing_is_said_of_a_run_that_kept_no_settings() -> None:
    assert differences({}, asked_for(replace(TINY, augmentation=Augmentation()), {})) == ""
