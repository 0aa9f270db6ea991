"""From single predictions to one steady label a track."""
