"""One person's way through a sample: which key means what, where they are, and back again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from string import ascii_lowercase, digits

from gclf_live.errors import UsageError
from gclf_live.screentime.audit_answers import AnswersFile

UNCLEAR_KEY = "u"
BACK_KEY = "b"
QUIT_KEY = "q"
UNCLEAR = "unclear"
"""How a person's "I cannot tell" is written for people; in files it is null."""
_MOST_CLASSES = len(ascii_lowercase) - 3 + len(digits) - 1


class Heard(Enum):
    """What a key came to."""

    ANSWERED = "answered"
    WENT_BACK = "went back"
    QUIT = "quit"
    UNKNOWN = "unknown"


def class_keys(classes: Sequence[str]) -> dict[str, str]:
    """A key for each class: the first letter of its name that is free, else a digit or any letter.

    Only letters that every keyboard has; ``u``, ``b`` and ``q`` are taken.

    Returns:
        Key to class, in the order of the classes.

    Raises:
        UsageError: there are more classes than keys.
    """
    taken = {UNCLEAR_KEY, BACK_KEY, QUIT_KEY}
    keys: dict[str, str] = {}
    for name in classes:
        wanted = [letter for letter in name.lower() if letter in ascii_lowercase]
        free = next((k for k in (*wanted, *digits[1:], *ascii_lowercase) if k not in taken), None)
        if free is None:
            raise UsageError(
                f"these results have {len(classes)} classes; there are keys for {_MOST_CLASSES}. Audit "
                "results of fewer"
            )
        taken.add(free)
        keys[free] = name
    return keys


def key_words(keys: Mapping[str, str]) -> list[tuple[str, str]]:
    """Every key with what it does, for people."""
    return [*keys.items(), (UNCLEAR_KEY, UNCLEAR), (BACK_KEY, "back"), (QUIT_KEY, "stop")]


class AuditSession:
    """Where a person is in the sample.

    Attributes:
        keys: key to class.
        current: number of the track to show, from 1; None once every track has an answer.
    """

    def __init__(self, answers: AnswersFile) -> None:
        """Begin at the first track without an answer."""
        self.keys = class_keys(answers.plan.classes)
        self._answers = answers
        self._total = len(answers.plan.sample.drawn)
        self.current = self._next_open(0)

    @property
    def total(self) -> int:
        """Tracks in the sample."""
        return self._total

    @property
    def answered(self) -> int:
        """Tracks that have an answer."""
        return len(self._answers.answers)

    @property
    def given(self) -> str | None:
        """What was answered for the current track before, in words; None if nothing was."""
        if self.current is None or self.current not in self._answers.answers:
            return None
        return self._answers.answers[self.current] or UNCLEAR

    def press(self, key: str) -> Heard:
        """Do what the key says; an answer is on the disk when this returns."""
        if key == QUIT_KEY:
            return Heard.QUIT
        if key == BACK_KEY:
            self.current = max(1, (self.current or self._total + 1) - 1)
            return Heard.WENT_BACK
        if self.current is None or key not in {*self.keys, UNCLEAR_KEY}:
            return Heard.UNKNOWN
        self._answers.add(self.current, self.keys.get(key))
        self.current = self._next_open(self.current)
        return Heard.ANSWERED

    def _next_open(self, after: int) -> int | None:
        """The first track without an answer behind ``after``, else before it; None if there is none."""
        order = [*range(after + 1, self._total + 1), *range(1, after + 1)]
        return next((number for number in order if number not in self._answers.answers), None)
