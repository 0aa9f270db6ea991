"""Finding faces, following them, noticing shot cuts and judging crops."""
