"""Describing the machine that a figure comes from."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import cv2
import torch


def describe() -> str:
    """One line: processor, cores, system, library versions."""
    return (
        f"{_processor()}, {os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}, "
        f"{platform.system()}, Python {platform.python_version()}, torch {torch.__version__}, "
        f"OpenCV {cv2.__version__}, {_gpu()}, load {os.getloadavg()[0]:.1f}"
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _gpu() -> str:
    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU"
