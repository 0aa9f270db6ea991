"""Does every command work there? ``python -m benchmarks.environments [NAME...]`` prints a table.

Makes a wheel and a source archive, looks into both, installs into virtual environments outside the checkout
and runs ``tests/environment/every_command.py`` in each: every command, on files with difficult names.

Each environment installs torch, which is large; ``--borrow-torch SITE_PACKAGES`` takes it from there where
the Python is the same. A Python that is not on PATH is left out, with a word.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import click

ROOT = Path(__file__).parent.parent
DRIVER = ROOT / "tests" / "environment" / "every_command.py"
SAMPLES = ROOT / "samples"
EXTRAS = "export,serve,tables"
TORCH = ("torch", "torchgen", "torchvision", "nvidia", "triton", "functorch", "cuda")
"""What the folder of packages holds for torch, by the beginnings of the names."""


@dataclass(frozen=True, slots=True)
class Environment:
    """One place in which the commands are tried.

    Attributes:
        what: for the table.
        python: the interpreter that the virtual environment is made with.
        constraints: of pip, or None for the newest packages.
        opencv: a requirement that takes the place of ``opencv-python``, or empty.
        changes: of the variables of the process; None takes one away.
        launcher: what the command line begins with; ``{venv}`` stands for the virtual environment.
        source: install from the source archive instead of the wheel.
        torch_from: an index from which torch and torchvision come, before everything else; empty is pip's.
    """

    what: str
    python: str = sys.executable
    constraints: Path | None = None
    opencv: str = ""
    changes: dict[str, str | None] = field(default_factory=dict)
    launcher: tuple[str, ...] = ()
    source: bool = False
    torch_from: str = ""


NO_DISPLAY: dict[str, str | None] = {"DISPLAY": None, "WAYLAND_DISPLAY": None}
# In a view of the file system of its own, so that even root cannot write there.
READ_ONLY = """
export HOME="$PWD/home" && mkdir "$HOME" || exit 9
for place in "$HOME" "{venv}"; do
  mount --bind "$place" "$place" && mount -o remount,ro,bind "$place" || exit 9
  if touch "$place/written" 2>/dev/null; then exit 9; fi
done
exec "$@"
"""
ENVIRONMENTS = {
    "newest": Environment("the newest packages"),
    "lowest": Environment("the oldest packages, tests/lowest.txt", constraints=ROOT / "tests" / "lowest.txt"),
    "sdist": Environment("installed from the source archive", source=True),
    "bare": Environment(
        "locale C without UTF-8 mode, no HOME, no display",
        changes=NO_DISPLAY | {"LC_ALL": "C", "PYTHONUTF8": "0", "HOME": None},
    ),
    "read-only": Environment(
        "the installation and the home folder cannot be written to",
        changes=NO_DISPLAY,
        launcher=("unshare", "-m" if os.geteuid() == 0 else "-rm", "sh", "-c", READ_ONLY, "sh"),
    ),
    "one-core": Environment("one core", launcher=("taskset", "-c", "0")),
    "headless": Environment("opencv-python-headless", opencv="opencv-python-headless", changes=NO_DISPLAY),
    "no-cuda": Environment(
        "torch's build without CUDA", torch_from="https://download.pytorch.org/whl/cpu", changes=NO_DISPLAY
    ),
    "opencv-4.12": Environment("OpenCV 4.12", opencv="opencv-python==4.12.*"),
    "opencv-4": Environment("the newest OpenCV 4", opencv="opencv-python==4.*"),
    "python3.12": Environment("Python 3.12", python="python3.12"),
    "python3.13": Environment("Python 3.13", python="python3.13"),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one environment.

    Attributes:
        works: what did what it should.
        fails: what did not, with the end of its reason.
    """

    works: tuple[str, ...]
    fails: dict[str, str]


class Builder:
    """Makes the archives and the virtual environments, in a folder of their own."""

    def __init__(self, folder: Path, borrowed: Path | None) -> None:
        self._folder, self._borrowed = folder, borrowed
        self.wheel, self.sdist = self._archives()

    def install(self, name: str, environment: Environment) -> Path:
        """A new virtual environment with gclf-live in it.

        Returns:
            Its interpreter.

        Raises:
            click.ClickException: the Python is not there, or pip refuses.
        """
        interpreter = shutil.which(environment.python)
        if interpreter is None or not _runs(interpreter):
            raise click.ClickException(f"{environment.python} is not installed")
        venv = self._folder / name
        _call([interpreter, "-m", "venv", str(venv)])
        python = venv / "bin" / "python"
        pip = [str(python), "-m", "pip", "-q", "--disable-pip-version-check"]
        if environment.torch_from:
            _call([*pip, "install", "--index-url", environment.torch_from, *_torch_pair()])
        elif self._borrowed is not None and _version(python) == _version(Path(sys.executable)):
            self._lend(venv)
        archive = self.sdist if environment.source else self.wheel
        limits = ["-c", str(environment.constraints)] if environment.constraints else []
        _call([*pip, "install", *limits, f"{archive}[{EXTRAS}]"])
        _call([str(venv / "bin" / "gclf-live"), "--version"])
        if environment.opencv:
            # As docs/install.md says: both packages own the folder cv2, so the first one goes before.
            _call([*pip, "uninstall", "-y", "opencv-python", "opencv-python-headless"])
            _call([*pip, "install", environment.opencv])
        return python

    def _archives(self) -> tuple[Path, Path]:
        # In an environment of its own: it is no package that gclf-live needs.
        _call([sys.executable, "-m", "venv", str(self._folder / "build")])
        python = str(self._folder / "build" / "bin" / "python")
        _call([python, "-m", "pip", "-q", "--disable-pip-version-check", "install", "build"])
        _call([python, "-m", "build", "--outdir", str(self._folder / "dist"), str(ROOT)])
        (wheel,), (sdist,) = ((self._folder / "dist").glob(kind) for kind in ("*.whl", "*.tar.gz"))
        return wheel, sdist

    def _lend(self, venv: Path) -> None:
        """Let a virtual environment see torch, and nothing else, of another one's packages."""
        assert self._borrowed is not None
        lent = self._folder / "torch"
        if not lent.exists():
            lent.mkdir()
            for entry in self._borrowed.iterdir():
                if entry.name.startswith(TORCH):
                    (lent / entry.name).symlink_to(entry.resolve())
        (packages,) = venv.glob("lib/python*/site-packages")
        (packages / "borrowed_torch.pth").write_text(f"{lent}\n", "utf-8")


