"""Prints docs/licences.md: ``python -m benchmarks.licences > docs/licences.md``.

The licences are what the installed packages say of themselves, so all extras must be installed:
``pip install -e '.[export,ray,serve,tables]'``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import click
from packaging.requirements import Requirement

from gclf_live.assets import DETECTOR, SHA256, WEIGHTS

ROOT = Path(__file__).parent.parent
EXTRAS = ("export", "ray", "serve", "tables")
_LONGEST = 120
_TERMS = {
    DETECTOR: "MIT",
    WEIGHTS: "research and evaluation only, see [MODEL_CARD.md](../MODEL_CARD.md)",
}
_HEAD = """# Licences

The code of gclf-live is under the MIT licence. This page is printed by `python -m benchmarks.licences`; it
says what the files and packages say of themselves, and is no legal advice.

## Files that come with gclf-live

| file | licence | SHA-256 |
|---|---|---|
"""
_SAMPLES = """
The licences lie beside the files. The pictures in `samples/` are in the source archive alone;
[samples/README.md](../samples/README.md) has the terms of each.

## Packages that it needs

Installed by pip from where you let it look; gclf-live contains none of them. An extra's packages come with
`pip install '.[EXTRA]'`. NVIDIA's are not needed where torch was built without CUDA.

| package | licence | for |
|---|---|---|
"""
_BROUGHT = """
## Libraries inside their wheels

What a package's wheel for Linux brings along as shared libraries, which have licences of their own. The ones
to know of are x264 and x265 in PyAV's FFmpeg: they are under the GPL, and so is FFmpeg built with them.
Whoever only uses gclf-live need do nothing about it; whoever passes on a program or an image with this wheel
inside passes on GPL software. `pip install --no-binary av av` builds PyAV on the system's own FFmpeg instead.

| package | libraries |
|---|---|
"""


def needed(extras: tuple[str, ...] = EXTRAS) -> dict[str, str]:
    """The packages that gclf-live needs here, directly or not, by name; each with what it is needed for."""
    found: dict[str, str] = {}
    for extra in ("", *extras):
        queue = list(_ours(extra))
        while queue:
            requirement = queue.pop()
            name = plain_name(requirement.name)
            if name not in found:
                found[name] = extra or "all"
                queue += _requirements(name, set(requirement.extras) | {""})
    return dict(sorted(found.items()))


def licence(package: str) -> str:
    """What an installed package says of its licence, on one line.

    Raises:
        click.ClickException: it is not installed.
    """
    about = _distribution(package).metadata
    classes = [each.rpartition(" :: ")[2] for each in about.get_all("Classifier", []) if "License ::" in each]
    # Some give the whole text as their licence.
    written = [*about.get_all("License-Expression", []), *about.get_all("License", [])]
    stated = next((each.strip() for each in written if len(each.strip()) <= _LONGEST), "")
    return stated or ", ".join(classes) or "see the package"


def brought_along(package: str) -> list[str]:
    """The shared libraries in a package's wheel that are not its own, without version and hash."""
    files = _distribution(package).files or []
    names = {file.name for file in files if file.parts[0].endswith(".libs") and ".so" in file.name}
    return sorted({re.split(r"[-.]", name.removeprefix("lib"), maxsplit=1)[0] for name in names})


def plain_name(name: str) -> str:
    """A package's name as the packaging standard compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def page() -> Iterator[str]:
    """The page, in Markdown, line by line."""
    yield _HEAD.rstrip("\n")
    for name, digest in sorted(SHA256.items()):
        yield f"| `{name}` | {_TERMS[name]} | `{digest}` |"
    yield _SAMPLES.rstrip("\n")
    packages = needed()
    for name, reason in packages.items():
        yield f"| {name} | {licence(name)} | {reason} |"
    yield _BROUGHT.rstrip("\n")
    for name in packages:
        libraries = brought_along(name)
        if libraries:
            yield f"| {name} | {', '.join(libraries)} |"


def _ours(extra: str) -> Iterator[Requirement]:
    """What pyproject.toml names, for all or for an extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    yield from map(Requirement, project["optional-dependencies"][extra] if extra else project["dependencies"])


def _requirements(package: str, extras: set[str]) -> Iterator[Requirement]:
    """What an installed package needs here, with these extras of its own."""
    for requirement in map(Requirement, _distribution(package).requires or []):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras):
            yield requirement


def _distribution(package: str) -> metadata.Distribution:
    try:
        return metadata.distribution(package)
    except metadata.PackageNotFoundError as error:
        raise click.ClickException(
            f"{package} is not installed; pip install -e '.[{','.join(EXTRAS)}]' and run this again"
        ) from error


@click.command()
def main() -> None:
    """Print the licences of all files and packages as a page of the documentation."""
    for line in page():
        click.echo(line)


if __name__ == "__main__":
    main()
