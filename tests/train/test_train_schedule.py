"""Learning rate, optimiser and weight average."""

from __future__ import annotations

import pytest
import torch
from train_makers import changed, tiny_network

from gclf_train.config import Optimiser, Recipe
from gclf_train.schedule import learning_rate, make_optimiser, update_average


def _rates(recipe: Recipe) -> list[float]:
    return [
        learning_rate(recipe, epoch=step // 10, step=step % 10, steps_per_epoch=10)
        for step in range(recipe.epochs * 10 + 1)
    ]


def test_learning_rate_is_constant_without_a_schedule() -> None:
    assert set(_rates(changed(epochs=4, lr=0.5))) == {0.5}


def test_learning_rate_warms_up_in_a_line() -> None:
    rates = _rates(changed(epochs=4, lr=1.0, warmup_epochs=0.5))
    assert rates[:6] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])


def test_learning_rate_falls_along_half_a_cosine_to_one_percent() -> None:
    rates = _rates(changed(epochs=5, lr=1.0, warmup_epochs=1.0, cosine=True))
    after = rates[10:]
    assert after[0] == pytest.approx(1.0)
    assert after[20] == pytest.approx(0.01 + 0.99 / 2)
    assert after[-1] == pytest.approx(0.01)
    assert after == sorted(after, reverse=True)


@pytest.mark.parametrize(("name", "kind"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)])
def test_optimiser_decays_kernels_but_not_biases_and_normalisation(name: str, kind: type) -> None:
    network = tiny_network()
    recipe = changed(optimiser=Optimiser(name), weight_decay=0.1)
    optimiser = make_optimiser(recipe, network.parameters())
    assert type(optimiser) is kind
    decayed = {id(p) for group in optimiser.param_groups if group["weight_decay"] for p in group["params"]}
    assert decayed == {id(p) for p in network.parameters() if p.ndim > 1}


def test_average_moves_by_the_share_that_the_decay_leaves() -> None:
    average = {"w": torch.zeros(2), "count": torch.tensor(1)}
    state = {"w": torch.ones(2), "count": torch.tensor(9)}
    update_average(average, state, decay=0.9, steps=100_000)
    assert average["w"].tolist() == pytest.approx([0.1, 0.1])
    assert int(average["count"]) == 9


def test_average_forgets_the_random_start_quickly() -> None:
    average = {"w": torch.zeros(1)}
    update_average(average, {"w": torch.ones(1)}, decay=0.999, steps=0)
    assert float(average["w"]) == pytest.approx(0.9)


def test_average_without_decay_is_left_alone() -> None:
    average = {"w": torch.zeros(1)}
    update_average(average, {"w": torch.ones(1)}, decay=0.0, steps=5)
    assert float(average["w"]) == 0
