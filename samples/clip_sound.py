"""The sound of the sample clip: a quiet melody that wanders between the ears, and a tick on each second."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gclf_live.records import F32

RATE_HZ = 48_000
_NOTE_S = 0.5
# A pentatonic tune, in semitones above 220 Hz; one note each half second.
_TUNE = (0, 4, 7, 9, 12, 9, 7, 4, 2, 7, 9, 12, 14, 12, 9, 7, 4, 2, 0, 0)


def soundtrack(seconds: float) -> F32:
    """Stereo sound: float32, shape (2, seconds * 48000), left and right, within [-1, 1]."""
    samples = round(seconds * RATE_HZ)
    sound = np.zeros((2, samples), np.float64)
    for i in range(int(np.ceil(seconds / _NOTE_S))):
        pan = 0.5 + 0.35 * np.sin(2 * np.pi * i / 8)
        _add(sound, i * _NOTE_S, _note(_TUNE[i % len(_TUNE)]), left=1 - pan, right=pan)
    for second in range(int(np.ceil(seconds))):
        _add(sound, second, _tick(), left=1, right=1)
    return sound.astype(np.float32)


def _note(semitones: int) -> F32:
    """A plucked tone of one note's length: two partials that die away."""
    t = np.arange(round(_NOTE_S * RATE_HZ)) / RATE_HZ
    pitch_hz = 220 * 2 ** (semitones / 12)
    tone = np.sin(2 * np.pi * pitch_hz * t) + 0.3 * np.sin(4 * np.pi * pitch_hz * t)
    # Starts and ends in silence, so that no note clicks: the only sharp sounds are the ticks.
    envelope = np.minimum(t / 0.02, 1) * np.exp(-5 * t) * np.minimum((_NOTE_S - t) / 0.05, 1)
    return np.asarray(0.16 * tone * envelope, np.float32)


def _tick() -> F32:
    """3 kHz for 30 ms, loudest at its start."""
    t = np.arange(round(0.03 * RATE_HZ)) / RATE_HZ
    return np.asarray(0.6 * np.sin(2 * np.pi * 3000 * t) * np.exp(-150 * t), np.float32)


def _add(
    sound: npt.NDArray[np.float64],
    at_s: float,
    tone: F32,
    *,
    left: float,
    right: float,
) -> None:
    """Mix ``tone`` into ``sound`` from ``at_s`` on, as far as it fits, in place."""
    start = round(at_s * RATE_HZ)
    part = tone[: sound.shape[1] - start]
    sound[0, start : start + len(part)] += left * part
    sound[1, start : start + len(part)] += right * part
