"""What pyproject.toml promises about versions is what is tried, and what is listed."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from benchmarks.environments import ENVIRONMENTS
from benchmarks.licences import licence, needed, page, plain_name
from gclf_live.assets import SHA256

ROOT = Path(__file__).parents[2]
EXTRAS = ("export", "ray", "serve", "tables")


def _project() -> dict[str, Any]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert isinstance(project, dict)
    return project


def _direct() -> dict[str, SpecifierSet]:
    """What users get, with and without extras, by name."""
    project = _project()
    extras = project["optional-dependencies"]
    texts = [*project["dependencies"], *(text for extra in EXTRAS for text in extras[extra])]
    return {plain_name(each.name): each.specifier for each in map(Requirement, texts)}


def _lowest() -> dict[str, Version]:
    lines = (ROOT / "tests" / "lowest.txt").read_text("utf-8").splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {plain_name(name): Version(version) for name, version in pins}


def test_lowest_versions_are_the_lower_bounds() -> None:
    direct, lowest = _direct(), _lowest()
    assert set(lowest) == set(direct)
    for name, version in lowest.items():
        (bound,) = (each for each in direct[name] if each.operator in {">=", "=="})
        assert version in direct[name], name
        # 4.10 and 4.10.0.84, 1.7 and 1.7.1 where there is no 1.7.0: the same line of releases.
        given = Version(bound.version).release
        assert version.release[: len(given)] == given or (*given, 0, 0)[:3] == version.release[:3], name


def test_the_pair_that_is_to_be_taken_from_elsewhere_is_the_one_asked_for() -> None:
    (line,) = (
        each
        for each in (ROOT / "docs" / "install.md").read_text("utf-8").splitlines()
        if "pip install torch" in each
    )
    pair = [each for each in _project()["dependencies"] if each.startswith("torch")]
    assert len(pair) == 2
    assert line.split("pip install ")[1].split(" --index-url ")[0].split() == pair
    assert ENVIRONMENTS["no-cuda"].torch_from == line.split()[-1]


def test_every_python_that_is_promised_has_an_environment() -> None:
    project = _project()
    told = [
        re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", text) for text in project["classifiers"]
    ]
    pythons = [match[1] for match in told if match]
    assert pythons[0] == Version(project["requires-python"].removeprefix(">=")).public
    tried = {environment.python for environment in ENVIRONMENTS.values()}
    assert {f"python{version}" for version in pythons[1:]} <= tried


def test_security_policy_is_in_the_source_archive() -> None:
    document = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    included = document["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    assert {entry.name for entry in ROOT.glob("*.md")} <= set(included)
    assert {"gclf_live", "train", "tests", "samples", "benchmarks", "docs", "LICENSE"} <= set(included)


def test_licences_of_files_and_packages_are_listed() -> None:
    text = (ROOT / "docs" / "licences.md").read_text("utf-8")
    for name, digest in SHA256.items():
        assert f"| `{name}` |" in text
        assert digest in text
    listed = set(
        re.findall(r"^\| ([a-z0-9-]+) \| .* \| (?:all|export|ray|serve|tables) \|$", text, re.MULTILINE)
    )
    assert set(_direct()) <= listed


@pytest.mark.parametrize("package", ["av", "numpy", "rich", "torch"])
def test_licence_is_one_line_that_fits_a_table(package: str) -> None:
    assert re.fullmatch(r"[^|\n]{3,120}", licence(package))


def test_page_has_what_is_needed_here() -> None:
    lines = list(page())
    for name, reason in needed().items():
        assert any(line.startswith(f"| {name} | ") and line.endswith(f"| {reason} |") for line in lines), name
