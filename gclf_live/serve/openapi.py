"""What the OpenAPI document says of what is read by hand: bodies as they come, and parameters."""

from __future__ import annotations

from typing import Any

_FILE = {"type": "string", "format": "binary"}
_THRESHOLD = {
    "type": "number",
    "minimum": 0,
    "maximum": 1,
    "description": "Confidence below which a face is unsure.",
}
_PRIVACY = {"type": "boolean", "description": "Faces are made unrecognisable; sums alone are kept."}


def _in_address(**schemas: dict[str, Any]) -> list[dict[str, Any]]:
    """Parameters that may also stand in the address, for files that are sent as the body."""
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "schema": {key: value for key, value in schema.items() if key != "description"},
            "description": schema["description"],
        }
        for name, schema in schemas.items()
    ]


PICTURE_BODY: dict[str, Any] = {
    "parameters": _in_address(threshold=_THRESHOLD),
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "array", "items": _FILE}, "threshold": _THRESHOLD},
                }
            },
            "image/*": {"schema": _FILE},
        },
    },
}
VIDEO_BODY: dict[str, Any] = {
    "parameters": _in_address(threshold=_THRESHOLD, privacy=_PRIVACY),
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": _FILE,
                        "threshold": _THRESHOLD,
                        "privacy": _PRIVACY,
                    },
                }
            },
            "video/*": {"schema": _FILE},
        },
    },
}
