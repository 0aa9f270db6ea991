"""The first thing that a worker process of an archive runs: nothing heavy is loaded yet."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from multiprocessing.connection import Connection

from gclf_live.errors import GclfError
from gclf_live.memory_limit import is_short_of_memory, what_to_do


@dataclass(frozen=True, slots=True)
class Refused:
    """The worker cannot be used: class in ``errors`` and message."""

    kind: str
    error: str


def work(connection: Connection, setup: bytes) -> None:
    """Do tasks until the parent ends this process, or is gone.

    Args:
        connection: to the parent.
        setup: the pickled ``Setup``: to unpickle it loads everything, and loading may fail.
    """
    try:
        from gclf_live.archive.local import serve

        serve(connection, pickle.loads(setup))
    except Exception as error:
        if not is_short_of_memory(error):
            raise
        why = f"a worker process got too little memory. {what_to_do()}"
        connection.send(Refused(GclfError.__name__, why))
