"""Face crops of a labelled split, found once by the live path's own detector and kept in a cache."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from gclf_live.errors import OutputError
from gclf_live.faces.detector import FaceDetector
from gclf_live.faces.portrait import find_main_face, portrait_detector
from gclf_live.geometry import CropSpec, crop_faces
from gclf_live.records import I64, U8
from gclf_live.whole_file import whole_file
from gclf_train.folders import LabelledFiles
from gclf_train.workers import ignore_interrupts, in_processes

_VERSION = 1
_CHUNK = 32
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class CropSet:
    """The crops of one split.

    Attributes:
        crops: uint8, shape (N, size, size, 3), BGR; a memory map of the cache file.
        targets: int64, shape (N,): class indices.
        files: N paths below the dataset folder.
        missing: pictures in which no face was found, or that could not be read.
    """

    crops: U8
    targets: I64
    files: tuple[str, ...]
    missing: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.targets)


def load_crops(
    split: LabelledFiles,
    spec: CropSpec,
    *,
    cache_dir: Path,
    workers: int | None = None,
    progress: Progress | None = None,
) -> CropSet:
    """The face crops of ``split``, from the cache or found now.

    Args:
        split: labelled pictures.
        spec: how a face is cut out.
        cache_dir: where the cache is kept; one file a split and crop, named by a hash of what went in.
        workers: processes; default one a core.
        progress: called with pictures done and in all.

    Returns:
        The crops in the order of ``split.files``, less those without a face.

    Raises:
        OutputError: the cache cannot be written.
    """
    key = _key(split, spec)
    data, index = cache_dir / f"{split.split}-{key}.npy", cache_dir / f"{split.split}-{key}.json"
    if not (index.exists() and data.exists()):
        _make_folder(cache_dir)
        _build(split, spec, data, index, workers=workers, progress=progress)
    kept = json.loads(index.read_text(encoding="utf-8"))
    rows = np.asarray(kept["kept"], np.int64)
    crops = np.load(data, mmap_mode="r")
    files = tuple(split.files[i] for i in rows)
    targets = np.asarray(split.targets, np.int64)[rows]
    missing = tuple(split.files[i] for i in np.setdiff1d(np.arange(len(split.files)), rows))
    return CropSet(crops, targets, files, missing)


def _make_folder(cache_dir: Path) -> None:
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot keep face crops in {str(cache_dir)!r}: {error.strerror}; "
            "choose another folder with --cache"
        ) from error


def _key(split: LabelledFiles, spec: CropSpec) -> str:
    """Hash of everything that a crop depends on: the files' names, sizes and times, and the crop."""
    digest = hashlib.sha256(json.dumps([_VERSION, asdict(spec)], sort_keys=True).encode())
    for file in split.files:
        try:
            stat = (split.root / file).stat()
            state = f"{stat.st_size}\0{stat.st_mtime_ns}"
        except OSError:  # a link that leads nowhere: one of those that cannot be read
            state = "gone"
        # Names that are no UTF-8 come from the file system as surrogates.
        digest.update(f"{file}\0{state}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:16]


def _build(
    split: LabelledFiles,
    spec: CropSpec,
    data: Path,
    index: Path,
    *,
    workers: int | None,
    progress: Progress | None,
) -> None:
    """Find all crops; the index is written last, so that half a cache is never taken for a whole one."""
    shape = (len(split.files), spec.size_px, spec.size_px, 3)
    kept: list[int] = []
    with whole_file(data, overwrite=True) as part:
        store = np.lib.format.open_memmap(part, mode="w+", dtype=np.uint8, shape=shape)
        for i, crop in enumerate(_find_crops(split, spec, workers=workers or len(os.sched_getaffinity(0)))):
            if crop is not None:
                store[len(kept)] = crop
                kept.append(i)
            if progress is not None:
                progress(i + 1, len(split.files))
        store.flush()
        del store
    with whole_file(index, overwrite=True) as part:
        part.write_text(json.dumps({"kept": kept}), encoding="utf-8")


def _find_crops(split: LabelledFiles, spec: CropSpec, *, workers: int) -> Iterator[U8 | None]:
    """The crop of every picture in turn, or None where there is no face."""
    jobs = [(str(split.root / file), spec) for file in split.files]
    workers = min(workers, math.ceil(len(jobs) / _CHUNK))
    return in_processes(_crop_file, jobs, workers=workers, chunk=_CHUNK, start=_start_worker)


_detector: FaceDetector | None = None


def _start_worker() -> None:
    """Make this process's own detector, one thread wide."""
    ignore_interrupts()
    global _detector  # noqa: PLW0603 - a pool's worker has no other place for what it keeps
    cv2.setNumThreads(1)
    _detector = portrait_detector()


def _crop_file(job: tuple[str, CropSpec]) -> U8 | None:
    """The crop of one picture: uint8, shape (size, size, 3), BGR, or None without a face."""
    path, spec = job
    try:
        encoded = np.fromfile(path, np.uint8)
        image = cv2.imdecode(encoded, cv2.IMREAD_COLOR) if len(encoded) else None
    except (OSError, cv2.error):  # OpenCV refuses to decode what is as large as a billion pixels
        return None
    if image is None or _detector is None:
        return None
    padded, face = find_main_face(_detector, np.asarray(image, np.uint8))
    crop: U8 | None = crop_faces(padded, face, spec)[0] if len(face) else None
    return crop
