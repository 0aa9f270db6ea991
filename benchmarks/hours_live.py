"""Hours of a live session in minutes: pictures and time come as fast as the session takes them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from benchmarks.hours_state import State, state_of
from gclf_live.geometry import CropSpec
from gclf_live.output.window import LiveWindow
from gclf_live.pipeline.live import LiveLabeller
from gclf_live.pipeline.session import LiveSession, SessionOptions
from gclf_live.records import F32, U8, Faces, Frame, FrameResult, Predictions
from gclf_live.timing import LatencyRecorder

_WIDTH_PX, _HEIGHT_PX = 160, 120
_STAYS = 2
_VISIT_S, _EVERY_S = 3.0, 10.0
"""Besides those who stay, somebody comes for 3 s every 10 s: 360 new tracks an hour."""
_PATIENCE_S = 60.0


class FastClock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class KnownNetwork:
    """Calls every face the first class, at odds of 50 to 1."""

    classes = ("female", "male")
    crop_spec = CropSpec(32, 1.15)

    def log_probabilities(self, crops: U8) -> F32:
        """As ``Classifier.log_probabilities``."""
        return np.tile(np.log(np.array([50 / 51, 1 / 51], np.float32)), (len(crops), 1))

    def predict(self, crops: U8) -> Predictions:
        """As ``Classifier.predict``."""
        return Predictions(self.classes, np.exp(self.log_probabilities(crops)))

    def warm_up(self, batch_sizes: Iterable[int] = (1,)) -> None:
        """Nothing to warm up."""


class KnownFaces:
    """Knows where the faces are, in the place of the search for them."""

    was_smaller = False

    def __init__(self, clock: FastClock) -> None:
        self._clock, self._start_s = clock, clock.now_s

    def visitor(self) -> int:
        """Number of the visitor who is there now, from 1; 0 where there is none."""
        elapsed_s = self._clock.now_s - self._start_s
        return int(elapsed_s // _EVERY_S) + 1 if elapsed_s % _EVERY_S < _VISIT_S else 0

    def detect(self, image: U8) -> Faces:
        """As ``FaceDetector.detect``; those who stay sway a little."""
        swing = 3 * np.sin(self._clock.now_s)
        lefts = [20 + 45 * i + swing for i in range(_STAYS)] + ([115.0] if self.visitor() else [])
        boxes = np.array([[x, 40, x + 25, 74] for x in lefts], np.float32).reshape(-1, 4)
        inner = np.array([[7, 13], [18, 13], [12, 20], [8, 26], [17, 26]], np.float32)
        return Faces(boxes, np.full(len(boxes), 0.9, np.float32), boxes[:, None, :2] + inner[None])


class KnownLabeller(LiveLabeller):
    """The live labeller with the stand-ins."""

    def __init__(self, clock: FastClock, faces: KnownFaces, took_in: threading.Event) -> None:
        super().__init__(KnownNetwork(), clock=clock)  # type: ignore[arg-type]
        # Nothing else can be exchanged there: the search is set up by what the processor can do.
        self._search = faces  # type: ignore[assignment]
        self._took_in = took_in

    def label(self, frame: Frame, *, age_s: float = 0.0) -> FrameResult:
        """As ``LiveLabeller.label``."""
        result = super().label(frame, age_s=age_s)
        self._took_in.set()
        return result


class FastCamera:
    """A camera whose next picture is there once the one before was shown."""

    width_px, height_px, name = _WIDTH_PX, _HEIGHT_PX, "camera 0"

    def __init__(self, clock: FastClock, *, frames: int, fps: float) -> None:
        self._clock, self._left, self._step_s, self._start_s = clock, frames, 1 / fps, clock.now_s
        self._total = frames
        noise = np.random.default_rng(1).integers(0, 40, (_HEIGHT_PX, _WIDTH_PX, 3), np.uint8)
        self._images = [noise + np.uint8(shade) for shade in (90, 92, 94, 92)]
        self.shown = threading.Semaphore(1)
        self.handed_s = 0.0
        self.faces: KnownFaces | None = None
        self.visitors = 0

    def read(self) -> U8 | None:
        """The next picture; None after the last one."""
        if not self.shown.acquire(timeout=_PATIENCE_S):
            raise RuntimeError("the session has stopped taking pictures")
        if not self._left:
            return None
        number = self._total - self._left
        self._left -= 1
        self._clock.now_s = self._start_s + number * self._step_s
        if self.faces is not None:
            self.visitors = max(self.visitors, self.faces.visitor())
        self.handed_s = time.perf_counter()
        return self._images[number % len(self._images)].copy()  # it is drawn on

    def close(self) -> None:
        """Nothing to close."""


class Watch:
    """A window that shows nothing; it takes the state of this process ten times."""

    def __init__(self, camera: FastCamera, took_in: threading.Event, frames: int) -> None:
        self.states: list[State] = []
        self.count = 0
        self._camera, self._took_in, self._frames = camera, took_in, frames
        self._delay = LatencyRecorder()

    def open(self, title: str, *, width_px: int, height_px: int) -> None:
        """Nothing to open."""

    def show(self, title: str, image: U8) -> None:
        """The picture would appear with the next ``wait_key``."""

    def wait_key(self, wait_ms: int) -> int:
        """No key; a picture that was labelled is on the screen now, and the next one may come."""
        if self._took_in.is_set():
            self._took_in.clear()
            self.count += 1
            self._delay.add(time.perf_counter() - self._camera.handed_s)
            if self.count * 10 // self._frames > len(self.states):
                state = state_of(delay_ms=self._delay.percentile_ms(95))
                assert state is not None
                self.states.append(state)
                self._delay = LatencyRecorder()
            self._camera.shown.release()
        return -1

    def is_visible(self, title: str) -> bool:
        """Never closed."""
        return True

    def close(self, title: str) -> None:
        """Nothing to close."""


class LiveHours:
    """One session.

    Attributes:
        frames: pictures that the camera has.
        people: who came, those who stay counted.
        tracks: that the session counted.
        states: of this process, at the end of each tenth.
        wall_s: that it took.
        last_pts_s: time of the last picture, from the first.
    """

    def __init__(self, *, seconds: float, fps: float, record: Path | None = None) -> None:
        """Prepare it; ``record`` is an mp4 that is written."""
        self.frames = max(10, round(seconds * fps))
        self.people = self.tracks = 0
        self.wall_s = 0.0
        self.last_pts_s = (self.frames - 1) / fps
        self.states: list[State] = []
        self._fps, self._record = fps, record

    def run(self) -> None:
        """Run it to its end."""
        clock, took_in = FastClock(), threading.Event()
        camera = FastCamera(clock, frames=self.frames, fps=self._fps)
        faces = KnownFaces(clock)
        camera.faces = faces
        watch = Watch(camera, took_in, self.frames)
        session = LiveSession(
            camera,
            KnownLabeller(clock, faces, took_in),
            window=LiveWindow(backend=watch, check=lambda: None),
            options=SessionOptions(record=self._record),
            clock=clock,
        )
        began_s = time.monotonic()
        session.run()
        self.wall_s = time.monotonic() - began_s
        self.states = watch.states
        self.people = _STAYS + camera.visitors
        self.tracks = sum(total.tracks for total in session.stats().labels.values())
