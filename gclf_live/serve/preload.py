"""Imported by the process that children are forked from, and by nobody else: it loads what they need."""

from __future__ import annotations

import atexit
import os

from gclf_live.serve import work

__all__ = ["work"]

# This process has nothing to tidy up, and the libraries' own tidying would hold up the end of the server.
atexit.register(os._exit, 0)
