"""Scripts that print the figures of the documentation, with the machine that they were measured on."""
