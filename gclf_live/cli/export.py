"""``gclf-live export``: the classifier for programs without torch."""

from __future__ import annotations

from pathlib import Path

import click

from gclf_live.cli.options import weights_option
from gclf_live.errors import UsageError


@click.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="MODEL.onnx",
    help="The file to write. Default: the name of the weights, in this folder.",
)
@weights_option
@click.option(
    "--half", is_flag=True, help="Half-precision weights: half the bytes. Input and output stay float32."
)
@click.option("--overwrite", is_flag=True, help="Replace the file if it exists.")
def export(output: Path | None, weights: Path | None, half: bool, overwrite: bool) -> None:
    """Write the classifier as an ONNX file.

    Its input is RGB crops with values from 0 to 255; normalisation and softmax are inside. Classes, crop and
    terms are in its metadata. The file is held against torch before it gets its name, and refused if its
    answers differ. Needs two more packages: pip install onnx onnxruntime.
    """
    from gclf_live.model.checkpoint import default_weights_path, load_checkpoint
    from gclf_live.model.export import export_onnx
    from gclf_live.whole_file import check_output, whole_file

    weights = weights or default_weights_path()
    target = output or Path(f"{weights.stem}.onnx")
    if target.suffix.lower() != ".onnx":
        raise UsageError(f"cannot write {str(target)!r}: allowed is a name that ends in .onnx")
    check_output(target, overwrite=overwrite)
    checkpoint = load_checkpoint(weights)
    model = export_onnx(checkpoint, half=half)
    with whole_file(target, overwrite=overwrite, parents=True) as part:
        part.write_bytes(model.content)
    meta, side = checkpoint.meta, checkpoint.meta.crop.size_px
    click.echo(
        f"{target}: {meta.architecture}, {', '.join(meta.classes)}; input Nx3x{side}x{side} RGB 0..255; "
        f"{len(model.content) / 1e6:.1f} MB in {'float16' if half else 'float32'}; "
        f"within {model.difference:.1g} of torch (allowed {model.tolerance:g})"
    )
