"""How a person is asked for an audit's labels: in a window, or in the terminal beside a contact sheet."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gclf_live.cli.options import say
from gclf_live.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from gclf_live.output.audit_window import KeyWindow
    from gclf_live.records import U8
    from gclf_live.screentime.audit_session import AuditSession, Heard

_SHEET_FACES = 60
_TITLE = "gclf-live audit"


def decode_crops(crops: Sequence[bytes]) -> list[U8]:
    """The pictures of the drawn tracks: uint8, shape (H, W, 3), BGR.

    Raises:
        SourceError: one is no picture.
    """
    import cv2
    import numpy as np

    decoded = []
    for number, data in enumerate(crops, 1):
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
        if image is None:
            raise SourceError(
                f"the picture of track number {number} of the sample is damaged. Measure its video again, "
                "and begin a new audit"
            )
        decoded.append(np.asarray(image, np.uint8))
    return decoded


def ask_in_window(session: AuditSession, faces: Sequence[U8]) -> None:
    """Show one face after the other until all have an answer or the person stops.

    Raises:
        DisplayError: there is no display, or no window can be opened.
    """
    from gclf_live.output.audit_window import CLOSED, KeyWindow
    from gclf_live.screentime.audit_session import BACK_KEY, QUIT_KEY, Heard

    meant = {"escape": QUIT_KEY, CLOSED: QUIT_KEY, "backspace": BACK_KEY}
    with KeyWindow(_TITLE) as window:
        _show(window, session, faces)
        while True:
            key = window.key()
            if key is None:
                continue
            heard = session.press(meant.get(key, key))
            if heard is Heard.QUIT:
                return
            if heard is not Heard.UNKNOWN:
                _show(window, session, faces)


def _show(window: KeyWindow, session: AuditSession, faces: Sequence[U8]) -> None:
    from gclf_live.output.audit_card import audit_card
    from gclf_live.screentime.audit_session import BACK_KEY, QUIT_KEY, key_words

    current, keys = session.current, key_words(session.keys)
    window.show(
        audit_card(
            None if current is None else faces[current - 1],
            heading="all answered" if current is None else f"{current} of {session.total}",
            note=_note(session),
            keys=[each for each in keys if current is not None or each[0] in {BACK_KEY, QUIT_KEY}],
            done=session.answered / session.total,
        )
    )


def _note(session: AuditSession) -> str:
    if session.current is None:
        return "q or Esc ends; b goes back to the last one"
    if session.given is not None:
        return f"you said {session.given}; another key corrects it"
    return "how the face is perceived, as far as you can tell from the picture alone"


def write_sheets(answers: Path, faces: Sequence[U8]) -> list[Path]:
    """Contact sheets of all faces of the sample, beside the file of the answers."""
    from gclf_live.media.pictures import write_picture
    from gclf_live.output.audit_card import numbered_sheet

    paths = []
    for start in range(0, len(faces), _SHEET_FACES):
        path = answers.with_name(f"{answers.stem}.sheet-{start // _SHEET_FACES + 1}.png")
        sheet = numbered_sheet(faces[start : start + _SHEET_FACES], first=start + 1)
        write_picture(path, sheet, overwrite=True)
        paths.append(path)
    return paths


def ask_in_terminal(session: AuditSession, sheets: Sequence[Path]) -> None:
    """Ask for one number after the other; a key at a terminal needs no Enter.

    Ends with the input, as with ``q``.
    """
    from gclf_live.screentime.audit_session import Heard, key_words

    last = f" to {str(sheets[-1])!r}" if len(sheets) > 1 else ""
    say(f"the faces are in {str(sheets[0])!r}{last}; look at them there")
    say("keys: " + ", ".join(f"{key} {words}" for key, words in key_words(session.keys)))
    with _keys() as read_key:
        going = True
        while going:
            click.echo(_prompt(session), nl=False, err=True)
            key = read_key()
            done = session.current is None and not key
            heard = Heard.QUIT if key is None or done else session.press(key)
            click.echo(_heard_words(session, heard, key or ""), err=True)
            going = heard is not Heard.QUIT


def _heard_words(session: AuditSession, heard: Heard, key: str) -> str:
    from gclf_live.screentime.audit_session import UNCLEAR, Heard, key_words

    if heard is Heard.ANSWERED:
        return session.keys.get(key, UNCLEAR)
    if heard is Heard.WENT_BACK:
        return "back"
    if heard is Heard.QUIT:
        return "stop" if session.current is not None else ""
    return "no such key; there are " + ", ".join(key for key, _ in key_words(session.keys))


def _prompt(session: AuditSession) -> str:
    if session.current is None:
        return "all answered; b goes back, Enter ends: "
    sheet = (session.current - 1) // _SHEET_FACES + 1
    given = f", you said {session.given}" if session.given else ""
    where = f", sheet {sheet}" if session.total > _SHEET_FACES else ""
    return f"{session.current} of {session.total}{where}{given}: "


@contextlib.contextmanager
def _keys() -> Iterator[Callable[[], str | None]]:
    """What reads one key at a terminal, else one line; in lower case, and None at the end of the input.

    The terminal is switched once, not for each key: what is typed while an answer is stored would be lost.
    Ctrl-C works as ever.
    """
    if not sys.stdin.isatty():
        yield _read_line
        return
    import termios
    import tty

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal, termios.TCSADRAIN)
    try:
        yield _TerminalKeys(terminal)
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _read_line() -> str | None:
    line = sys.stdin.readline()
    return line.strip().lower() if line else None


class _TerminalKeys:
    """Reads keys from a terminal that hands them over one by one."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._typed = ""

    def __call__(self) -> str | None:
        if not self._typed:
            data = os.read(self._terminal, 1024)
            if not data:
                return None
            if data.startswith(
                b"\x1b"
            ):  # an arrow is Escape and letters, which must not be taken for answers
                return "escape"
            self._typed = data.decode(errors="replace")
        key, self._typed = self._typed[0], self._typed[1:]
        if key == "\x04":
            return None
        return {"\x7f": "b", "\x08": "b", "\r": "", "\n": ""}.get(key, key.lower())
