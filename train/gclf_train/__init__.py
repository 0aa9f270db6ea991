"""Building the checkpoint that gclf-live runs."""
