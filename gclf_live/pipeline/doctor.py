"""What this installation can do on this machine, and what keeps it from doing more.

Every part is looked at on its own, with its imports inside: one that is broken becomes a line of the report.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import gclf_live
from gclf_live.errors import CheckpointError, DisplayError, GclfError, UsageError
from gclf_live.pipeline.diagnosis import Diagnosis, Problem
from gclf_live.wording import pip_install

if TYPE_CHECKING:
    from gclf_live.model.checkpoint import Checkpoint

_AGAIN = "install gclf-live again"
# Packages, and the module of each that must load. torchvision takes seconds and few checkpoints need it.
_NEEDED = {"torch": "torch", "torchvision": None, "opencv": "cv2", "av": "av"}

_Probe = Callable[[], dict[str, Any]]


def _list_cameras() -> list[int]:
    from gclf_live.media.camera import list_cameras

    return list_cameras()


def _has_codec(name: str, mode: Literal["r", "w"]) -> bool:
    from av.codec.codec import Codec, UnknownCodecError

    try:
        Codec(name, mode)
    except UnknownCodecError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where the machine is asked; by default this one.

    Attributes:
        environ: names the display.
        cameras: lists the numbers of the cameras.
        has_codec: whether FFmpeg has a decoder (``r``) or an encoder (``w``) of this name.
        nvidia_driver: a file that is there where an NVIDIA driver is loaded.
    """

    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    cameras: Callable[[], list[int]] = _list_cameras
    has_codec: Callable[[str, Literal["r", "w"]], bool] = _has_codec
    nvidia_driver: Path = Path("/proc/driver/nvidia/version")


def examine(
    weights: Path | None = None, *, device: str = "auto", surroundings: Surroundings | None = None
) -> Diagnosis:
    """Look at everything that labelling needs, and time one picture.

    Args:
        weights: the checkpoint; by default the one that comes with the package.
        device: as ``Classifier.load``.
        surroundings: where the machine is asked.

    Raises:
        UsageError: ``device`` is no device's name.
    """
    return _Examination(weights, device, surroundings or Surroundings()).all()


