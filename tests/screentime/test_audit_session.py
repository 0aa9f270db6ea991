"""Keys, the way through the sample, and the file that no kill can harm."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from result_makers import make_result, make_track

from gclf_live.errors import GclfError, OutputError, SourceError
from gclf_live.screentime.audit_answers import AnswersFile, AuditedResult, AuditPlan, begin_audit
from gclf_live.screentime.audit_sample import candidates, draw_sample
from gclf_live.screentime.audit_session import AuditSession, Heard, class_keys


@pytest.fixture
def plan() -> AuditPlan:
    tracks = candidates(make_result(*(make_track(n) for n in range(1, 6))), 0)
    return AuditPlan(0, 5, ("female", "male"), (), 0, 0.0, draw_sample(tracks, count=5, seed=0))


@pytest.fixture
def path(tmp_path: Path, plan: AuditPlan) -> Path:
    begin_audit(tmp_path / "audit.jsonl", plan)
    return tmp_path / "audit.jsonl"


@pytest.fixture
def stored(path: Path) -> Iterator[AnswersFile]:
    with AnswersFile(path) as file:
        yield file


@pytest.mark.parametrize(
    ("classes", "keys"),
    [
        (("female", "male"), "fm"),
        (("male", "mask", "mixed"), "mai"),
        (("blond", "brown", "up"), "lrp"),
        (("女", "男"), "12"),
        (("Qbu", "UBQ"), "12"),
    ],
)
def test_each_class_has_the_first_free_letter_of_its_name(classes: tuple[str, ...], keys: str) -> None:
    assert class_keys(classes) == dict(zip(keys, classes, strict=True))


def test_more_classes_than_keys_are_refused() -> None:
    assert len(class_keys([f"class {n}" for n in range(32)])) == 32
    with pytest.raises(ValueError, match="keys for 32"):
        class_keys([f"class {n}" for n in range(33)])


def test_plan_comes_back_as_it_was(stored: AnswersFile, plan: AuditPlan) -> None:
    assert stored.plan == plan
    assert stored.answers == {}
    assert not stored.dropped


def test_answers_are_on_disk_before_the_next_track(stored: AnswersFile, path: Path) -> None:
    session = AuditSession(stored)
    for key, answer in (("f", "female"), ("m", "male"), ("u", None)):
        number = session.current
        assert session.press(key) is Heard.ANSWERED
        last = json.loads(path.read_text().splitlines()[-1])
        assert (last["number"], last["answer"]) == (number, answer)
    assert session.current == 4


def test_back_corrects_and_goes_on_where_one_was(stored: AnswersFile, path: Path) -> None:
    session = AuditSession(stored)
    for key in "fmbb":
        session.press(key)
    assert session.current == 1
    assert session.given == "female"
    assert session.press("u") is Heard.ANSWERED
    assert session.current == 3
    assert session.given is None
    with AnswersFile(path, read_only=True) as again:
        assert again.answers == {1: None, 2: "male"}
    assert len(path.read_text().splitlines()) == 4, "the earlier answer stays in the file"


def test_back_stops_at_the_first(stored: AnswersFile) -> None:
    session = AuditSession(stored)
    assert session.press("b") is Heard.WENT_BACK
    assert session.current == 1


def test_last_answer_can_still_be_corrected(stored: AnswersFile) -> None:
    session = AuditSession(stored)
    for _ in range(5):
        session.press("f")
    assert session.current is None
    assert session.press("f") is Heard.UNKNOWN
    session.press("b")
    assert session.current == 5
    session.press("m")
    assert session.current is None
    assert stored.answers[5] == "male"


def test_keys_that_mean_nothing_change_nothing(stored: AnswersFile) -> None:
    session = AuditSession(stored)
    assert [session.press(key) for key in ("x", "", "female", "é")] == [Heard.UNKNOWN] * 4
    assert (session.current, stored.answers) == (1, {})


def test_audit_goes_on_at_the_first_track_without_an_answer(path: Path) -> None:
    with AnswersFile(path) as stored:
        stored.add(1, "female")
        stored.add(3, None)
    with AnswersFile(path) as stored:
        session = AuditSession(stored)
        assert session.current == 2
        session.press("m")
        assert session.current == 4


def test_line_cut_at_any_byte_is_dropped_and_the_audit_goes_on(path: Path, tmp_path: Path) -> None:
    with AnswersFile(path) as stored:
        stored.add(1, "female")
        whole = path.read_bytes()
        stored.add(2, "male")
    line = path.read_bytes()[len(whole) :]
    for cut in range(1, len(line)):
        torn = tmp_path / "torn.jsonl"
        torn.write_bytes(whole + line[:cut])
        with AnswersFile(torn) as stored:
            assert stored.dropped
            assert stored.answers == {1: "female"}
            stored.add(2, None)
        with AnswersFile(torn) as stored:
            assert not stored.dropped
            assert stored.answers == {1: "female", 2: None}


def test_last_line_that_says_nonsense_is_dropped(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b'{"number": 1, "answer": "martian"}\n')
    with AnswersFile(path) as stored:
        assert stored.dropped
        stored.add(1, "male")
    with AnswersFile(path, read_only=True) as stored:
        assert stored.answers == {1: "male"}


def test_reading_alone_changes_nothing_in_a_torn_file(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b'{"num')
    before = path.read_bytes()
    with AnswersFile(path, read_only=True) as stored:
        assert stored.dropped
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text + '{"number": 99, "answer": null}\n{"number": 1, "answer": null}\n', "line 2"),
        (lambda text: text.replace('"format":1', '"format":7'), "format 7"),
        (lambda text: text.replace('"seed"', '"sead"'), "first line"),
        (lambda text: text.replace('"stratum":0', '"stratum":9'), "first line"),
        (lambda text: text.replace('"label":"female"', '"label":"martian"'), "first line"),
        (lambda text: text.replace("gclf-live audit", "shopping list"), "no file of an audit's answers"),
        (lambda text: "", "no file of an audit's answers"),
        (lambda text: "a letter to mother\n", "no file of an audit's answers"),
    ],
)
def test_damage_is_told_in_one_line(path: Path, change: object, told: str) -> None:
    assert callable(change)
    path.write_text(change(path.read_text()))
    with pytest.raises(SourceError, match=told) as error:
        AnswersFile(path)
    assert "\n" not in str(error.value)


def test_two_audits_never_write_to_one_file(stored: AnswersFile, path: Path) -> None:
    with pytest.raises(OutputError, match="in use by another audit"):
        AnswersFile(path)
    with AnswersFile(path, read_only=True) as reader:
        assert reader.plan == stored.plan


def test_full_disk_is_told_and_loses_no_earlier_answer(stored: AnswersFile, path: Path) -> None:
    stored.add(1, "female")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 10, limits[1]))
    try:
        with pytest.raises(OutputError, match="the answers before are stored"):
            stored.add(2, "male")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert stored.answers == {1: "female"}
    stored.close()
    with AnswersFile(path) as again:
        assert again.dropped
        assert again.answers == {1: "female"}


def test_audit_that_exists_is_not_begun_again(path: Path, plan: AuditPlan) -> None:
    with pytest.raises(GclfError, match="exists already"):
        begin_audit(path, plan)


def test_names_that_are_no_utf_8_are_kept(tmp_path: Path, plan: AuditPlan) -> None:
    name = "h\udcffr.mp4"
    odd = replace(plan, results=(AuditedResult(name, "ab" * 32, "cd" * 32),))
    begin_audit(tmp_path / "odd.jsonl", odd)
    with AnswersFile(tmp_path / "odd.jsonl") as file:
        assert file.plan == odd
