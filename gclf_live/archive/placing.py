"""The outputs of one input in the output folder: whether they are up to date, and how they get there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from gclf_live.archive.audited import audit_of
from gclf_live.archive.history import History
from gclf_live.archive.identity import Keys
from gclf_live.archive.names import Places
from gclf_live.archive.options import ArchiveOptions
from gclf_live.errors import OutputError


class Placement:
    """The outputs that are asked for of one input.

    Attributes:
        keys: what each of them depends on, by its name relative to the output folder; in the order in which
            they get their places.
    """

    def __init__(self, places: Places, keys: Keys, options: ArchiveOptions, history: History) -> None:
        names = places.outputs(options)
        self.keys = {name: keys.drawn if name == places.name else keys.measured for name in names}
        self._places, self._options, self._history = places, options, history

    @property
    def paths(self) -> tuple[Path, ...]:
        """Where they are once they are finished."""
        return tuple(self._options.output / name for name in self.keys)

    def is_finished(self) -> bool:
        """Whether all are there as they would be made now."""
        return self._history.is_finished(self._options.output, self.keys)

    def check_free(self) -> None:
        """Nothing may be lost that no run can bring back: a user's file or change, an audit.

        Raises:
            OutputError: there is one, and nobody said that it may be replaced.
        """
        if self._options.overwrite:
            return
        for name in self.in_the_way():
            path = self._options.output / name
            if name not in self._history.owned:
                raise OutputError(
                    f"{str(path)!r} exists already, and no run into this folder wrote it. "
                    "Add --overwrite to replace it, or choose another folder"
                )
            if self._history.is_altered(self._options.output, name):
                raise OutputError(
                    f"{str(path)!r} is not as it was written: its size is another. Delete it, or add "
                    "--overwrite, and it is made again"
                )
            if (audit := audit_of(path, self._options.output)) is not None:
                raise OutputError(
                    f"{str(path)!r} would be replaced, and the answers in {str(audit)!r} are about it: "
                    "settings, weights, gclf-live or the input have changed since. Choose another folder, or "
                    "add --overwrite to replace it"
                )

    def to_place(self) -> list[str]:
        """Names of the outputs that are not there, were altered, or made otherwise or of another input.

        The others stay as they are, byte for byte: an audit knows a result by its bytes, and these say, too,
        which gclf-live wrote them.
        """
        folder = self._options.output
        return [name for name, key in self.keys.items() if not self._history.is_as_made(folder, name, key)]

    def in_the_way(self) -> list[str]:
        """Those of ``to_place`` whose place is taken."""
        return [name for name in self.to_place() if (self._options.output / name).exists()]

    def place(self, staged: Path, names: Iterable[str]) -> None:
        """Move outputs out of the folder ``staged``, each in one step.

        Raises:
            OutputError: the system does not let them be moved.
        """
        try:
            for path in (self._options.output / name for name in names):
                path.parent.mkdir(parents=True, exist_ok=True)
                (staged / path.name).replace(path)
        except OSError as error:
            target = self._options.output / self._places.name
            raise OutputError(
                f"cannot write to {str(target)!r}: {error.strerror}. Choose another folder"
            ) from error

    def sizes(self) -> dict[str, int]:
        """Bytes of the outputs that are there, by name."""
        return {name: path.stat().st_size for name, path in zip(self.keys, self.paths, strict=True)}

    def stale(self) -> Iterator[str]:
        """One line for each output that an earlier run with other options has left."""
        for name in self._places.all_outputs():
            path = self._options.output / name
            if name not in self.keys and name in self._history.owned and path.exists():
                yield f"{str(path)!r} is from an earlier run with other options; it is left as it is"
