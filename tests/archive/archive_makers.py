"""Small archives: clips with a face in motion, and runs over them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from face_makers import BLUE, RED, Face, scene
from media_makers import make_video

from gclf_live.archive.run import ArchiveOptions, ArchiveReport, run_archive
from gclf_live.pipeline.jobs import plan_jobs

FPS = 10
PART_S = 1.0


def make_clip(path: Path, seconds: float, *, name: str = "collins", reach_px: float = 60) -> Path:
    """A video of one face that crosses the picture, with sound."""
    count = round(seconds * FPS)
    tint = RED if name == "collins" else BLUE
    images = [scene(Face(name, 160 + reach_px * (2 * i / count - 1), 120, 90, tint)) for i in range(count)]
    path.parent.mkdir(parents=True, exist_ok=True)
    return make_video(path, images=images, fps=FPS, sound_s=seconds)


@dataclass
class Archive:
    """A folder of inputs and one of outputs."""

    inputs: Path
    output: Path
    options: ArchiveOptions
    said: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)

    def run(self, **changes: Any) -> ArchiveReport:
        """Run over all inputs, with these options changed."""
        options = replace(self.options, output=self.output, **changes)
        jobs = plan_jobs([self.inputs], self.output, into_folder=True)
        self.said.clear()
        self.results.clear()
        return run_archive(jobs, options, say=self.said.append, say_result=self.results.append)

    def states(self, **changes: Any) -> list[str]:
        """What became of each input in a run."""
        return [str(file.state) for file in self.run(**changes).files]

    def names(self) -> list[str]:
        """The outputs, without what gclf-live keeps for itself."""
        return sorted(
            path.relative_to(self.output).as_posix()
            for path in self.output.rglob("*")
            if path.is_file() and ".gclf-live" not in path.parts
        )

    @property
    def journal(self) -> Path:
        return self.output / ".gclf-live" / "journal.jsonl"


MakeArchive = Callable[..., Archive]
