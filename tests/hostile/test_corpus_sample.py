"""A seeded sample of ``benchmarks.corpus``, whose whole table is in docs/files.md."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from face_makers import save_tiny_weights

from benchmarks.confined import Confined, load_pipeline
from benchmarks.corpus import run_case, run_damage, work
from benchmarks.corpus_cases import CASES
from benchmarks.corpus_check import Right, faults
from benchmarks.corpus_damage import DAMAGE, Damage
from benchmarks.corpus_makers import encode, pictures
from gclf_live.records import U8

# Each of another kind: what is turned, late, wrapped, odd, deep, empty, a pipe.
SAMPLE = (
    *("mp4, index last", "AVI, H.264 with B-frames", "begins before 0 (TS, clock wraps)", "variable rate"),
    *("turned by 90", "mirrored", "2x2", "10-bit", "full range", "FFV1, grey", "two sound tracks"),
    *("chapters and subtitles", "packets dropped: B-frames", "no frame", "pipe: -", "pipe: /dev/stdin"),
)


@pytest.fixture(scope="module")
def child() -> Iterator[Confined]:
    with Confined(work, prepare=load_pipeline) as confined:
        yield confined


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    weights = save_tiny_weights(tmp_path_factory.mktemp("weights") / "tiny.safetensors")
    return ("--weights", str(weights))


def test_names_of_the_cases_are_all_different() -> None:
    names = [case.name for case in CASES] + [damage.name for damage in DAMAGE]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", SAMPLE)
def test_case_comes_out_right_or_ends_with_its_line(
    name: str, child: Confined, model: tuple[str, ...]
) -> None:
    (case,) = [case for case in CASES if case.name == name]
    row = run_case(case, child, model)
    assert row.wrong == (), row.line()


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.name)
def test_damaged_file_is_read_as_far_as_can_be_or_refused(
    damage: Damage, child: Confined, model: tuple[str, ...]
) -> None:
    row = run_damage(damage, child, range(0, damage.count, max(1, damage.count // 3)), model)
    assert row.wrong == (), row.line()


def test_lost_pieces_of_the_sound_cost_no_more_than_themselves(
    child: Confined, model: tuple[str, ...]
) -> None:
    (lost,) = [damage for damage in DAMAGE if "lost" in damage.name]
    row = run_damage(lost, child, range(4, 7), model)
    assert row.wrong == ()
    assert row.cells == ("3 read as far as can be, which is said",)


def test_guide_lists_every_case_and_what_it_came_to() -> None:
    text = (Path(__file__).parent.parent.parent / "docs" / "files.md").read_text("utf-8")
    lines = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    verdicts = {line[0].removeprefix("| "): line[-1].removesuffix(" |") for line in lines if len(line) == 8}
    wanted = {case.name for case in CASES} | {damage.name for damage in DAMAGE}
    assert {name for name, verdict in verdicts.items() if verdict == "PASS"} == wanted


def test_wrong_copy_does_not_pass(child: Confined, model: tuple[str, ...], tmp_path: Path) -> None:
    """The judge sees frames that are missing, shown at another time, or of another colour."""
    shown = pictures()
    source = encode(tmp_path / "a.mp4", shown)
    (tmp_path / "faces.csv").write_text("frame\n", encoding="utf-8")
    right = Right(tuple(Fraction(i, 30) for i in range(15)))

    def wrong(name: str, images: list[U8], **how: object) -> str:
        copy = encode(tmp_path / name, images, **how)  # type: ignore[arg-type]
        return "; ".join(faults(right, source, copy, tmp_path / "faces.csv")[0])

    assert wrong("same.mp4", list(shown)) == ""
    assert "14 frames instead of 15" in wrong("short.mp4", list(shown[:14]))
    assert "a time is off by" in wrong("late.mp4", list(shown), ticks=[*range(14), 15])
    assert "colours are off" in wrong("bright.mp4", [image // 2 + 60 for image in shown])
    assert "colours are off" in wrong("mirrored.mp4", [image[:, ::-1].copy() for image in shown])
    assert "sound of ()" in wrong("silent.mp4", list(shown), sounds=())
