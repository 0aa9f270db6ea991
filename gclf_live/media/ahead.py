"""Reading ahead: decoding goes on in a thread of its own while the caller works on what is there."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

Item = TypeVar("Item")

_POLL_S = 0.1


class ReadAhead(Generic[Item]):
    """Takes items out of an iterator in a thread; at most ``depth`` of them wait.

    The items come out in their order, and what the iterator raises is raised in the caller after the items
    before it. Leaving the ``with`` block ends the thread, whatever is left; an iterator that can be closed
    (a generator) is closed in that thread.
    """

    def __init__(self, items: Iterator[Item], *, depth: int = 4, name: str = "read ahead") -> None:
        """Prepare the thread; ``with`` starts it.

        Args:
            items: where they come from. Nobody else may use it meanwhile.
            depth: how many may wait: 4 frames of 4K video are 50 MB.
            name: of the thread.

        Raises:
            ValueError: ``depth`` is below 1.
        """
        if depth < 1:
            raise ValueError(f"depth {depth}; it must be 1 or more")
        self._items = items
        self._waiting: queue.Queue[Item | _End] = queue.Queue(depth)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def __iter__(self) -> Iterator[Item]:
        """The items, once."""
        while not isinstance(item := self._waiting.get(), _End):
            yield item
        if item.error is not None:
            raise item.error

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._items:
                if not self._put(item):
                    return
        except BaseException as raised:  # it is raised again in the caller
            error = raised
        finally:
            close = getattr(self._items, "close", None)
            if close is not None:
                close()
        self._put(_End(error))

    def _put(self, item: Item | _End) -> bool:
        """Hand over ``item``; False where nobody wants it any more."""
        while not self._stop.is_set():
            try:
                self._waiting.put(item, timeout=_POLL_S)
            except queue.Full:
                continue
            return True
        return False


class _End:
    """Behind the last item."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error
