"""Networks, checkpoint files and the batched half-precision classifier."""
