"""Results that an audit is about: people have labelled their faces, and no run brings those answers back."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from gclf_live.errors import GclfError
from gclf_live.pipeline.measured import file_sha256
from gclf_live.screentime.audit_answers import DEFAULT_NAME, AnswersFile
from gclf_live.screentime.result import RESULT_SUFFIX


def audit_of(path: Path, folder: Path) -> Path | None:
    """The answers that are about a result, looked for where ``gclf-live audit`` keeps them unless told.

    Args:
        path: an output of a run that exists; only a result can be audited.
        folder: the output folder.
    """
    if not path.name.endswith(RESULT_SUFFIX):
        return None
    for answers in dict.fromkeys((path.parent / DEFAULT_NAME, folder / DEFAULT_NAME)):
        if answers.is_file() and file_sha256(path) in _audited(answers, answers.stat().st_mtime_ns):
            return answers
    return None


@lru_cache(maxsize=4)
def _audited(answers: Path, mtime_ns: int) -> frozenset[str]:
    """SHA-256 of the results that an audit is about; none where its file cannot be read."""
    try:
        with AnswersFile(answers, read_only=True) as stored:
            return frozenset(each.sha256 for each in stored.plan.results)
    except GclfError:
        return frozenset()
