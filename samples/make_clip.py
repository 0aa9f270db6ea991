"""Build the sample clip and its truth table from the portraits: ``python -m samples.make_clip``.

The same portraits give the same pictures and the same table; the bytes of the mp4 also depend on the
version of the encoder.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import click
import numpy as np
from av.video.reformatter import Colorspace

from gclf_live.records import F32, U8
from gclf_live.whole_file import whole_file

from .clip_cast import HERE, load_cast, outline
from .clip_draw import Stage
from .clip_scene import FPS, FRAMES, HEIGHT_PX, WIDTH_PX
from .clip_sound import RATE_HZ, soundtrack
from .clip_truth import truth, write_truth

_BT709 = 1


@click.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=HERE,
    help="Folder for clip.mp4 and clip_truth.csv; samples/ unless given.",
)
@click.option(
    "--crf", type=click.IntRange(0, 51), default=23, show_default=True, help="x264 quality; lower is better."
)
def main(output: Path, crf: int) -> None:
    """Build clip.mp4 and clip_truth.csv from the portraits."""
    output.mkdir(parents=True, exist_ok=True)
    people = load_cast()
    outlines = {name: outline(portrait) for name, portrait in people.items()}
    rows = list(truth(people, outlines))
    write_truth(rows, output / "clip_truth.csv")
    stage = Stage(people, outlines)
    pictures = (stage.draw(frame) for frame in range(FRAMES))
    write_clip(output / "clip.mp4", pictures, soundtrack(FRAMES / FPS), crf=crf)
    click.echo(f"{output / 'clip.mp4'}: {FRAMES} frames, {len(rows)} rows of truth")


def write_clip(
    path: Path,
    pictures: Iterable[U8],
    sound: F32,
    *,
    size: tuple[int, int] = (WIDTH_PX, HEIGHT_PX),
    crf: int = 23,
    preset: str = "medium",
) -> None:
    """Encode pictures at 30 fps and stereo sound as H.264 and AAC; ``path`` appears whole or not at all.

    Args:
        path: the mp4 file.
        pictures: uint8, shape (height, width, 3), BGR.
        sound: float32, shape (2, N), at 48 kHz. What lasts longer than the pictures is left out.
        size: width and height of the pictures.
        crf: x264's quality.
        preset: x264's speed.
    """
    # One thread: x264's bytes depend on how many there are.
    options = {"crf": str(crf), "preset": preset, "threads": "1"}
    with whole_file(path, overwrite=True) as part:
        _encode(part, pictures, sound, size=size, options=options)


def _encode(
    path: Path, pictures: Iterable[U8], sound: F32, *, size: tuple[int, int], options: dict[str, str]
) -> None:
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        video = container.add_stream("libx264", rate=FPS, options=options)
        video.width, video.height = size
        video.pix_fmt = "yuv420p"
        context = video.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        audio = container.add_stream("aac", rate=RATE_HZ, layout="stereo", options={"b": "128k"})
        for i, picture in enumerate(pictures):
            container.mux(video.encode(_video_frame(picture, i)))
            # One picture's worth of sound after each picture keeps the file well interleaved.
            container.mux(audio.encode(_audio_frame(sound, i)))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


def _video_frame(picture: U8, index: int) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
    frame = frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)
    frame.pts, frame.time_base = index, Fraction(1, FPS)
    return frame


def _audio_frame(sound: F32, index: int) -> av.AudioFrame:
    step = RATE_HZ // FPS
    samples = np.ascontiguousarray(sound[:, index * step : (index + 1) * step])
    frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, index * step, Fraction(1, RATE_HZ)
    return frame


if __name__ == "__main__":
    main()
