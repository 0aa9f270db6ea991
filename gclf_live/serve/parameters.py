"""What a request asks for besides its files, in the address or as fields of the form."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from starlette.requests import Request

from gclf_live.serve.answers import RequestError

_TRUE, _FALSE = {"true", "1", "on", "yes"}, {"false", "0", "off", "no", ""}
_SHOWN = 50
_FILE, _TOKEN = "file", "token"


class Parameters:
    """Values by name; a name that nobody knows is refused, as it would be a misspelt one."""

    def __init__(self, request: Request, known: Collection[str]) -> None:
        """Take those in the address.

        Args:
            request: whose body may not be there yet.
            known: what may be asked for.

        Raises:
            RequestError: something else is asked for, or for a value that cannot be.
        """
        self._known = known
        self._values: dict[str, str] = {}
        # The token is the gate's.
        self._take((name, value) for name, value in request.query_params.multi_items() if name != _TOKEN)
        # Before a body of 2 GB has come.
        self.threshold(0.0)
        self.privacy()

    def take_form(self, fields: Mapping[str, str]) -> None:
        """Take those in a form; they come before those in the address. Raises as the constructor does."""
        # Text where the file should be has its own error: none was sent.
        self._take((name, value) for name, value in fields.items() if name != _FILE)

    def threshold(self, usual: float) -> float:
        """Confidence below which a face is unsure; ``usual`` unless given. Raises RequestError."""
        text = self._values.get("threshold", "")
        try:
            value = float(text) if text else usual
        except ValueError:
            value = -1.0
        if not 0 <= value <= 1:
            raise RequestError(422, f"threshold is {text[:_SHOWN]!r}; allowed is a number from 0 to 1")
        return value

    def privacy(self) -> bool:
        """Whether faces are to be made unrecognisable; False unless given. Raises RequestError."""
        text = self._values.get("privacy", "").lower()
        if text not in _TRUE | _FALSE:
            raise RequestError(422, f"privacy is {text[:_SHOWN]!r}; allowed are true and false")
        return text in _TRUE

    def _take(self, pairs: Iterable[tuple[str, str]]) -> None:
        for name, value in pairs:
            if name not in self._known:
                allowed = " and ".join(sorted(self._known))
                raise RequestError(422, f"there is no parameter {name[:_SHOWN]!r}; allowed: {allowed}")
            self._values[name] = value
