"""What the OpenAPI document says of bodies that are read as they come."""

from __future__ import annotations

from typing import Any

_FILE = {"type": "string", "format": "binary"}
PICTURE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "array", "items": _FILE}},
                }
            },
            "image/*": {"schema": _FILE},
        },
    }
}
VIDEO_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": _FILE,
                        "threshold": {"type": "number", "minimum": 0, "maximum": 1},
                        "privacy": {"type": "boolean"},
                    },
                }
            },
            "video/*": {"schema": _FILE},
        },
    }
}
