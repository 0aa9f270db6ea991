"""Where a batch's stored pictures come from: a cache in memory, or files decoded as they are needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from gclf_live.errors import DatasetError
from gclf_live.records import I64, U8
from gclf_train.transfer import to_device
from gclf_train.workers import WorkerLostError, ignore_interrupts

PICTURE_ERRORS = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)
"""What Pillow raises for files that are damaged, no picture, or too large to be meant seriously."""


class PictureSource(Protocol):
    """N stored pictures that are asked for in batches."""

    def __len__(self) -> int: ...

    def batches(self, order: Sequence[I64]) -> Iterator[Tensor]:
        """For every index array of ``order``, int64 (B,), yield uint8 (B, H, W, 3), BGR."""
        ...


@dataclass(frozen=True, slots=True)
class Split:
    """One labelled split: its stored pictures and, int64 (N,), their class indices."""

    source: PictureSource
    targets: I64


class MemorySource:
    """Pictures in one array: uint8, shape (N, H, W, 3), BGR.

    On CUDA the whole of it lives there, if it takes no more than half of the memory that is free.
    """

    def __init__(self, pictures: U8, *, device: torch.device) -> None:
        self._pictures = pictures
        fits = device.type == "cuda" and pictures.nbytes <= torch.cuda.mem_get_info(device)[0] / 2
        self._resident = _carried(pictures, device) if fits else None

    def __len__(self) -> int:
        return len(self._pictures)

    def batches(self, order: Sequence[I64]) -> Iterator[Tensor]:
        """See ``PictureSource``; on the device where the pictures live there."""
        for index in order:
            if self._resident is not None:
                yield self._resident[to_device(torch.from_numpy(index), self._resident.device)]
            else:
                yield torch.from_numpy(np.ascontiguousarray(self._pictures[index]))


def _carried(pictures: U8, device: torch.device, rows: int = 1024) -> Tensor:
    """``pictures`` on the device, some at a time: they may be a file larger than the processor's memory."""
    there = torch.empty(pictures.shape, dtype=torch.uint8, device=device)
    for start in range(0, len(pictures), rows):
        there[start : start + rows] = torch.from_numpy(np.array(pictures[start : start + rows]))
    return there


class FileSource:
    """Whole pictures, squeezed into a square, decoded by worker processes."""

    def __init__(self, root: Path, files: Sequence[str], *, size_px: int, workers: int) -> None:
        self._data = _SquareFiles(root, files, size_px)
        self._workers = workers

    def __len__(self) -> int:
        return len(self._data)

    def batches(self, order: Sequence[I64]) -> Iterator[Tensor]:
        """See ``PictureSource``.

        Raises:
            DatasetError: a picture could be read when the run began and now cannot.
            WorkerLostError: a process that reads pictures was ended.
        """
        loader: DataLoader[Tensor | str] = DataLoader(
            self._data,
            collate_fn=_stack,
            batch_sampler=[index.tolist() for index in order],
            num_workers=self._workers,
            worker_init_fn=ignore_interrupts,
            prefetch_factor=4 if self._workers else None,
        )
        for batch in _watched(loader):
            if isinstance(batch, str):
                raise DatasetError(
                    f"cannot read {batch!r}, which could be read when the run began; "
                    "put it back and go on with --resume"
                )
            yield batch


def _watched(loader: DataLoader[Tensor | str]) -> Iterator[Tensor | str]:
    """What it loads. Its word for a process that has ended is a RuntimeError, which says so in its text."""
    batches = iter(loader)
    while True:
        try:
            batch = next(batches)
        except StopIteration:
            return
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            raise WorkerLostError from None
        yield batch


class _SquareFiles(Dataset[Tensor | str]):
    """Item i is file i as uint8 (size, size, 3), BGR, or its path where it cannot be read."""

    def __init__(self, root: Path, files: Sequence[str], size_px: int) -> None:
        self._root, self._files, self._size_px = root, tuple(files), size_px

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, i: int) -> Tensor | str:
        path = self._root / self._files[i]
        try:
            return torch.from_numpy(read_square(path, self._size_px))
        except PICTURE_ERRORS:  # raised here it would reach the user as a worker's traceback
            return str(path)


def _stack(items: list[Tensor | str]) -> Tensor | str:
    """The items as a batch, or the path of the first that cannot be read."""
    pictures = [item for item in items if isinstance(item, Tensor)]
    unreadable = [item for item in items if isinstance(item, str)]
    return unreadable[0] if unreadable else torch.stack(pictures)


def read_square(path: Path, size_px: int) -> U8:
    """Decode a picture, turned upright, and squeeze it: uint8 (size, size, 3), BGR.

    Raises:
        OSError, ValueError, SyntaxError, DecompressionBombError: the file is damaged, no picture, or
            larger than Pillow takes (``PICTURE_ERRORS``).
    """
    with Image.open(path) as picture:
        upright = ImageOps.exif_transpose(picture).convert("RGB")
        small = upright.resize((size_px, size_px), Image.Resampling.BILINEAR)
        return np.ascontiguousarray(np.asarray(small, np.uint8)[..., ::-1])
