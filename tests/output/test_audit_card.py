"""The pictures that an audit shows, and the window's keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from gclf_live.errors import DisplayError
from gclf_live.output.audit_card import audit_card, numbered_sheet
from gclf_live.output.audit_window import CLOSED, KeyWindow
from gclf_live.records import U8

KEYS = (("f", "female"), ("m", "male"), ("u", "unclear"), ("b", "back"), ("q", "stop"))
PINK = (180, 60, 250)


def _flat(height: int, width: int, colour: tuple[int, int, int] = PINK) -> U8:
    return np.full((height, width, 3), colour, np.uint8)


def _card(face: U8 | None, *, done: float = 0.25, keys: tuple[tuple[str, str], ...] = KEYS) -> U8:
    return audit_card(face, heading="3 of 12", note="a note", keys=keys, done=done)


def _is(image: U8, colour: tuple[int, int, int]) -> np.ndarray:
    return np.asarray((image == colour).all(axis=2))


@pytest.mark.parametrize(("height", "width"), [(96, 96), (96, 60), (20, 90), (900, 700)])
def test_face_is_shown_large_in_its_own_shape(height: int, width: int) -> None:
    rows, columns = np.nonzero(_is(_card(_flat(height, width)), PINK))
    shown = (int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1)
    scale = 520 / max(height, width)
    assert shown == pytest.approx((height * scale, width * scale), abs=1)
    assert len(rows) == shown[0] * shown[1], "nothing is drawn over it"


def test_progress_grows_with_what_is_done() -> None:
    green = [int(_is(_card(_flat(9, 9), done=done), (115, 158, 0)).sum()) for done in (0.0, 0.5, 1.0)]
    assert green[0] == 0
    assert green[2] == 2 * green[1] > 0


def test_card_without_a_face_has_its_place_empty() -> None:
    with_face, without = _card(_flat(96, 96)), _card(None)
    differs = (with_face != without).any(axis=2)
    assert int(differs.sum()) == 520 * 520


def test_many_classes_keep_within_the_card() -> None:
    keys = tuple((chr(97 + n), f"a class with a long name {n}") for n in range(26))
    assert _card(_flat(96, 96), keys=keys).shape == (760, 960, 3)
    assert _card(None, keys=(("a", "w" * 400),)).shape == (760, 960, 3)


def test_sheet_shows_each_face_once_in_rows_of_ten() -> None:
    faces = [_flat(96, 96, (10 * n, 255 - 10 * n, 128)) for n in range(13)]
    sheet = numbered_sheet(faces, first=61)
    corners = []
    for n in range(13):
        rows, columns = np.nonzero(_is(sheet, (10 * n, 255 - 10 * n, 128)))
        assert len(rows) == 116 * 116
        corners.append((int(rows.min()), int(columns.min())))
    assert corners == sorted(corners), "in order, row by row"
    assert len({top for top, _ in corners}) == 2
    assert [left for _, left in corners[10:]] == [left for _, left in corners[:3]]


@dataclass
class ScriptedScreen:
    """A screen on which keys are pressed as the test says; None is the window's cross."""

    codes: list[int | None]
    shown: list[U8] = field(default_factory=list)
    open_windows: set[str] = field(default_factory=set)

    def open(self, title: str, *, width_px: int, height_px: int) -> None:
        self.open_windows.add(title)

    def show(self, title: str, image: U8) -> None:
        self.shown.append(image)

    def wait_key(self, wait_ms: int) -> int:
        code = self.codes.pop(0)
        if code is None:
            self.open_windows.clear()
        return -1 if code is None else code

    def is_visible(self, title: str) -> bool:
        return title in self.open_windows

    def close(self, title: str) -> None:
        self.open_windows.discard(title)


@pytest.mark.parametrize(
    ("code", "key"),
    [
        (ord("f"), "f"),
        (ord("F"), "f"),
        (0x100000 + ord("m"), "m"),  # with NumLock on, GTK adds a bit
        (27, "escape"),
        (8, "backspace"),
        (ord("1"), "1"),
        (225, None),  # Shift alone
        (-1, None),
        (None, CLOSED),
    ],
)
def test_keys_are_told_by_name(code: int | None, key: str | None) -> None:
    with KeyWindow("audit", backend=ScriptedScreen([code]), check=lambda: None) as window:
        window.show(_flat(4, 4))
        assert window.key() == key


def test_window_is_closed_on_the_way_out() -> None:
    screen = ScriptedScreen([])
    with KeyWindow("audit", backend=screen, check=lambda: None) as window:
        window.show(_flat(4, 4))
        window.show(_flat(4, 4))
        assert screen.open_windows == {"audit"}
    assert screen.open_windows == set()
    assert len(screen.shown) == 2


def test_no_display_is_told_before_a_window_opens() -> None:
    def missing() -> None:
        raise DisplayError("no window can be opened: none there")

    check: Callable[[], None] = missing
    screen = ScriptedScreen([])
    with pytest.raises(DisplayError, match="none there"), KeyWindow("audit", backend=screen, check=check):
        pass
    assert screen.open_windows == set()


def test_picture_is_painted_again_while_nothing_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = ScriptedScreen([-1, -1, ord("f"), None])
    with KeyWindow("audit", backend=screen, check=lambda: None) as window:
        window.show(_flat(4, 4))
        window.key()
        assert len(screen.shown) == 1, "only once in a while"
        monkeypatch.setattr("gclf_live.output.audit_window._REPAINT_S", -1.0)
        window.key()
        assert len(screen.shown) == 2
        window.key()
        assert window.key() == CLOSED
        assert len(screen.shown) == 2, "a window that was closed stays closed"
