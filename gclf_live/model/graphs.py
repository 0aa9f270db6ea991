"""CUDA graphs: work on a device that is recorded once and then replayed as a whole."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

_WARM_UPS = 3
"""Runs before the recording, in which libraries choose their kernels and allocate what they need."""
_TOLERANCE = 0.02
"""Between a replay and the work done step by step: half precision may add up in another order."""


class GraphedFunction:
    """A function of one tensor, recorded for its shape. The result lies in the same memory at each call,
    until the next one.

    Attributes:
        unusable: why there is no graph, in a few words; None where there is one.
    """

    def __init__(self, function: Callable[[Tensor], Tensor], example: Tensor) -> None:
        """Record the function, and compare what a replay gives with what the function gives.

        Args:
            function: only work on the device of ``example``, with shapes that do not depend on values.
            example: on a CUDA device.
        """
        self.unusable: str | None = None
        try:
            self._record(function, example)
            replayed, direct = self(example).clone(), function(example)
        except RuntimeError as error:
            self.unusable = str(error).splitlines()[0] if str(error) else type(error).__name__
            return
        if not torch.allclose(replayed, direct, rtol=_TOLERANCE, atol=_TOLERANCE):
            off = float((replayed - direct).abs().max())
            self.unusable = f"a replay differs by {off:.3g} from the same work done step by step"

    def __call__(self, value: Tensor) -> Tensor:
        """Replay with another value of the recorded shape."""
        self._input.copy_(value, non_blocking=True)
        self._graph.replay()
        return self._output

    def _record(self, function: Callable[[Tensor], Tensor], example: Tensor) -> None:
        self._input = example.clone()
        side = torch.cuda.Stream(example.device)  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream(example.device))
        with torch.cuda.stream(side):
            for _ in range(_WARM_UPS):
                function(self._input)
        torch.cuda.current_stream(example.device).wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        # Other threads may allocate memory meanwhile; only this one must not.
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            self._output = function(self._input)
