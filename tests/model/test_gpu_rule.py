"""The rule for tests that need a GPU: it cannot be skipped where one is expected."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.skipif(
    torch.cuda.is_available(), reason="the rule acts where there is no CUDA device"
)


def _outcomes(pytester: pytest.Pytester) -> dict[str, int]:
    pytester.makeconftest((Path(__file__).parents[1] / "conftest.py").read_text())
    pytester.makeini("[pytest]\nmarkers = gpu: needs a CUDA device\n")
    pytester.makepyfile("import pytest\n@pytest.mark.gpu\ndef test_gpu(): pass\ndef test_cpu(): pass\n")
    return pytester.runpytest_inprocess("-p", "no:cacheprovider").parseoutcomes()


def test_gpu_test_is_skipped_without_a_gpu(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GCLF_REQUIRE_GPU", raising=False)
    assert _outcomes(pytester) == {"passed": 1, "skipped": 1}


def test_gpu_test_fails_where_a_gpu_is_expected(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GCLF_REQUIRE_GPU", "1")
    outcomes = _outcomes(pytester)
    assert outcomes.pop("passed") == 1
    assert sum(outcomes.values()) == 1
    assert outcomes.keys() <= {"failed", "errors"}
