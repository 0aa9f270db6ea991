"""How the threads of a library wait for one another."""

from __future__ import annotations

import os

SPINS = 1000
"""How often a thread looks for another before it sleeps; ``benchmarks.waiting`` compares it with others."""


def wait_briefly() -> None:
    """Let a thread of OpenMP that waits for another look some times, then sleep; before torch is loaded.

    Left alone, libgomp looks 300,000 times (its manual, ``GOMP_SPINCOUNT``). Where other programs want the
    processors too, the thread that is waited for does not get the one that the waiting thread holds: beside
    two busy ones a crop then takes 424 ms instead of 12 (``benchmarks.waiting``). To sleep at once costs time
    on an idle machine. What the environment says holds (``GOMP_SPINCOUNT``, ``OMP_WAIT_POLICY``).
    """
    if not os.environ.keys() & {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"}:
        os.environ["GOMP_SPINCOUNT"] = str(SPINS)
