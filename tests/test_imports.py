"""Who may import whom: the stages know the records and themselves, the pipeline knows the stages."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "gclf_live"
TRAINING = ROOT / "train" / "gclf_train"
GROUND = {
    *("errors", "records", "geometry", "timing", "whole_file", "wording", "profiling", "trace_events"),
    *("memory_limit", "groups_table", "cpu_threads"),
}
STAGES = {"media", "faces", "model", "labels", "output", "screentime"}
HEAVY = {
    *("torch", "torchvision", "cv2", "av", "numpy", "scipy", "scenedetect", "matplotlib"),
    *("PIL", "safetensors", "rich", "pyarrow", "onnx", "onnxruntime", "ray"),
    *("fastapi", "starlette", "uvicorn", "websockets", "prometheus_client"),
}


def _modules(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def _imported(statements: Iterator[ast.AST]) -> set[str]:
    """Dotted names of the modules, and of what may be modules, that the statements import."""
    names: set[str] = set()
    for node in statements:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide what is imported"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _all_imports(path: Path) -> set[str]:
    return _imported(ast.walk(ast.parse(path.read_text("utf-8"))))


def _parts(names: set[str], package: str = "gclf_live") -> set[str]:
    """The first part below ``package`` of each name: a stage, or a module of the ground."""
    return {name.split(".")[1] for name in names if name.startswith(f"{package}.")}


def _at_import_time(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """The statements that run when a module is imported: not those in functions or for types only."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        for field in ("body", "orelse", "handlers", "finalbody"):
            yield from _at_import_time(getattr(node, field, []))


def test_every_stage_is_there() -> None:
    folders = STAGES | {"pipeline", "evaluation", "archive", "cli"}
    assert {p.name for p in PACKAGE.iterdir()} >= folders | {f"{g}.py" for g in GROUND}


@pytest.mark.parametrize("name", sorted(GROUND))
def test_ground_imports_only_ground(name: str) -> None:
    assert _parts(_all_imports(PACKAGE / f"{name}.py")) <= GROUND


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_stage_imports_ground_and_itself_only(stage: str) -> None:
    known = {path.name: _parts(_all_imports(path)) - GROUND - {stage} for path in _modules(PACKAGE / stage)}
    # The folder of the shipped files holds these and their check.
    assert {name: parts for name, parts in known.items() if parts - {"assets"}} == {}


def test_only_pipeline_evaluation_and_surfaces_know_several_stages() -> None:
    several = {
        path.relative_to(PACKAGE).parts[0]
        for path in _modules(PACKAGE)
        if len(_parts(_all_imports(path)) & STAGES) > 1
    }
    assert several <= {"pipeline", "evaluation", "archive", "cli", "serve", "__init__.py"}
    assert several >= {"pipeline", "evaluation"}


@pytest.mark.parametrize("name", ["pipeline", "evaluation"])
def test_what_knows_the_stages_knows_neither_surfaces_nor_the_other(name: str) -> None:
    known = {part for path in _modules(PACKAGE / name) for part in _parts(_all_imports(path))}
    assert known <= GROUND | STAGES | {name}


def test_archive_knows_the_pipeline_and_what_lies_below() -> None:
    known = {part for path in _modules(PACKAGE / "archive") for part in _parts(_all_imports(path))}
    # The tool's version is part of what a result depends on.
    assert known <= GROUND | STAGES | {"archive", "pipeline", "__version__"}


def test_only_the_train_command_knows_the_trainer() -> None:
    users = {
        path.relative_to(PACKAGE)
        for path in _modules(PACKAGE)
        if any(name.split(".")[0] == "gclf_train" for name in _all_imports(path))
    }
    assert Path("cli", "train.py") in users
    # The command may have helpers of its own beside it, such as what it shows while it trains.
    assert {path.as_posix() for path in users if not path.match("cli/train*.py")} == set()


def test_trainer_uses_the_shared_crop_and_model_only() -> None:
    allowed = {"errors", "records", "geometry", "whole_file", "groups_table", "faces", "model"}
    used = {path.name: _parts(_all_imports(path)) - allowed for path in _modules(TRAINING)}
    assert {name: parts for name, parts in used.items() if parts} == {}


@pytest.mark.parametrize("path", _modules(PACKAGE / "cli"), ids=lambda path: path.name)
def test_command_imports_nothing_heavy_at_module_level(path: Path) -> None:
    names = _imported(_at_import_time(ast.parse(path.read_text("utf-8")).body))
    assert {name for name in names if name.split(".")[0] in HEAVY | {"gclf_train"}} == set()
    assert _parts(names) <= {"cli", "errors", "__version__"}


def test_help_loads_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "gclf_live", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Usage: gclf-live" in done.stdout
    loaded = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "click" in loaded
    assert loaded & HEAVY == set()
