"""In which order a job ends: whoever is told of its end finds what is to stay, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from serve_makers import until

from gclf_live.serve.child import Child, ChildDied
from gclf_live.serve.jobs import Jobs, State
from gclf_live.serve.video_work import SOURCE


class _Child:
    """A process that answers at once, or dies."""

    def __init__(self, answer: dict[str, Any] | None) -> None:
        self._answer = answer

    def ask(self, header: dict[str, Any], **options: Any) -> tuple[dict[str, Any], bytes]:
        if self._answer is None:
            raise ChildDied("it was ended")
        return self._answer, b""

    def kill(self) -> None: ...

    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("answer", "state", "left"),
    [
        ({"kind": "done", "document": {}}, State.DONE, {"video.mp4"}),
        ({"kind": "failed", "error": "no picture"}, State.FAILED, None),
        (None, State.FAILED, None),
    ],
)
def test_files_are_gone_before_the_end_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: dict[str, Any] | None,
    state: State,
    left: set[str] | None,
) -> None:
    jobs = Jobs(tmp_path, lambda: cast(Child, _Child(answer)), most_unfinished=1, keep_s=60)
    unlink, seen = Path.unlink, []

    def watched(path: Path, missing_ok: bool = False) -> None:
        if path.name == SOURCE and path.exists():
            seen.append(job.state)
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", watched)
    try:
        with jobs.place():
            folder = jobs.new_folder()
            for name in (SOURCE, "video.mp4"):
                (folder / name).touch()
            job = jobs.add(folder, {"name": "a.mp4"})
        until(lambda: job.state.is_final)
        assert job.state is state
        assert ({path.name for path in folder.iterdir()} if folder.exists() else None) == left
        assert seen == [State.RUNNING]
    finally:
        jobs.stop()
