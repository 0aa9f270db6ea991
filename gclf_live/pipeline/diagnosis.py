"""What an examination of the installation came to."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is missing or broken.

    Attributes:
        part: of the report.
        text: one line: what is wrong and what to do about it.
        essential: nothing works without it; otherwise something is missing that not everybody needs.
    """

    part: str
    text: str
    essential: bool


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found.

    Attributes:
        facts: by part; a part that could not be looked at is missing. JSON values only.
        problems: in the order of the parts.
    """

    facts: dict[str, dict[str, Any]]
    problems: tuple[Problem, ...]

    @property
    def usable(self) -> bool:
        """Whether pictures and videos can be labelled."""
        return not any(problem.essential for problem in self.problems)

    def as_json(self) -> dict[str, Any]:
        """The whole report as one JSON object."""
        return {
            "usable": self.usable,
            **self.facts,
            "problems": [asdict(problem) for problem in self.problems],
        }
