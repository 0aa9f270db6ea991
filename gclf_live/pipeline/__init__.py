"""The stages put together, once each: pictures, live, and video files in two passes."""
