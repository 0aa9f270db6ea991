"""``--engine ray``: the same results from a cluster, one of whose nodes is lost; and what it needs."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from archive_makers import PART_S, Archive

from benchmarks.kills import contents, count_parts, differences, journal
from gclf_live.errors import UsageError

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install '.[ray]'"
)

# In a process of its own: Ray takes signals and the exit of the one it is used in into its hands.
_PROGRAM = """
import sys, threading, time
from pathlib import Path
from ray.cluster_utils import Cluster
from gclf_live.archive.run import ArchiveOptions, run_archive
from gclf_live.pipeline.jobs import plan_jobs
from gclf_live.pipeline.settings import AnalysisSettings

inputs, output, weights, part_s = sys.argv[1:]
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
journal = Path(output, ".gclf-live", "journal.jsonl")

def lose_a_node():
    while not (journal.exists() and '"saved"' in journal.read_text()):
        time.sleep(0.02)
    cluster.remove_node(nodes[1], allow_graceful=False)
    print("lost", '"end"' not in journal.read_text(), file=sys.__stdout__, flush=True)

losing = threading.Thread(target=lose_a_node, daemon=True)
losing.start()
options = ArchiveOptions(Path(output), weights=Path(weights), analysis=AnalysisSettings(threshold=0.0),
                         video=False, part_s=float(part_s), engine="ray", address=cluster.address)
report = run_archive(plan_jobs([Path(inputs)], Path(output), into_folder=True), options, say_result=print)
losing.join(60)
print("exit code", int(report.exit_code), "parts", report.parts, flush=True)
cluster.shutdown()
"""


@pytest.mark.slow
@needs_ray
def test_cluster_that_loses_a_node_gives_the_same_results(archive: Archive, tmp_path: Path) -> None:
    output = tmp_path / "cluster"
    done = subprocess.run(
        [
            *(sys.executable, "-c", _PROGRAM, archive.inputs, output),
            *(archive.options.weights or "", str(PART_S)),
        ],
        capture_output=True,
        check=False,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lost, *results, last = done.stdout.splitlines()  # and not a word of Ray's
    assert (lost, last) == ("lost True", "exit code 0 parts 5")
    assert {line.partition(": ")[0] for line in results} == {
        str(archive.inputs / "a.mp4"),
        str(archive.inputs / "sub" / "b.mkv"),
    }
    archive.run()
    assert differences(contents(archive.output), contents(output)) == []
    saved, _, twice = count_parts(list(journal(output)))
    assert (saved, twice) == (5, 0)


@needs_ray
@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:1"])
def test_cluster_that_is_not_there_is_told(archive: Archive, address: str) -> None:
    with pytest.raises(UsageError, match=f"cannot reach a Ray cluster at '{address}'") as caught:
        archive.run(engine="ray", address=address)
    assert "\n" not in str(caught.value)


@needs_ray
def test_gpu_is_handed_out_by_ray(archive: Archive) -> None:
    with pytest.raises(UsageError, match="give --device cuda"):
        archive.run(engine="ray", device="cuda:1")


def test_missing_ray_is_told_with_what_to_install(archive: Archive, tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['ray'] = None; from gclf_live.cli import main; "
        f"main(['annotate', {str(archive.inputs)!r}, '--out-dir', {str(tmp_path / 'o')!r}, '--no-video', "
        "'--engine', 'ray'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, text=True)
    assert done.returncode == 2
    assert done.stderr == (
        "gclf-live: --engine ray needs Ray, which is not installed. "
        f"Run {sys.executable} -m pip install '.[ray]' in gclf-live's source folder\n"
    )


def test_other_options_go_with_ray_only(archive: Archive) -> None:
    with pytest.raises(UsageError, match="add --engine ray"):
        replace(archive.options, address="10.0.0.1:6379")
