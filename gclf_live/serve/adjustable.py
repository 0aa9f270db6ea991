"""A live labeller whose threshold may be changed while it runs."""

from __future__ import annotations

from dataclasses import replace

from gclf_live.labels.smoothing import LiveSmoother
from gclf_live.model.classifier import Classifier
from gclf_live.pipeline.live import LiveLabeller, LiveSettings


class AdjustableLabeller(LiveLabeller):
    """Keeps tracks and their evidence, and judges them anew, when the threshold changes. Not thread-safe."""

    def __init__(self, classifier: Classifier, settings: LiveSettings) -> None:
        """Start without tracks, as ``LiveLabeller``."""
        super().__init__(classifier, settings)
        self._smoother = self._judge = _Judge(classifier.classes, self._smoother.settings)

    def set_threshold(self, threshold: float) -> None:
        """Show from the next frame on what reaches ``threshold``, from 0 to 1."""
        self.settings = replace(self.settings, threshold=threshold)
        self._judge.set_threshold(threshold)


class _Judge(LiveSmoother):
    """A smoother that can be given another threshold."""

    def set_threshold(self, threshold: float) -> None:
        """Judge every track by its evidence alone: hysteresis is for what was shown under the same rule."""
        # As LiveLabeller does: in log odds, 0 and 1 are infinite.
        self.settings = replace(self.settings, threshold=min(max(threshold, 1e-6), 1 - 1e-6))
        for track, known in self._evidence.items():
            known.shown = self._next_shown(None, self._probabilities(track))
