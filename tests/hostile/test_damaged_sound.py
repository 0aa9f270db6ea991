"""Sound that is damaged costs itself, never the video."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av

from benchmarks.corpus_check import facts
from benchmarks.corpus_makers import Sound, encode, pictures
from gclf_live.media.reader import VideoReader
from gclf_live.media.writer import VideoWriter


def copied(source: Path, target: Path) -> tuple[str, ...]:
    """Copy a video frame by frame with its sound; what the user is told."""
    with VideoReader(source) as reader, VideoWriter.like(reader, target) as writer:
        for frame in reader:
            writer.write(frame.image, frame.pts_s)
    return tuple(writer.notes)


def test_clock_of_the_sound_that_jumps_by_months_ends_the_sound_only(tmp_path: Path) -> None:
    source, first = tmp_path / "in.mkv", encode(tmp_path / "first.mkv", pictures((160, 90)))
    with av.open(first) as given, av.open(source, "w") as output:
        streams = {s.index: output.add_stream_from_template(s) for s in given.streams}
        number = 0
        for packet in given.demux():
            if packet.dts is None or packet.pts is None or packet.time_base is None:
                continue
            if packet.stream.type == "audio":
                number += 1
                if number > 10:
                    late = round(Fraction(5_000_000) / packet.time_base)
                    packet.dts, packet.pts = packet.dts + late, packet.pts + late
            packet.stream = streams[packet.stream.index]
            output.mux(packet)
    assert copied(source, tmp_path / "out.mp4") == ("sound has damaged pieces, which were left out",)
    found = facts(tmp_path / "out.mp4")
    assert len(found.times_s) == 15
    assert 0.15 < found.sounds_s[0] < 0.3


def test_clock_of_the_sound_that_hardly_moves_ends_the_sound_only(tmp_path: Path) -> None:
    source = encode(tmp_path / "in.mp4", pictures((160, 90)))
    whole = source.read_bytes()
    clock = whole.rindex(b"mdhd") + 16  # version and flags, two times, then ticks a second
    assert int.from_bytes(whole[clock : clock + 4], "big") == 48_000
    source.write_bytes(whole[:clock] + (2**30 + 48_000).to_bytes(4, "big") + whole[clock + 4 :])
    assert "sound has damaged pieces, which were left out" in copied(source, tmp_path / "out.mp4")
    assert len(facts(tmp_path / "out.mp4").times_s) == 15


def test_sound_whose_head_mp4_refuses_is_converted(tmp_path: Path) -> None:
    source = encode(tmp_path / "in.mkv", pictures((160, 90)), sounds=(Sound(codec="flac"),))
    whole = source.read_bytes()
    assert copied(source, tmp_path / "whole.mp4") == ()
    at = whole.index(b"fLaC") - 3
    assert whole[at : at + 3] == b"\x63\xa2\xaa", "the codec's description, 42 bytes"
    source.write_bytes(whole[:at] + b"\xec\x40\x2a" + whole[at + 3 :])  # as many bytes of nothing
    told = copied(source, tmp_path / "out.mp4")
    assert "sound was converted from flac to AAC: mp4 cannot carry it" in told
    assert len(facts(tmp_path / "out.mp4").times_s) == 15
