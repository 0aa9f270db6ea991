"""What ``from gclf_live import ...`` gives, and ``docs/python.md``, whose examples run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from face_makers import Face, portrait, scene
from media_makers import make_video

import gclf_live

GUIDE = (Path(__file__).parent.parent / "docs" / "python.md").read_text("utf-8")
EXAMPLES = dict(re.findall(r"^## ([^\n]+)\n\n```python\n(.+?)```", GUIDE, re.DOTALL | re.MULTILINE))

PUBLIC = [
    "AnalysisSettings",
    "Annotated",
    "CheckpointError",
    "Classifier",
    "DatasetError",
    "DeviceError",
    "DisplayError",
    "EncoderSettings",
    "Faces",
    "Frame",
    "FrameResult",
    "GclfError",
    "LiveLabeller",
    "LiveSettings",
    "OutputError",
    "Overlay",
    "PictureLabeller",
    "Predictions",
    "SourceError",
    "TrackSummary",
    "Tracks",
    "UNSURE",
    "UsageError",
    "VideoAnalysis",
    "VideoReader",
    "analyse_video",
    "annotate_video",
    "read_picture",
    "write_picture",
]


def test_public_names_are_these_and_each_is_there() -> None:
    assert sorted(gclf_live.__all__) == PUBLIC
    for name in PUBLIC:
        assert name in dir(gclf_live)
        value = getattr(gclf_live, name)
        assert getattr(value, "__name__", name) == name


def test_other_names_are_refused_as_python_does() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Classifiers'"):
        _ = gclf_live.Classifiers


def test_import_alone_loads_nothing_heavy() -> None:
    code = "import sys, gclf_live; print([m for m in ('numpy', 'torch', 'cv2', 'av') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_guide_names_every_public_name_in_its_table() -> None:
    rows = [line.split("|")[1] for line in GUIDE.partition("## All names")[2].splitlines() if "`" in line]
    assert sorted(name for row in rows for name in re.findall(r"`(\w+)`", row)) == PUBLIC


def _run(title: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    exec(compile(EXAMPLES[title], f"docs/python.md: {title}", "exec"), {"__name__": "example"})
    return capsys.readouterr().out.splitlines()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_guide_has_three_examples() -> None:
    assert list(EXAMPLES) == ["A picture", "A video's tracks", "Frames of your own"]


def test_example_of_a_picture_labels_its_face(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gclf_live.write_picture(here / "photo.jpg", portrait("collins"))
    (line,) = _run("A picture", capsys)
    assert re.fullmatch(r"female (0\.\d\d|1\.00) \[[\d., ]+\]", line)


def test_example_of_a_video_tells_its_track_and_every_frame(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = [scene(Face("collins", 100 + 6 * i, 120, 90)) for i in range(10)]
    make_video(here / "talk.mp4", images=images, fps=10)
    track, *frames = _run("A video's tracks", capsys)
    assert re.fullmatch(r"1 (female|male|unsure) 0\.00 to 1\.00 s ?", track)
    assert [line.split()[0] for line in frames] == [f"{i / 10:.3f}" for i in range(10)]
    assert all("{1: " in line for line in frames)


def test_example_of_frames_of_ones_own_goes_through_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("Frames of your own", capsys) == [f"{i} ()" for i in range(10)]
