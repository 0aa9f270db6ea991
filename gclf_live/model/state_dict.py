"""Bare weights, as other tools save them: reading them without running code, and telling what they are."""

from __future__ import annotations

import io
import pickle
import warnings
from collections.abc import Mapping
from typing import TypeGuard

import torch
from torch import Tensor

from gclf_live.errors import CheckpointError
from gclf_live.model.networks import ARCHITECTURES, head_name, network_from_state

_NESTED_UNDER = ("state_dict", "model_state_dict", "model", "net")
# What DataParallel, torch.compile and a wrapping module put before every name.
_PREFIXES = ("module.", "_orig_mod.", "model.")

DAMAGED = "it is damaged or cut short; fetch or save it again"
"""What a message says of a weights file that cannot be read."""


def read_pickled_state(content: bytes) -> dict[str, Tensor]:
    """The tensors of a file that ``torch.save`` wrote, on the CPU; only tensors, nothing in it is run.

    Args:
        content: the whole file.

    Returns:
        Names without the prefixes that wrappers add.

    Raises:
        CheckpointError: it is cut short, no such file, or holds more than tensors.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what matters in them is said in our own line
            loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "global" not in str(error).lower():
            raise CheckpointError(DAMAGED) from error
        raise CheckpointError(_code("it holds Python objects")) from error
    # What torch raises for a damaged file depends on where it is cut: anything from EOFError to struct.error.
    except Exception as error:
        raise CheckpointError(
            _code("it is TorchScript") if "TorchScript" in str(error) else DAMAGED
        ) from error
    return plain_names(_find_state(loaded))


def _code(what: str) -> str:
    return (
        f"{what}, which could run code, and is not loaded; save its tensors alone with "
        "torch.save(model.state_dict(), path)"
    )


def plain_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under their names without ``module.`` and the like, where all of them have it."""
    names = list(state)
    found = True
    while found:
        found = False
        for prefix in _PREFIXES:
            if names and all(name.startswith(prefix) for name in names):
                names = [name.removeprefix(prefix) for name in names]
                found = True
    return dict(zip(names, state.values(), strict=True))


def infer_architecture(state: Mapping[str, Tensor]) -> tuple[str, int]:
    """The architecture whose parameters have these names, and how many classes its last layer has.

    Raises:
        CheckpointError: there is none.
    """
    names = {name for name in state if not name.endswith("num_batches_tracked")}
    for architecture in ARCHITECTURES:
        head = state.get(f"{head_name(architecture)}.weight")
        if head is None or head.ndim != 2:
            continue
        expected = network_from_state(architecture, 2).state_dict()
        if names == {name for name in expected if not name.endswith("num_batches_tracked")}:
            return architecture, int(head.shape[0])
    raise CheckpointError(f"its tensors fit none of the architectures {', '.join(ARCHITECTURES)}")


def check_state(state: dict[str, Tensor], *, architecture: str, classes: tuple[str, ...]) -> None:
    """Check names and shapes of ``state`` against the architecture.

    Raises:
        CheckpointError: the last layer has another number of rows than there are classes, or a tensor
            is missing, of another shape, or too many.
    """
    head = state.get(f"{head_name(architecture)}.weight")
    if head is not None and head.shape[0] != len(classes):
        raise CheckpointError(
            f"its last layer has {head.shape[0]} outputs for {len(classes)} classes ({', '.join(classes)}); "
            "the two numbers must be equal"
        )
    expected = network_from_state(architecture, len(classes)).state_dict()
    for name in expected.keys() ^ state.keys():
        verb = "lacks" if name in expected else "has an unexpected"
        raise CheckpointError(f"it {verb} tensor {name!r}; it does not fit {architecture}")
    for name, tensor in state.items():
        if tensor.shape != expected[name].shape:
            got, wanted = tuple(tensor.shape), tuple(expected[name].shape)
            raise CheckpointError(f"tensor {name!r} has shape {got}; {architecture} needs {wanted}")


def fill_counters(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """``state`` with BatchNorm's batch counters, which torch before 0.4.1 did not save."""
    counters = {
        f"{name.removesuffix('running_mean')}num_batches_tracked": torch.zeros((), dtype=torch.long)
        for name in state
        if name.endswith("running_mean")
    }
    return {**counters, **state}


def _find_state(loaded: object) -> dict[str, Tensor]:
    """The mapping of names to tensors, on its own or one level down."""
    candidates = [loaded]
    if isinstance(loaded, Mapping):
        candidates += [loaded[key] for key in _NESTED_UNDER if key in loaded]
    for candidate in candidates:
        if _is_state(candidate):
            return dict(candidate)
    raise CheckpointError("it holds no state dict; save one with torch.save(model.state_dict(), path)")


def _is_state(value: object) -> TypeGuard[Mapping[str, Tensor]]:
    if not isinstance(value, Mapping) or not value:
        return False
    return all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in value.items())
