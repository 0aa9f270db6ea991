"""Recipes: what they say, what can be changed, what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gclf_live.errors import UsageError
from gclf_live.geometry import Alignment, CropSpec
from gclf_train.config import Optimiser, Pictures, load_recipe, recipe_names
from gclf_train.data import cache_spec


def test_readme_is_the_original_notebooks_recipe() -> None:
    recipe = load_recipe("readme")
    assert (recipe.architecture, recipe.pretrained, recipe.optimiser) == ("resnet18", False, Optimiser.ADAM)
    assert (recipe.epochs, recipe.batch_size, recipe.final_size_px) == (30, 64, 224)
    assert recipe.pictures is Pictures.WHOLE
    assert recipe.augmentation.flip
    assert recipe.label_smoothing == recipe.weight_decay == recipe.ema_decay == 0


def test_live_is_trained_on_the_crop_that_it_is_used_with() -> None:
    recipe = load_recipe("live")
    assert recipe.pictures is Pictures.CROPS
    assert recipe.crop == CropSpec(112, 1.15, Alignment.LANDMARKS)
    sizes = [recipe.size_at(epoch) for epoch in range(recipe.epochs)]
    assert sizes == [64] * 7 + [80] * 3 + [96] * 3 + [112] * 7


def test_cached_crop_has_context_around_what_the_network_sees() -> None:
    assert cache_spec(load_recipe("live").crop) == CropSpec(144, 1.5, Alignment.LANDMARKS)
    assert cache_spec(CropSpec(112, 3.9)).margin == 4


def test_package_names_its_recipes() -> None:
    assert recipe_names() == ("live", "readme")


def test_changes_replace_settings_and_none_leaves_them() -> None:
    recipe = load_recipe("live", epochs=7, image_size=96, batch_size=None, architecture="resnet50")
    assert (recipe.epochs, recipe.batch_size, recipe.architecture) == (7, 128, "resnet50")
    assert recipe.image_sizes == {0: 96}


def test_hash_tells_every_setting_apart_and_nothing_else() -> None:
    recipe = load_recipe("live")
    assert recipe.sha256() == load_recipe("live").sha256()
    assert recipe.sha256() != load_recipe("live", seed=1).sha256()
    blurred = replace(recipe, augmentation=replace(recipe.augmentation, blur=0.5))
    assert recipe.sha256() != blurred.sha256()


def test_recipe_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "mine"\npictures = "crops"\nimage_sizes = { 0 = 64, 50 = 80 }\n[augmentation]\nblur = 0.4\n'
    )
    recipe = load_recipe(str(path))
    assert (recipe.name, recipe.final_size_px, recipe.augmentation.blur) == ("mine", 80, 0.4)


START = 'name = "x"\npictures = "crops"\nimage_sizes = { 0 = 64 }\n'


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("name =", "cannot be read"),
        ('name = "x"\npictures = "crops"', "lacks 'image_sizes'"),
        ('name = "x"\npictures = "half"\nimage_sizes = { 0 = 64 }', "'half' is not a valid Pictures"),
        ('name = "x"\npictures = "crops"\nimage_sizes = 64', "cannot be used"),
        (
            'name = "x"\npictures = "crops"\nimage_sizes = { 0 = 64 }\nlearning = 1',
            "sets learning; known are",
        ),
        ('name = "x"\npictures = "crops"\nimage_sizes = { 0 = 64 }\n[augmentation]\nfog = 1', "'fog'"),
        (f'{START}epochs = "many"', "epochs = 'many'; wanted is a whole number"),
        (f'{START}cosine = "false"', "cosine = 'false'; wanted is true or false"),
        (f"{START}cosine = 1", "cosine = 1; wanted is true or false"),
        (f"{START}seed = 1.5", r"seed = 1\.5; wanted is a whole number"),
        (f"{START}lr = true", "lr = True; wanted is a number"),
        (f"{START}architecture = 18", "architecture = 18; wanted is text"),
        (f"{START}weight_decay = -1", "weight_decay = -1; allowed are finite numbers from 0"),
        (f"{START}weight_decay = inf", "weight_decay = inf"),
        (f"{START}label_smoothing = 2", "label_smoothing = 2; allowed are 0 to 1"),
        (f"{START}ema_decay = nan", "ema_decay = nan"),
        (f'{START}[augmentation]\nflip = "no"', "flip = 'no'; wanted is true or false"),
        (f"{START}[augmentation]\njpeg = 20", "jpeg = 20; allowed are 0 to 1"),
        (f"{START}[augmentation]\nsmallest_px = 0", "smallest_px = 0; allowed are 1 to 512"),
        (f"{START}[augmentation]\nrotation_deg = -8", "rotation_deg = -8"),
        (f"{START}augmentation = 3", "cannot be used"),
        (f"{START}[teacher]\nweight = 1.5", r"weight = 1\.5; allowed are 0 to 1"),
        (f"{START}[teacher]\ndescriptor_weight = -1", "descriptor_weight = -1"),
        ('name = "x"\npictures = "crops"\nimage_sizes = { 0 = 64 }\nmargin = 9', "margin 9"),
        ('name = "x"\npictures = "crops"\nimage_sizes = { 30 = 64 }', "one of them from the start"),
    ],
)
def test_recipe_file_with_a_mistake_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=complaint):
        load_recipe(str(path))


@pytest.mark.parametrize("name", ["nosuch", "nosuch.toml", "live.toml", "../live"])
def test_unknown_recipe_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(UsageError, match="there are live, readme, or give a"):
        load_recipe(name)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"epochs": 0}, "epochs 0"),
        ({"patience": 0}, "patience 0"),
        ({"lr": 0.0}, "lr 0.0"),
        ({"lr": float("nan")}, "lr nan"),
        ({"lr": float("inf")}, "lr inf"),
        ({"seed": -1}, "seed -1"),
        ({"batch_size": 1}, "2 pictures or more"),
        ({"image_size": 31}, "31 px; allowed are 32 to 512"),
        ({"image_size": 513}, "513 px; allowed are 32 to 512"),
        ({"architecture": "resnet19"}, "unknown architecture 'resnet19'; allowed are resnet18"),
    ],
)
def test_setting_without_sense_is_refused(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        load_recipe("readme", **changes)