def missing_files(wheel: Path, sdist: Path) -> list[str]:
    """What should be in the archives, by what the checkout holds, and is not."""
    with zipfile.ZipFile(wheel) as archive:
        in_wheel = set(archive.namelist())
    with tarfile.open(sdist) as archive:
        in_sdist = {name.partition("/")[2] for name in archive.getnames()}
    wanted = _files("gclf_live")
    trainer = {name.removeprefix("train/") for name in _files("train/gclf_train")}
    source = wanted | _files("train", "tests", "samples", "docs", "benchmarks")
    source |= {entry.name for entry in ROOT.iterdir() if entry.suffix in {".md", ".toml"}} | {"LICENSE"}
    return [f"wheel: {name}" for name in sorted((wanted | trainer) - in_wheel)] + [
        f"sdist: {name}" for name in sorted(source - in_sdist)
    ]


def try_out(python: Path, environment: Environment, folder: Path) -> Outcome:
    """Run every command with ``python``, from ``folder``, which is empty."""
    launcher = [part.replace("{venv}", str(python.parent.parent)) for part in environment.launcher]
    command = [*launcher, str(python), str(DRIVER), str(SAMPLES), str(folder)]
    variables = dict(os.environ)
    # Nothing of the checkout may be imported.
    for name, value in ({"PYTHONPATH": None} | environment.changes).items():
        variables.pop(name, None)
        if value is not None:
            variables[name] = value
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    fails = {each["command"]: each["why"] for each in told if not each["ok"]}
    if not told or (done.returncode != 0 and not fails):
        fails["start"] = done.stderr[-2000:] or f"ended with {done.returncode}"
    return Outcome(tuple(each["command"] for each in told if each["ok"]), fails)


def _torch_pair() -> list[str]:
    """The releases of torch and torchvision that gclf-live asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return [each for each in project["dependencies"] if each.startswith("torch")]


def _files(*folders: str) -> set[str]:
    """The files that git knows, or would take, in these folders, by their path from the root."""
    listed = _call(["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", *folders])
    return {name for name in listed.splitlines() if (ROOT / name).is_file()}


def _call(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise click.ClickException(f"{' '.join(command)}: {(done.stderr or done.stdout)[-1500:]}")
    return done.stdout


def _runs(interpreter: str) -> bool:
    return subprocess.run([interpreter, "-c", ""], capture_output=True, check=False).returncode == 0


def _version(python: Path) -> str:
    return _call([str(python), "-c", "import sys; print(*sys.version_info[:2])"])


def _packages(python: Path) -> str:
    code = (
        "import platform, cv2, numpy, av, torch; "
        "print(platform.python_version(), *(each.__version__ for each in (cv2, numpy, av, torch)))"
    )
    return _call([str(python), "-c", code]).strip()


def _one(name: str, environment: Environment, builder: Builder, folder: Path) -> bool:
    """Try one environment and print its line. Returns whether all went well."""
    started_s = time.monotonic()
    try:
        python = builder.install(name, environment)
    except click.ClickException as error:
        click.echo(f"{name:<12} left out: {error.message}")
        return error.message.endswith("is not installed")
    work = folder / f"{name} files"
    work.mkdir()
    outcome = try_out(python, environment, work)
    count = len(outcome.works) + len(outcome.fails)
    took = f"{time.monotonic() - started_s:.0f} s"
    click.echo(
        f"{name:<12} {len(outcome.works)} of {count}  {_packages(python):<46} {took:>6}  {environment.what}"
    )
    for command, why in outcome.fails.items():
        click.echo(f"  {command}:\n{why}")
    return not outcome.fails


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(ENVIRONMENTS)))
@click.option(
    "--borrow-torch",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="SITE_PACKAGES",
    help="Take torch from this folder of packages where the Python is the same.",
)
def main(names: tuple[str, ...], borrow_torch: Path | None) -> None:
    """Print for each environment, all unless named, how many commands work in it."""
    with tempfile.TemporaryDirectory(prefix="gclf-environments-") as temporary:
        folder = Path(temporary)
        builder = Builder(folder, borrow_torch)
        missing = missing_files(builder.wheel, builder.sdist)
        click.echo(f"{builder.wheel.name}, {builder.sdist.name}: {len(missing)} files missing")
        for line in missing:
            click.echo(f"  {line}")
        click.echo("environment  commands  Python, OpenCV, NumPy, PyAV, torch")
        results = [_one(name, ENVIRONMENTS[name], builder, folder) for name in names or ENVIRONMENTS]
    raise SystemExit(0 if all(results) and not missing else 1)


if __name__ == "__main__":
    main()
