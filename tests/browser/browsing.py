"""A page that is watched: what must never happen in it, and what a person does with it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Page, Request, WebSocket

_DROP = """([selector, kind, files]) => {
  const transfer = new DataTransfer();
  for (const [name, type, text] of files) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name, { type }));
  }
  const target = selector ? document.querySelector(selector) : document.body;
  const about = { bubbles: true, cancelable: true };
  const event = kind === "paste"
    ? new ClipboardEvent(kind, { ...about, clipboardData: transfer })
    : new DragEvent(kind, { ...about, dataTransfer: transfer });
  target.dispatchEvent(event);
}"""
_TYPES = {".jpg": "image/jpeg", ".png": "image/png", ".mp4": "video/mp4", ".txt": "text/plain"}

Visit = Callable[..., Page]
"""Opens the page: fixture ``visit``."""


@dataclass
class Watch:
    """What went wrong in a page; empty at the end of a test.

    Attributes:
        host: host and port that may be asked.
        expected: parts of console messages that a test provokes.
        problems: console errors, exceptions, and requests to other hosts.
    """

    host: str
    expected: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def follow(self, page: Page) -> None:
        """Watch this page from now on."""
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.problems.append(f"exception: {error}"))
        page.on("request", self._request)
        page.on("websocket", self._socket)

    def unexpected(self) -> list[str]:
        """The problems that the test did not provoke."""
        return [text for text in self.problems if not any(part in text for part in self.expected)]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.problems.append(f"console {message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        self._address(request.url)

    def _socket(self, socket: WebSocket) -> None:
        self._address(socket.url)

    def _address(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"blob", "data"} and parts.netloc != self.host:
            self.problems.append(f"request to another host: {url}")


def drop(page: Page, selector: str, *paths: Path) -> None:
    """Drop files on an element, as a file manager does."""
    page.evaluate(_DROP, [selector, "drop", _files(paths)])


def paste(page: Page, path: Path) -> None:
    """Paste a file from the clipboard."""
    page.evaluate(_DROP, ["", "paste", _files((path,))])


def _files(paths: tuple[Path, ...]) -> list[list[str]]:
    texts = [base64.b64encode(path.read_bytes()).decode() for path in paths]
    return [[path.name, _TYPES.get(path.suffix, ""), text] for path, text in zip(paths, texts, strict=True)]


def violations(page: Page) -> list[str]:
    """What axe-core objects to in the page as it is, one line each."""
    found = Axe().run(page).response["violations"]
    return [
        f"{violation['id']}: {node['html']} {node.get('failureSummary', '')}"
        for violation in found
        for node in violation["nodes"]
    ]
