"""How the report's page looks: light, dark and on paper."""

from __future__ import annotations

from collections.abc import Sequence

from gclf_live.screentime.timeline import EXCLUDED

_COLOURS = 6
"""Classes that have a colour of their own; further ones begin again."""

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #222; --soft: #5a5a5a; --faint: #d9d9d9;
  --class-0: #c2571a; --class-1: #2b6ca3; --class-2: #3a7d44; --class-3: #7b4ea3; --class-4: #a3892b;
  --class-5: #2b9aa3; --unsure: #8a8a8a; --excluded: #c9c9c9; --warn: #fff4d6; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #16181b; --ink: #e4e4e4; --soft: #a5a5a5; --faint: #3a3d41;
  --class-0: #e8874f; --class-1: #6aa9dd; --class-2: #72b97d; --class-3: #b18cd6; --class-4: #d3b95c;
  --class-5: #5fc4cd; --unsure: #9a9a9a; --excluded: #55585c; --warn: #3d3415; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; overflow-wrap: anywhere; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; }
p.lead { font-size: 1.05rem; overflow-wrap: anywhere; } p.note { color: var(--soft); margin: .2rem 0 .8rem; }
table { border-collapse: collapse; margin-bottom: .8rem; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
th, td { padding: .22rem .7rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--faint); }
th:first-child, td:first-child { text-align: left; }
table.videos td, table.videos th { padding: .22rem .45rem; }
table.videos td:first-child { white-space: normal; overflow-wrap: anywhere; min-width: 9rem; }
table.method th { vertical-align: top; font-weight: 600; }
table.method td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
figure { margin: 0; } figcaption { color: var(--soft); font-size: .85rem; overflow-wrap: anywhere; }
.plot { max-width: 100%; margin: .4rem 0; } .plot svg { max-width: 100%; height: auto; display: block; }
.swatch { display: inline-block; width: .75em; height: .75em; border-radius: 2px; margin-right: .4em; }
.legend > span { margin-right: 1.2em; white-space: nowrap; }
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(104px, 1fr)); gap: .8rem; }
.sheet img { width: 96px; height: 96px; object-fit: contain; display: block; }
.sheet figcaption { line-height: 1.3; font-size: .78rem; }
td.parts { min-width: 7rem; } td.parts i { display: inline-block; height: .8em; vertical-align: middle; }
.warning { background: var(--warn); padding: .4rem 1rem; overflow-wrap: anywhere; }
.warning p { margin: .2rem 0; }
.class-0 { background: var(--class-0); } .class-1 { background: var(--class-1); }
.class-2 { background: var(--class-2); } .class-3 { background: var(--class-3); }
.class-4 { background: var(--class-4); } .class-5 { background: var(--class-5); }
.unsure { background: var(--unsure); } .excluded { background: var(--excluded); }
@media screen and (max-width: 40rem) {
  body { margin: 1rem auto; }
  th, td { padding: .22rem .4rem; }
  .plot { overflow-x: auto; } .plot svg { max-width: none; min-width: 100%; }
  table.method th, table.method td { display: block; white-space: normal; }
  table.method th { border-bottom: 0; padding-bottom: 0; }
}
@media print {
  :root { color-scheme: light; --paper: #fff; --ink: #000; --soft: #333; --faint: #ccc;
    --class-0: #c2571a; --class-1: #2b6ca3; --class-2: #3a7d44; --class-3: #7b4ea3; --class-4: #a3892b;
    --class-5: #2b9aa3; --unsure: #8a8a8a; --excluded: #c9c9c9; --warn: #fff; }
  @page { margin: 15mm; }
  body { font-size: 10pt; max-width: none; margin: 0; padding: 0; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  h2, h2 + p.note, .legend { break-after: avoid; }
  figure, tr, .whole, .warning { break-inside: avoid; }
  .wide { overflow: visible; } table.videos { font-size: 8pt; }
  table.videos td, table.videos th { padding: .1rem .3rem; }
  table.videos th { white-space: normal; }
  .sheet { grid-template-columns: repeat(8, 1fr); gap: .5rem; } .sheet img { width: 72px; height: 72px; }
  .sheet figcaption { font-size: 6.5pt; }
}
"""


def swatch(classes: Sequence[str], name: str) -> str:
    """A small square in the colour of a class, of ``unsure`` or of ``excluded``."""
    return f'<span class="swatch {swatch_name(classes, name)}"></span>'


def swatch_name(classes: Sequence[str], name: str) -> str:
    """The style's name of that colour."""
    if name in classes:
        return f"class-{list(classes).index(name) % _COLOURS}"
    return "excluded" if name == EXCLUDED else "unsure"
