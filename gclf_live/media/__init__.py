"""Getting frames in and out: cameras, streams, files, pictures."""
