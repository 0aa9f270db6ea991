"""The API's description as one page without script: made from the OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

STYLE = """\
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2rem; } h3 { margin-bottom: 0; } code { font-size: 0.95em; }
.method { display: inline-block; min-width: 4.5rem; } dd { margin-left: 1.5rem; }
"""
_LIVE = (
    "Send each frame as one binary JPEG; each labelled frame is answered by one JSON text: frame (its "
    "number among those sent, from 0), width_px, height_px, faces (as predict, with track_id), latency_ms "
    "and dropped. "
    'Only the newest frame is looked at. The text {"threshold": 0.8} sets the threshold of the connection.'
)


def render_docs(document: Mapping[str, Any]) -> str:
    """The page: HTML.

    Args:
        document: OpenAPI 3.
    """
    title = escape(f"{document['info']['title']} {document['info']['version']}")
    body = "\n".join(
        [
            f"<h1>{title}</h1>",
            f"<p>{escape(document['info'].get('description', ''))}</p>",
            '<p>For programs: <a href="/openapi.json">openapi.json</a>.</p>',
            *_operations(document),
            '<h2>live</h2><h3><code><span class="method">WS</span> /v1/live</code></h3>',
            f"<p>{escape(_LIVE)}</p>",
        ]
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{title}</title>\n<link rel="icon" href="/static/icon.svg">\n'
        '<link rel="stylesheet" href="/docs/style.css">\n</head>\n'
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _operations(document: Mapping[str, Any]) -> Iterator[str]:
    shown = ""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            tag = next(iter(operation.get("tags", ())), "other")
            if tag != shown:
                shown = tag
                yield f"<h2>{escape(tag)}</h2>"
            name = f'<span class="method">{escape(method.upper())}</span> {escape(path)}'
            yield f"<h3><code>{name}</code></h3>"
            yield f"<p>{_with_code(operation.get('description', ''))}</p>"
            yield from _inputs(operation)


def _with_code(text: str) -> str:
    """A docstring as HTML."""
    return re.sub(r"``(.+?)``", r"<code>\1</code>", escape(text))


def _inputs(operation: Mapping[str, Any]) -> Iterator[str]:
    rows = [
        (f"{each['name']} ({each['in']})", each.get("description", ""))
        for each in operation.get("parameters", ())
    ]
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        names = content["schema"].get("properties")
        rows.append((f"body: {kind}", f"fields: {', '.join(names)}" if names else "the file as it is"))
    if rows:
        items = "".join(f"<dt><code>{escape(n)}</code></dt><dd>{escape(text)}</dd>" for n, text in rows)
        yield f"<dl>{items}</dl>"
