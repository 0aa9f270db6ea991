"""The networks that a checkpoint can name, each with its last layer made for the classes at hand."""

from __future__ import annotations

import importlib
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from gclf_live.errors import GclfError, UsageError
from gclf_live.model.resnet import BLOCK_COUNTS, ResNet

_IMAGENET_CLASSES = 1000

# Where torchvision keeps the linear layer that turns features into class scores.
_HEAD_NAMES = {
    "resnet18": "fc",
    "resnet34": "fc",
    "resnet50": "fc",
    "efficientnet_b0": "classifier.1",
    "mobilenet_v3_large": "classifier.3",
}

ARCHITECTURES: tuple[str, ...] = tuple(_HEAD_NAMES)
"""Names that ``build_network`` takes; torchvision's own."""


def build_network(architecture: str, class_count: int, *, pretrained: bool = False) -> nn.Module:
    """A network with ``class_count`` outputs, float32, in training mode.

    Args:
        architecture: one of ``ARCHITECTURES``.
        class_count: rows of the last layer, which always starts random.
        pretrained: start the other layers from torchvision's ImageNet weights, fetched once and then
            kept in torch's cache folder, instead of at random.

    Returns:
        A module that maps float (N, 3, S, S) to logits (N, class_count).

    Raises:
        UsageError: the architecture is not known or ``class_count`` is below 2.
        GclfError: the ImageNet weights cannot be fetched.
    """
    name = head_name(architecture)
    if class_count < 2:
        raise UsageError(f"{class_count} classes; a classifier needs at least 2")
    network = _imagenet_network(architecture, pretrained=pretrained)
    parent, _, leaf = name.rpartition(".")
    old = network.get_submodule(name)
    assert isinstance(old, nn.Linear)
    setattr(network.get_submodule(parent), leaf, nn.Linear(old.in_features, class_count))
    return network


def network_from_state(
    architecture: str, class_count: int, state: dict[str, Tensor] | None = None
) -> nn.Module:
    """The network without spending time on random initial values.

    Args:
        architecture: one of ``ARCHITECTURES``.
        class_count: rows of the last layer.
        state: every parameter and buffer, used as they are, not copied; None leaves them on torch's
            ``meta`` device, which tells names and shapes only.

    Raises:
        UsageError: as ``build_network``.
        RuntimeError: ``state`` does not fit, as ``nn.Module.load_state_dict``.
    """
    with torch.device("meta"), _WithoutFilling():
        network = build_network(architecture, class_count)
    if state is not None:
        network.load_state_dict(state, assign=True)
    return network


def head_name(architecture: str) -> str:
    """The dotted name of the last linear layer, such as ``fc``.

    Raises:
        UsageError: the architecture is not known.
    """
    try:
        return _HEAD_NAMES[architecture]
    except KeyError:
        allowed = ", ".join(ARCHITECTURES)
        raise UsageError(f"unknown architecture {architecture!r}; allowed are {allowed}") from None


class _WithoutFilling(TorchFunctionMode):
    """Leaves new tensors as they are.

    Random values on the ``meta`` device would import torch's compiler: 3.8 s, where this takes 0.04 s.
    """

    _FILLING = (Tensor.normal_, Tensor.uniform_, Tensor.fill_, Tensor.zero_)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in self._FILLING:
            return args[0]
        return func(*args, **(kwargs or {}))


def _imagenet_network(architecture: str, *, pretrained: bool) -> nn.Module:
    """The network with ImageNet's 1000 outputs."""
    if architecture in BLOCK_COUNTS:
        network: nn.Module = ResNet(architecture, _IMAGENET_CLASSES)
    else:
        network = _torchvision_models().get_model(architecture)
    if pretrained:
        network.load_state_dict(_imagenet_weights(architecture))
    return network


def _imagenet_weights(architecture: str) -> dict[str, Tensor]:
    """torchvision's best ImageNet weights, from torch's cache folder or the network."""
    weights = _torchvision_models().get_model_weights(architecture).DEFAULT
    try:
        state: dict[str, Tensor] = weights.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:
        folder = f"{torch.hub.get_dir()}/checkpoints"
        raise GclfError(
            f"cannot fetch the ImageNet weights of {architecture} ({_one_line(error)}); "
            f"put {weights.url} into {folder}, or start without pretrained weights"
        ) from error
    return state


def _torchvision_models() -> Any:
    """torchvision's model functions, imported on first use: see ``resnet`` for what that costs."""
    return importlib.import_module("torchvision.models")


def _one_line(error: BaseException) -> str:
    """The first line of an error's message, or its type where it has none."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__
