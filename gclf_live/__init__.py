"""Label faces, live or in recorded video, by how they are perceived, and say how sure the label is."""

__version__ = "0.1.0"
