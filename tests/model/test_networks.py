"""The networks, held against torchvision's."""

from __future__ import annotations

import subprocess
import sys
from copy import deepcopy
from functools import cache
from pathlib import Path

import pytest
import torch
import torchvision

from gclf_live.errors import GclfError, UsageError
from gclf_live.model.fold import fold_batch_norm
from gclf_live.model.networks import (
    ARCHITECTURES,
    build_network,
    head_name,
    network_from_state,
)


@cache
def _used(architecture: str) -> torch.nn.Module:
    """A network whose BatchNorm statistics are not those of a new one."""
    torch.manual_seed(1)
    network = build_network(architecture, 3)
    with torch.no_grad():
        network(torch.randn(4, 3, 64, 64) * 3 + 1)
    return network.eval()


@pytest.mark.parametrize("architecture", ["resnet18", "resnet34", "resnet50"])
@torch.inference_mode()
def test_resnets_equal_those_of_torchvision(architecture: str) -> None:
    ours = build_network(architecture, 4).eval()
    theirs = torchvision.models.get_model(architecture, num_classes=4).eval()
    theirs.load_state_dict(ours.state_dict())
    assert list(ours.state_dict()) == list(theirs.state_dict())
    x = torch.randn(2, 3, 75, 64)
    assert torch.equal(ours(x), theirs(x))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@torch.inference_mode()
def test_folding_batch_norm_keeps_the_outputs(architecture: str) -> None:
    network = _used(architecture)
    x = torch.randn(4, 3, 64, 64)
    before = network(x)
    folded = fold_batch_norm(deepcopy(network))
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    torch.testing.assert_close(folded(x), before, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_network_from_state_answers_as_the_one_it_came_from() -> None:
    network = _used("resnet18")
    again = network_from_state("resnet18", 3, network.state_dict()).eval()
    x = torch.randn(1, 3, 64, 64)
    assert torch.equal(again(x), network(x))


def test_unknown_architecture_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="unknown architecture 'resnet19'; allowed are resnet18, resnet34"):
        build_network("resnet19", 2)


def test_one_class_is_refused() -> None:
    with pytest.raises(UsageError, match="at least 2"):
        build_network("resnet18", 1)


@pytest.mark.parametrize("architecture", ["resnet18", "mobilenet_v3_large"])
def test_pretrained_weights_come_from_the_cache_but_for_the_last_layer(
    architecture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    weights = torchvision.models.get_model_weights(architecture).DEFAULT
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    cached = torchvision.models.get_model(architecture).state_dict()
    torch.save(cached, folder / weights.url.rpartition("/")[2])
    network = build_network(architecture, 2, pretrained=True)
    first = next(iter(cached))
    assert torch.equal(network.state_dict()[first], cached[first])
    assert network.state_dict()[f"{head_name(architecture)}.weight"].shape[0] == 2


def test_pretrained_weights_that_cannot_be_kept_say_where_to_put_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "file"))
    with pytest.raises(GclfError, match=r"ImageNet weights of resnet18 .*put https://\S+ into ") as caught:
        build_network("resnet18", 2, pretrained=True)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_loading_a_resnet_imports_neither_torchvision_nor_torchs_compiler(weights: Path) -> None:
    program = (
        "import sys, pathlib\n"
        "from gclf_live.model.classifier import Classifier\n"
        f"Classifier.load(pathlib.Path({str(weights)!r}), device='cpu').warm_up()\n"
        "print(sorted({'torchvision', 'torch._dynamo', 'sympy', 'scipy'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
