"""Results that an audit is about: people have labelled their faces, and no run brings those answers back."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from gclf_live.errors import GclfError, OutputError
from gclf_live.pipeline.measured import file_sha256
from gclf_live.screentime.audit_answers import DEFAULT_NAME, AnswersFile
from gclf_live.screentime.result_file import RESULT_SUFFIX


def audit_of(path: Path, folder: Path) -> Path | None:
    """The answers that are about a result, looked for where ``gclf-live audit`` keeps them unless told.

    Args:
        path: an output of a run that exists; only a result can be audited.
        folder: the output folder, above it.

    Raises:
        OutputError: there are answers that cannot be read.
    """
    if not path.name.endswith(RESULT_SUFFIX):
        return None
    for answers in _places(path, folder):
        try:
            if file_sha256(path) in _audited(answers, answers.stat().st_mtime_ns):
                return answers
        except GclfError as error:
            raise OutputError(
                f"{str(path)!r} would be replaced, and nobody can tell whether an audit is about it: "
                f"{error}. Move the answers away, or add --overwrite to replace it"
            ) from error
    return None


def _places(path: Path, folder: Path) -> Iterator[Path]:
    for parent in path.parents:
        answers = parent / DEFAULT_NAME
        if answers.is_file():
            yield answers
        if parent == folder:
            return


@lru_cache(maxsize=4)
def _audited(answers: Path, mtime_ns: int) -> frozenset[str]:
    """SHA-256 of the results that an audit is about."""
    with AnswersFile(answers, read_only=True) as stored:
        return frozenset(each.sha256 for each in stored.plan.results)