class _Examination:
    """One run over all parts."""

    def __init__(self, weights: Path | None, device: str, surroundings: Surroundings) -> None:
        self._weights, self._device, self._around = weights, device, surroundings
        self._facts: dict[str, dict[str, Any]] = {}
        self._problems: list[Problem] = []
        self._checkpoint: Checkpoint | None = None

    def all(self) -> Diagnosis:
        self._look("versions", self._versions, essential=True)
        self._look("ffmpeg", _ffmpeg_versions, essential=True)
        self._look("devices", self._devices, essential=True)
        self._look("codecs", self._codecs, essential=True)
        self._look("display", self._display, essential=False)
        self._look("cameras", self._cameras, essential=False)
        self._look("checkpoint", self._read_checkpoint, essential=True)
        if self._checkpoint is not None:
            self._look("frame", self._frame, essential=True)
        return Diagnosis(self._facts, tuple(self._problems))

    def _look(self, part: str, probe: _Probe, *, essential: bool) -> None:
        """Take the facts of one part; whatever goes wrong in it is a problem of that part."""
        try:
            self._facts[part] = probe()
        except UsageError:
            raise
        except GclfError as error:
            self._problem(part, str(error), essential=essential)
        # A broken installation fails in ways that cannot be listed, and the other parts still matter.
        except Exception as error:
            reason = " ".join(str(error).split()) or "no reason given"
            self._problem(part, f"{type(error).__name__}: {reason}; {_AGAIN}", essential=essential)

    def _problem(self, part: str, text: str, *, essential: bool) -> None:
        self._problems.append(Problem(part, text, essential))

    def _versions(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "gclf_live": gclf_live.__version__,
            "python": platform.python_version(),
            "system": platform.platform(),
        }
        for package, module in _NEEDED.items():
            try:
                found[package] = (
                    importlib.import_module(module).__version__ if module else metadata.version(package)
                )
            except (ImportError, OSError) as error:
                found[package] = None
                hint = "apt-get install libgl1 libglib2.0-0" if ".so" in str(error) else _AGAIN
                self._problem("versions", f"{package} cannot be loaded ({error}); {hint}", essential=True)
        return found

    def _devices(self) -> dict[str, Any]:
        import torch

        from gclf_live.model.device import Hardware, choose_plan

        hardware = Hardware.detect()
        if not hardware.cuda_names and self._around.nvidia_driver.exists():
            text = "an NVIDIA driver is loaded and torch finds no CUDA device; update the driver, or pip"
            self._problem("devices", f"{text} install a torch built for CUDA", essential=False)
        return {
            "cpu": _cpu_name(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "cpu_bfloat16": hardware.cpu_has_bf16,
            "cuda": list(hardware.cuda_names),
            "chosen": choose_plan(self._device).reason,
        }

    def _codecs(self) -> dict[str, Any]:
        has = self._around.has_codec
        found = {
            "h264_encoder": has("libx264", "w"),
            "h264_decoder": has("h264", "r"),
            "aac_encoder": has("aac", "w"),
            "aac_decoder": has("aac", "r"),
        }
        for name in (name for name, there in found.items() if not there):
            text = f"FFmpeg has no {name.replace('_', ' ')}; {pip_install('--force-reinstall av')}"
            self._problem("codecs", text, essential=name.startswith("h264"))
        return found

    def _display(self) -> dict[str, Any]:
        from gclf_live.output.display import check_display

        name = self._around.environ.get("DISPLAY", "")
        try:
            granted = check_display(self._around.environ)
        except DisplayError as error:
            self._problem("display", str(error), essential=False)
            return {"available": False, "name": name}
        if granted is not None:
            granted.close()
        return {"available": True, "name": name}

    def _cameras(self) -> dict[str, Any]:
        found = self._around.cameras()
        if not found:
            text = "no cameras found; plug one in, or watch a file or stream with --source"
            self._problem("cameras", text, essential=False)
        return {"found": found}

    def _read_checkpoint(self) -> dict[str, Any]:
        from gclf_live.model.checkpoint import default_weights_path, load_checkpoint

        path = self._weights or default_weights_path()
        try:
            self._checkpoint = load_checkpoint(path)
        except CheckpointError as error:
            raise CheckpointError(f"{error}. Name another with --weights FILE, or {_AGAIN}") from error
        return _checkpoint_facts(path, self._checkpoint)

    def _frame(self) -> dict[str, Any]:
        assert self._checkpoint is not None
        from gclf_live.model.classifier import Classifier
        from gclf_live.model.device import choose_plan
        from gclf_live.pipeline.trial import time_drawn_face

        facts = time_drawn_face(Classifier(self._checkpoint, choose_plan(self._device)))
        if facts["faces"] != 1:
            text = f"the detector finds {facts['faces']} faces in a drawing of one; {_AGAIN}"
            self._problem("frame", text, essential=True)
        return facts


def _ffmpeg_versions() -> dict[str, Any]:
    import av

    versions = av.library_versions
    return {name: ".".join(str(part) for part in versions[name]) for name in sorted(versions)}


def _cpu_name() -> str:
    """As the system calls it; its architecture where it does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def _meaning(classes: tuple[str, ...]) -> str:
    what = "a perceived gender, " if set(classes) == {"female", "male"} else ""
    return f"A label is {what}how a face looks to a viewer; never an identity, nor what a person is."


def _checkpoint_facts(path: Path, checkpoint: Checkpoint) -> dict[str, Any]:
    """A short model card."""
    meta = checkpoint.meta
    facts = {
        "file": str(path),
        "bytes": path.stat().st_size,
        "architecture": meta.architecture,
        "classes": list(meta.classes),
        "crop": asdict(meta.crop),
        "temperature": meta.temperature,
        "recipe": meta.recipe,
        "recipe_sha256": meta.recipe_sha256,
        "tensors_sha256": checkpoint.tensors_sha256,
        "data": meta.data,
        "validation": meta.validation,
        "error_table": [asdict(row) for row in meta.error_table],
        "meaning": _meaning(meta.classes),
    }
    # A file may hold NaN where its figures should be, which JSON cannot say.
    plain: dict[str, Any] = json.loads(json.dumps(facts), parse_constant=lambda constant: None)
    return plain
