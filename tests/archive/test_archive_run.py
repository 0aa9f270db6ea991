"""A run over an archive, seen from outside: outputs, what is done again and what is not, bad inputs."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from archive_makers import Archive, make_clip
from face_makers import Face, save_tiny_weights, scene
from media_makers import frame_times, sound_seconds

from gclf_live import __version__
from gclf_live.archive.files import FileWork
from gclf_live.archive.history import History
from gclf_live.archive.journal import Journal
from gclf_live.archive.names import part_path
from gclf_live.archive.tasks import Failure, Inspected, Setup, Step, Task
from gclf_live.archive.unmeasured import unmeasured
from gclf_live.archive.worker import do_task
from gclf_live.errors import CheckpointError, ExitCode, UsageError
from gclf_live.media.pictures import write_picture
from gclf_live.media.writer import EncoderSettings
from gclf_live.pipeline.jobs import plan_jobs
from gclf_live.pipeline.measured import weights_sha256
from gclf_live.pipeline.parts import PartAnalysis
from gclf_live.pipeline.settings import AnalysisSettings
from gclf_live.screentime.audit_answers import begin_audit
from gclf_live.screentime.audit_results import hash_results, make_plan, read_input
from gclf_live.screentime.result_file import read_result


@pytest.fixture
def own_inputs(archive: Archive, tmp_path: Path) -> Archive:
    """The same archive with inputs that the test may change."""
    shutil.copytree(archive.inputs, tmp_path / "in")
    return replace(archive, inputs=tmp_path / "in")


def test_every_video_leaves_copy_table_and_result(archive: Archive) -> None:
    report = archive.run(video=True, jobs=2)
    assert report.exit_code == ExitCode.DONE
    assert archive.names() == [
        *("a.mp4", "a.result.json", "a.tracks.csv"),
        *("sub/b.mp4", "sub/b.result.json", "sub/b.tracks.csv"),
    ]
    assert report.parts == 10
    assert frame_times(archive.output / "a.mp4") == pytest.approx([i / 10 for i in range(28)])
    assert sound_seconds(archive.output / "a.mp4")[1] == pytest.approx(2.8, abs=0.1)
    result = read_result(archive.output / "a.result.json")
    with (archive.output / "a.tracks.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    (track,) = result.tracks  # one face, through three parts
    assert [row["label"] for row in rows] == [track.label]
    assert track.seconds == pytest.approx(2.7, abs=0.15)
    assert (result.frames, result.name) == (28, "a.mp4")
    assert result.source_sha256 == hashlib.sha256((archive.inputs / "a.mp4").read_bytes()).hexdigest()
    assert report.results == (archive.output / "a.result.json", archive.output / "sub" / "b.result.json")
    told = {line.partition(": ")[0] for line in archive.results}  # in the order in which they end
    assert told == {str(archive.inputs / "a.mp4"), str(archive.inputs / "sub" / "b.mkv")}
    # Nothing of what was in work is left.
    assert [path for path in (archive.output / ".gclf-live" / "work").rglob("*") if path.is_file()] == []


def test_results_do_not_depend_on_the_number_of_processes(archive: Archive, tmp_path: Path) -> None:
    archive.run(jobs=1)
    other = replace(archive, output=tmp_path / "other")
    other.run(jobs=3)
    assert archive.names() == other.names() != []
    for name in archive.names():
        assert (archive.output / name).read_bytes() == (other.output / name).read_bytes()


def test_only_what_changed_is_done_again(own_inputs: Archive, archive_weights: Path) -> None:
    archive = own_inputs
    assert archive.states() == ["done", "done"]
    assert archive.states() == ["kept", "kept"]
    assert archive.said == ["2 of 2 inputs were up to date"]
    source = archive.inputs / "a.mp4"
    os.utime(source, ns=(1, 1))  # another time, the same content: it is read, and kept
    assert archive.states() == ["kept", "kept"]
    make_clip(source, 1.5)
    assert archive.states() == ["done", "kept"]
    assert read_result(archive.output / "a.result.json").frames == 15
    assert archive.states(analysis=AnalysisSettings(threshold=0.9)) == ["done", "done"]
    assert archive.states(analysis=AnalysisSettings(threshold=0.9)) == ["kept", "kept"]
    (archive.output / "a.tracks.csv").unlink()
    assert archive.states(analysis=AnalysisSettings(threshold=0.9)) == ["done", "kept"]


def test_copies_of_an_earlier_run_are_named_where_only_numbers_are_asked_for(own_inputs: Archive) -> None:
    archive = own_inputs
    write_picture(archive.inputs / "p.png", scene(Face("hopper", 160, 120, 90)))
    assert archive.states(video=True) == ["done", "done", "done"]
    (archive.output / "sub" / "mine.mp4").write_bytes(b"a user's")
    copies = {name: (archive.output / name).read_bytes() for name in ("a.mp4", "p.png", "sub/b.mp4")}
    for _ in range(2):
        assert archive.states(video=False) == ["kept", "kept"]
        (line,) = [said for said in archive.said if "earlier run" in said]
        named = ", ".join(repr(str(archive.output / name)) for name in copies)
        assert line == f"3 files of an earlier run with other options are left as they are: {named}"
    assert {name: (archive.output / name).read_bytes() for name in copies} == copies
    archive.run(video=True)
    assert [said for said in archive.said if "earlier run" in said] == []


def test_sha256_of_an_earlier_state_is_not_taken_for_that_of_a_changed_input(own_inputs: Archive) -> None:
    archive = own_inputs
    archive.run()
    source = archive.inputs / "a.mp4"
    (archive.output / "a.tracks.csv").unlink()  # there is something to do, and its SHA-256 is known
    options = replace(archive.options, output=archive.output)
    (job,) = (
        job for job in plan_jobs([archive.inputs], archive.output, into_folder=True) if job.source == source
    )
    setup = Setup(options, weights_sha256(options.weights), __version__, threads=1)
    with Journal(archive.journal) as journal:
        file = FileWork(job, setup, History.read(journal.events()), journal.add)
        file.start()
        make_clip(source, 1.5)  # between the look at the input and the worker's
        task = file.next_task()
    assert task is not None
    assert task.source_sha256
    value = do_task(setup, task).value
    assert isinstance(value, Failure)
    assert "was changed while it was worked on; run the same command again" in value.error


def test_other_weights_are_another_result(archive: Archive, tmp_path: Path) -> None:
    archive.run()
    # The tensors are the same; what they are called is not.
    other = save_tiny_weights(tmp_path / "other.safetensors", classes=("cat", "dog"))
    assert archive.states(weights=other) == ["done", "done"]
    assert read_result(archive.output / "a.result.json").classes == ("cat", "dog")


def test_bad_inputs_are_told_at_the_end_and_stop_nothing(own_inputs: Archive) -> None:
    archive = own_inputs
    bad = archive.inputs / "A-first.mp4"
    bad.write_bytes(b"no video at all")
    report = archive.run(jobs=2)
    assert report.exit_code == ExitCode.SOME_FAILED
    assert [str(file.state) for file in report.files] == ["failed", "done", "done"]
    device, line = archive.said
    assert device.startswith("cpu: as asked")  # once, though there are two processes
    assert line.startswith(f"{bad}: ")
    assert str(bad) in report.failed[0].error
    make_clip(bad, 1.0)
    assert archive.states() == ["done", "kept", "kept"]


def test_all_inputs_bad_is_a_failure(own_inputs: Archive) -> None:
    for path in list(own_inputs.inputs.rglob("*.m*")):
        path.write_bytes(b"")
    assert own_inputs.run().exit_code == ExitCode.FAILED


def test_files_of_others_are_not_replaced_unasked(archive: Archive) -> None:
    archive.output.mkdir()
    (archive.output / "a.tracks.csv").write_text("mine")
    report = archive.run()
    assert [str(file.state) for file in report.files] == ["failed", "done"]
    assert "a.tracks.csv' exists already" in report.failed[0].error
    assert (archive.output / "a.tracks.csv").read_text() == "mine"
    assert archive.states(overwrite=True) == ["done", "kept"]
    assert (archive.output / "a.tracks.csv").read_text() != "mine"


def test_replaced_outputs_are_told(archive: Archive) -> None:
    archive.run()
    report = archive.run(analysis=AnalysisSettings(threshold=0.9))
    assert [file.replaced for file in report.files] == [True, True]
    assert archive.said[-1] == "outputs of 2 of 2 inputs were there and were replaced"
    report = archive.run(analysis=AnalysisSettings(threshold=0.9))
    assert [file.replaced for file in report.files] == [False, False]
    assert archive.said == ["2 of 2 inputs were up to date"]


def test_results_that_an_audit_is_about_are_not_replaced_unasked(archive: Archive) -> None:
    archive.run()
    audited = archive.output / "a.result.json"
    before = audited.read_bytes()
    plan = make_plan(read_input(hash_results([audited])), count=5, seed=0)
    begin_audit(archive.output / "audit.jsonl", plan)
    other = {"analysis": AnalysisSettings(threshold=0.9)}
    report = archive.run(**other)
    assert [str(file.state) for file in report.files] == ["failed", "done"]
    assert "a.result.json' would be replaced, and the answers in" in report.failed[0].error
    assert audited.read_bytes() == before
    assert archive.states() == ["kept", "done"]  # as it was measured, it is still up to date
    assert archive.states(overwrite=True, **other) == ["done", "done"]
    assert audited.read_bytes() != before


def test_result_stays_as_it_is_where_only_the_copy_is_made_anew(archive: Archive) -> None:
    archive.run()
    results = [archive.output / "a.result.json", archive.output / "sub" / "b.result.json"]
    before = [path.read_bytes() for path in results]
    assert archive.states(video=True) == ["done", "done"]
    (archive.output / "a.mp4").unlink()
    report = archive.run(video=True)
    assert [str(file.state) for file in report.files] == ["done", "kept"]
    assert not report.files[0].replaced
    report = archive.run(video=True, encoder=EncoderSettings(preset="ultrafast", crf=30))
    assert [file.replaced for file in report.files] == [True, True]
    assert [path.read_bytes() for path in results] == before
    # As a run of another gclf-live would leave it, whose results carry its version.
    results[0].write_bytes(before[0] + b"\n")
    (archive.output / "a.mp4").unlink()
    archive.run(video=True, encoder=EncoderSettings(preset="ultrafast", crf=30))
    assert results[0].read_bytes() == before[0] + b"\n"


def test_answers_that_cannot_be_read_are_no_leave_to_replace(archive: Archive) -> None:
    archive.run()
    (archive.output / "sub" / "audit.jsonl").write_text("{")
    report = archive.run(analysis=AnalysisSettings(threshold=0.9))
    assert [str(file.state) for file in report.files] == ["done", "failed"]
    assert "nobody can tell whether an audit is about it" in report.failed[0].error


def test_videos_without_a_result_are_named(own_inputs: Archive) -> None:
    archive = own_inputs
    bad = archive.inputs / "sub" / "bad.avi"
    bad.write_bytes(b"no video at all")
    archive.run()
    assert list(unmeasured(archive.output)) == ["sub/bad.avi: failed"]
    assert list(unmeasured(archive.output / "sub")) == ["sub/bad.avi: failed"]
    (archive.output / "other").mkdir()
    assert list(unmeasured(archive.output / "other")) == []
    make_clip(bad, 1.0)
    archive.run()
    assert list(unmeasured(archive.output)) == []
    bad.write_bytes(b"no video any more")
    archive.run()
    assert list(unmeasured(archive.output)) == ["sub/bad.avi: failed; its figures are of an earlier run"]
    bad.unlink()
    assert len(list(unmeasured(archive.output))) == 1  # its disk may only be away
    archive.run()
    assert list(unmeasured(archive.output)) == []
    with Journal(archive.journal) as journal:  # as a kill in the middle of a later run leaves it
        journal.add("run", inputs=4)
        journal.add("begun", file="c.mp4", step="analyse", key="", part=0)
    assert list(unmeasured(archive.output)) == [
        "c.mp4: not finished",
        f"the last run into {str(archive.output)!r} has not come to its end: more may be missing",
    ]
    archive.journal.write_bytes(b"something else\n")
    (line,) = unmeasured(archive.output)
    assert "is not a journal of gclf-live" in line
    assert list(unmeasured(archive.inputs)) == []


def test_output_that_was_altered_is_made_again_only_where_asked_for(own_inputs: Archive) -> None:
    archive = own_inputs
    archive.run()
    result, before = archive.output / "a.result.json", (archive.output / "a.result.json").read_bytes()
    result.write_bytes(before[:100])
    report = archive.run()
    assert [str(file.state) for file in report.files] == ["failed", "kept"]
    assert report.failed[0].error == (
        f"{str(result)!r} is not as it was written: its size is another. Delete it, or add --overwrite, and "
        "it is made again"
    )
    assert archive.states(overwrite=True) == ["done", "kept"]
    assert result.read_bytes() == before
    (archive.output / "a.tracks.csv").unlink()
    assert archive.states() == ["done", "kept"]
    assert list(unmeasured(archive.output)) == []


def test_journal_without_sizes_is_taken_as_it_is(own_inputs: Archive) -> None:
    archive = own_inputs
    archive.run()
    lines = [json.loads(line) for line in archive.journal.read_text("utf-8").splitlines()]
    for line in lines:
        line.pop("sizes", None)
    archive.journal.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    assert archive.states() == ["kept", "kept"]


def test_video_that_failed_in_between_is_not_called_failed(own_inputs: Archive) -> None:
    archive = own_inputs
    (video,) = (archive.inputs / "sub").iterdir()
    archive.run()
    content, times = video.read_bytes(), video.stat()
    video.write_bytes(content[:100])
    assert archive.states() == ["kept", "failed"]
    assert len(list(unmeasured(archive.output))) == 1
    video.write_bytes(content)
    os.utime(video, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert archive.states() == ["kept", "kept"]
    assert list(unmeasured(archive.output)) == []
    size = archive.journal.stat().st_size
    archive.run()
    added = archive.journal.read_bytes()[size:].decode().splitlines()
    assert [json.loads(line)["event"] for line in added] == ["run", "end"]


def test_results_of_other_inputs_and_of_one_video_twice_are_named(own_inputs: Archive) -> None:
    archive = own_inputs
    first = next(archive.inputs.glob("a.*"))
    shutil.copy(first, archive.inputs / "copy.mp4")
    archive.run()
    (line,) = archive.said[-1:]
    assert line == (
        "'a.result.json' and 'copy.result.json' are of the same video; report --once counts each once, else "
        "it refuses them"
    )
    first.unlink()
    archive.run()
    assert (
        "1 result is of an input that was not given now, and report adds up all that is there: "
        in (archive.said[-2])
    )
    assert archive.said[-2].endswith("'a.result.json'")
    (archive.output / "a.result.json").unlink()
    archive.run()
    assert not [line for line in archive.said if "result" in line]


def test_pictures_alone_without_copies_are_refused(own_inputs: Archive) -> None:
    shutil.rmtree(own_inputs.inputs)
    own_inputs.inputs.mkdir()
    write_picture(own_inputs.inputs / "p.jpg", scene(Face("collins", 160, 120, 90)))
    with pytest.raises(UsageError, match="all inputs are pictures"):
        own_inputs.run(video=False)


def test_pictures_are_labelled_too(own_inputs: Archive) -> None:
    archive = own_inputs
    shutil.rmtree(archive.inputs / "sub")
    write_picture(archive.inputs / "p.jpg", scene(Face("collins", 160, 120, 90)))
    report = archive.run(video=True)
    assert report.exit_code == ExitCode.DONE
    assert archive.names() == ["a.mp4", "a.result.json", "a.tracks.csv", "p.jpg"]
    assert sum(report.files[1].faces.values()) == 1
    assert archive.states(video=True) == ["kept", "kept"]
    assert archive.states(video=False) == ["kept"]
    assert archive.said[0] == "pictures are left out (1): without copies there is nothing to write of them"


def test_privacy_keeps_nothing_of_a_person(archive: Archive) -> None:
    archive.run(privacy=True, video=True)
    assert archive.names() == ["a.mp4", "a.result.json", "sub/b.mp4", "sub/b.result.json"]
    result = read_result(archive.output / "a.result.json")
    assert (result.privacy, result.tracks) == (True, ())
    assert sum(result.totals.values()) > 2


def test_parts_in_work_hold_no_picture_with_privacy(archive: Archive, tmp_path: Path) -> None:
    options = replace(archive.options, privacy=True)
    assert options.weights is not None
    threads = torch.get_num_threads()  # of this process: they must stay what they are
    setup = Setup(options, weights_sha256(options.weights), __version__, threads)
    task = Task(Step.INSPECT, "a.mp4", archive.inputs / "a.mp4", work=tmp_path)
    found = do_task(setup, task).value
    assert isinstance(found, Inspected)
    assert do_task(setup, replace(task, step=Step.ANALYSE, part=found.parts[0])).value is None
    (track,) = PartAnalysis.load(part_path(tmp_path, 0)).tracks
    assert track.path.crop_jpeg == b""


def test_range_and_tables_are_as_asked(archive: Archive) -> None:
    archive.run(analysis=AnalysisSettings(threshold=0.0, from_s=0.5, to_s=2.0), tables="jsonl", video=True)
    assert {Path(name).suffix for name in archive.names()} == {".json", ".jsonl", ".mp4"}
    result = read_result(archive.output / "a.result.json")
    assert (result.frames, result.from_s) == (15, 0.5)
    assert frame_times(archive.output / "a.mp4") == pytest.approx([i / 10 for i in range(15)])
    row = json.loads((archive.output / "a.tracks.jsonl").read_text().splitlines()[0])
    assert row["start_s"] >= 0.5


def test_weights_that_cannot_be_used_end_the_run(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match=r"bad\.safetensors"):
        archive.run(weights=tmp_path / "bad.safetensors")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"jobs": 0}, "--jobs 0"),
        ({"address": "auto"}, "add --engine ray"),
        ({"part_s": 0.0}, "above 0"),
        ({"engine": "slurm"}, "local, ray"),
        ({"tables": "xls"}, "csv, parquet, jsonl, none"),
    ],
)
def test_options_that_cannot_be(archive: Archive, changes: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        replace(archive.options, **changes)  # type: ignore[arg-type]
