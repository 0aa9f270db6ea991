"""Files damaged on purpose, for ``benchmarks.corpus``: cut, with a byte flipped, with packets lost."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path

from benchmarks.confined import Told
from benchmarks.corpus_check import Facts, decoded, facts
from benchmarks.corpus_makers import FRAMES, encode, pictures

_TS_PACKET = 188


@dataclass(frozen=True, slots=True)
class Damage:
    """One kind of damage.

    Attributes:
        name: for the table.
        count: variants of it.
        make: writes the whole file into a folder.
        change: its bytes, damaged as the number of the variant says.
    """

    name: str
    count: int
    make: Callable[[Path], Path]
    change: Callable[[bytes, int], bytes]


@dataclass(slots=True)
class Tally:
    """What came of the variants of one kind of damage.

    Attributes:
        whole: copies with every frame of the undamaged file, at its time.
        told: copies of what could be read, with a line that says so.
        silent: copies of what could be read where nothing in the file says that there was more.
        refused: runs that ended with one line.
        wrong: what must not be.
    """

    whole: int = 0
    told: int = 0
    silent: int = 0
    refused: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(
        self, number: int, told: Told | None, wrong: list[str], source: Path, copy: Path, before: Facts
    ) -> None:
        """Count one run."""
        self.wrong += [f"{number}: {each}" for each in wrong]
        if told is None:
            return
        if told.code != 0:
            self.refused += 1
            return
        after = facts(copy)
        readable = sum(1 for _ in decoded(source))
        if len(after.times_s) != readable:
            self.wrong.append(f"{number}: {len(after.times_s)} frames of {readable} that can be decoded")
        rising = all(a < b for a, b in zip(after.times_s, after.times_s[1:], strict=False))
        if not rising:
            self.wrong.append(f"{number}: times go back")
        same = len(after.times_s) == len(before.times_s) and all(
            abs(a - b) < Fraction(1, 1000) for a, b in zip(after.times_s, before.times_s, strict=True)
        )
        if any(word in told.err for word in ("cut off", "cannot be", "damaged", "ends early", "goes back")):
            self.told += 1
        elif same:
            self.whole += 1
        else:
            self.silent += 1

    def line(self) -> str:
        """The counts in words."""
        counts = (
            (self.whole, "whole"),
            (self.told, "read as far as can be, which is said"),
            (self.silent, "read as the file says"),
            (self.refused, "refused with one line"),
        )
        return ", ".join(f"{count} {what}" for count, what in counts if count) or "none"


_SIZE = (160, 90)
_LONG = 75


def _file(suffix: str, folder: Path, *, count: int = FRAMES, **how: object) -> Path:
    return encode(folder / f"whole{suffix}", pictures(_SIZE, count), **how)  # type: ignore[arg-type]


def _cut(content: bytes, number: int) -> bytes:
    return content[: round(len(content) * (number + 1) / 21)]


def _flip(content: bytes, number: int) -> bytes:
    draw = random.Random(f"flip {number}")
    changed = bytearray(content)
    changed[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _lose(content: bytes, number: int) -> bytes:
    draw = random.Random(f"lose {number}")
    packets = [content[i : i + _TS_PACKET] for i in range(0, len(content), _TS_PACKET)]
    return b"".join(packet for packet in packets if draw.random() > 0.02 * (number + 1))


_INDEX_FIRST = {"movflags": "+faststart"}
_KEYS = {"preset": "ultrafast", "x264-params": "keyint=5"}
_first = partial(_file, ".mp4", muxer_options=_INDEX_FIRST, codec_options=_KEYS)
_matroska = partial(_file, ".mkv", codec_options=_KEYS)
_transport = partial(_file, ".ts", codec_options=_KEYS)

DAMAGE: tuple[Damage, ...] = (
    Damage("mp4, index first, cut at 20 points", 20, partial(_first, count=_LONG), _cut),
    Damage("mp4, index last, cut at 20 points", 20, partial(_file, ".mp4", count=_LONG), _cut),
    Damage("MKV cut at 20 points", 20, partial(_matroska, count=_LONG), _cut),
    Damage("TS cut at 20 points", 20, partial(_transport, count=_LONG), _cut),
    Damage("mp4 with a bit flipped at 300 places", 300, _first, _flip),
    Damage("TS that lost 2 % to 20 % of its packets", 10, _transport, _lose),
)
