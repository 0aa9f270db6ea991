"""The whole files that ``benchmarks.fuzz`` mutates: small ones of every format that is read."""

from __future__ import annotations

import io
import pickle
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.corpus_makers import Sound, encode, pictures
from gclf_live.geometry import CropSpec
from gclf_live.model.checkpoint import Checkpoint, CheckpointMeta, load_checkpoint, save_checkpoint
from gclf_live.model.networks import build_network

_SIZE = (160, 90)


@dataclass(frozen=True, slots=True)
class Seed:
    """A whole file."""

    suffix: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of files.

    Attributes:
        name: what they are.
        count: how many mutated ones are asked for.
        make: writes whole ones into a folder, if it needs one, and gives them.
    """

    name: str
    count: int
    make: Callable[[Path], Iterator[Seed]]


def make_seeds(kind: Kind, folder: Path) -> Sequence[Seed]:
    """The whole files of a kind, and ``weights.safetensors`` in the folder."""
    _save_weights(folder / "weights.safetensors")
    return list(kind.make(folder))


def _save_weights(path: Path) -> None:
    """A checkpoint of random weights for crops of 32 px."""
    torch.manual_seed(1)
    meta = CheckpointMeta(
        architecture="resnet18",
        classes=("female", "male"),
        crop=CropSpec(32, 1.15),
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
    )
    save_checkpoint(path, Checkpoint(meta, build_network("resnet18", 2).state_dict()))


def _pictures(folder: Path) -> Iterator[Seed]:
    image = Image.fromarray(np.ascontiguousarray(pictures(count=1)[0][:, :, ::-1]))
    small = image.resize(_SIZE)
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation
    ways: tuple[tuple[str, str, Image.Image, dict[str, object]], ...] = (
        (".jpg", "JPEG", image, {"exif": exif}),
        (".jpg", "JPEG", image, {"progressive": True, "quality": 60}),
        (".jpg", "JPEG", small.convert("CMYK"), {}),
        (".png", "PNG", small, {}),
        (".png", "PNG", small.convert("P"), {}),
        (".png", "PNG", small.convert("RGBA"), {"exif": exif}),
        (".png", "PNG", small.convert("I;16"), {}),
        (".webp", "WEBP", image, {}),
        (".webp", "WEBP", small, {"lossless": True}),
        (".bmp", "BMP", small, {}),
        (".gif", "GIF", small, {"save_all": True, "append_images": [small.rotate(5)]}),
        (".tif", "TIFF", small, {"compression": "tiff_lzw"}),
        (".tif", "TIFF", small, {"compression": "tiff_adobe_deflate"}),
        (".tif", "TIFF", small.convert("1"), {"compression": "group4"}),
        (".tif", "TIFF", small.convert("F"), {}),
        (".jp2", "JPEG2000", small, {}),
        (".avif", "AVIF", small, {}),
        (".ppm", "PPM", small, {}),
        (".jpg", "ICO", small, {}),  # formats are told by content, not by name
        (".jpg", "TGA", small, {}),
        (".jpg", "PCX", small, {}),
        (".jpg", "EPS", small, {}),
        (".jpg", "SGI", small, {}),
        (".jpg", "DDS", small, {}),
    )
    for suffix, form, picture, options in ways:
        buffer = io.BytesIO()
        picture.save(buffer, form, **options)
        yield Seed(suffix, buffer.getvalue())


def odd_picture(draw: random.Random) -> bytes:
    """A whole picture of a size that nobody has: a line, a point, a tile, or many megapixels."""
    side = draw.choice((1, 3, 17, 300))
    sizes = ((1, side), (side, 65_500), (65_500, side), (side, side), (9000, 9000), (20_000, side))
    buffer = io.BytesIO()
    Image.new(draw.choice(("RGB", "L")), draw.choice(sizes)).save(buffer, draw.choice(("JPEG", "PNG")))
    return buffer.getvalue()


def _videos(folder: Path) -> Iterator[Seed]:
    shown, silent = pictures(_SIZE, 6), ()
    opus, pcm = (Sound(0.2, "libopus"),), (Sound(0.2, "pcm_s16le"),)
    keys = {"preset": "ultrafast", "x264-params": "keyint=3"}
    millisecond = Fraction(1, 1000)
    ways: tuple[tuple[str, dict[str, object]], ...] = (
        (".mp4", {"sounds": (Sound(0.2),), "codec_options": keys,
                  "muxer_options": {"movflags": "+faststart"}}),
        (".mov", {"sounds": pcm, "codec": "prores_ks", "pix_fmt": "yuv422p10le"}),
        (".mkv", {"sounds": (Sound(0.2, "flac"),), "codec_options": keys, "base": millisecond,
                  "ticks": [0, 33, 67, 100, 133, 167]}),
        (".webm", {"sounds": opus, "codec": "libvpx", "base": millisecond,
                   "ticks": [0, 33, 67, 100, 133, 167]}),
        (".avi", {"sounds": pcm, "codec": "mpeg4"}),
        (".avi", {"sounds": silent, "codec": "mjpeg", "pix_fmt": "yuvj420p"}),
        (".ts", {"sounds": (Sound(0.2, "mp2"),), "codec_options": keys}),
        (".mpg", {"sounds": (Sound(0.2, "mp2"),), "codec": "mpeg2video"}),
        (".gif", {"sounds": silent, "codec": "gif", "pix_fmt": "rgb8"}),
        (".mp4", {"sounds": silent, "codec": "libx265",
                  "codec_options": {"preset": "ultrafast", "x265-params": "log-level=none:pools=1"}}),
        (".mkv", {"sounds": silent, "codec": "ffv1"}),
        (".flv", {"sounds": (Sound(0.2),), "codec_options": keys}),
    )  # fmt: skip
    for i, (suffix, how) in enumerate(ways):
        path = encode(folder / f"seed{i}{suffix}", shown, **how)  # type: ignore[arg-type]
        yield Seed(suffix, path.read_bytes())


def _checkpoints(folder: Path) -> Iterator[Seed]:
    """A checkpoint of ours, the beginning of it, and pickles of other tools."""
    content = (folder / "weights.safetensors").read_bytes()
    header = 8 + int.from_bytes(content[:8], "little")
    yield Seed(".safetensors", content)
    yield Seed(".safetensors", content[: header + 4096])  # nearly every mutation hits the header
    state = load_checkpoint(folder / "weights.safetensors").state
    few = {name: tensor for name, tensor in state.items() if tensor.numel() < 600}
    for is_zip in (True, False):
        for saved in ({"state_dict": few}, few | {"fc.weight": state["fc.weight"]}):
            buffer = io.BytesIO()
            torch.save(saved, buffer, _use_new_zipfile_serialization=is_zip)
            yield Seed(".pth", buffer.getvalue())
    yield Seed(".pth", pickle.dumps({name: tensor.numpy() for name, tensor in few.items()}, protocol=2))


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("pictures", 2000, _pictures),
        Kind("videos", 500, _videos),
        Kind("checkpoints", 500, _checkpoints),
    )
}
