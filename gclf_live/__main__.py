"""``python -m gclf_live``."""

from gclf_live.cli import main

main()
