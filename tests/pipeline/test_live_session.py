"""A live session from its source to its summary, with a scripted camera, clock and screen."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from face_makers import ColourClassifier, Face, ScriptedClock, scene
from media_makers import frame_times

from gclf_live.errors import OutputError, SourceError
from gclf_live.media.pictures import read_picture
from gclf_live.media.source import FramePolicy
from gclf_live.output.window import LiveWindow
from gclf_live.pipeline.live import LiveLabeller, LiveSettings
from gclf_live.pipeline.session import LiveSession, SessionOptions
from gclf_live.records import U8, Frame, FrameResult

WIDTH, HEIGHT = 320, 240


class Camera:
    """Gives one picture after another, each only when the one before was shown, at scripted times.

    After the pictures comes ``end``: None for the end of the source, or an error.
    """

    width_px, height_px, name = WIDTH, HEIGHT, "camera 0"

    def __init__(
        self,
        images: Iterator[U8] | list[U8],
        *,
        clock: ScriptedClock,
        gaps_s: Iterator[float] | None = None,
        end: Exception | None = None,
    ) -> None:
        self._images = iter(images)
        self._clock = clock
        self._gaps_s = gaps_s
        self._end = end
        self.go_on = threading.Semaphore(1)
        self.labelled = False
        self.closed = False

    def read(self) -> U8 | None:
        assert self.go_on.acquire(timeout=60)
        image = next(self._images, None)
        if image is None:
            if self._end is not None:
                raise self._end
            return None
        if self._gaps_s is not None:
            self._clock.sleep(next(self._gaps_s))
        return image.copy()  # the session draws on it

    def close(self) -> None:
        self.closed = True


class Film(Camera):
    """A source whose pictures have times of their own, ten a second."""

    last_pts_s = -0.1

    def read(self) -> U8 | None:
        image = super().read()
        self.last_pts_s += 0.1
        return image


class Screen:
    """A screen that shows pictures to ``keys``: what it answers is pressed, or closes the window."""

    def __init__(self, camera: Camera, keys: Callable[[int], str | None] = lambda shown: None) -> None:
        self.pictures: list[U8] = []
        self._camera, self._keys = camera, keys
        self._visible = False

    def open(self, title: str, *, width_px: int, height_px: int) -> None:
        self._visible = True

    def show(self, title: str, image: U8) -> None:
        self.pictures.append(image.copy())

    def wait_key(self, wait_ms: int) -> int:
        key = self._keys(len(self.pictures))
        # Only now, and once a picture: nothing is stale that a test does not mean to be.
        if self._camera.labelled:
            self._camera.labelled = False
            self._camera.go_on.release()
        if key == "close":
            self._visible = False
        return ord(key) if key and len(key) == 1 else -1

    def is_visible(self, title: str) -> bool:
        return self._visible

    def close(self, title: str) -> None:
        self._visible = False


class PacedLabeller(LiveLabeller):
    """Tells the camera when a picture has been labelled."""

    def __init__(self, camera: Camera, clock: ScriptedClock) -> None:
        super().__init__(ColourClassifier(), LiveSettings(), clock=clock)  # type: ignore[arg-type]
        self.camera = camera

    def label(self, frame: Frame, *, age_s: float = 0.0) -> FrameResult:
        result = super().label(frame, age_s=age_s)
        self.camera.labelled = True
        return result


class Stage:
    """A session with everything around it."""

    def __init__(
        self,
        images: list[U8],
        *,
        keys: Callable[[int], str | None] = lambda shown: None,
        gaps_s: Iterator[float] | None = None,
        end: Exception | None = None,
        options: SessionOptions | None = None,
        labeller: type[PacedLabeller] = PacedLabeller,
        policy: FramePolicy = FramePolicy.NEWEST,
        camera: type[Camera] = Camera,
    ) -> None:
        self.clock = ScriptedClock()
        self.camera = camera(images, clock=self.clock, gaps_s=gaps_s, end=end)
        self.screen = Screen(self.camera, keys)
        self.said: list[str] = []
        self.session = LiveSession(
            self.camera,
            labeller(self.camera, self.clock),
            window=LiveWindow(backend=self.screen, check=lambda: None),
            options=options,
            policy=policy,
            say=self.said.append,
            clock=self.clock,
        )

    def run(self) -> Stage:
        self.session.run()
        return self


def _grey(value: int) -> U8:
    return np.full((HEIGHT, WIDTH, 3), value, np.uint8)


def _once(key: str, at: int) -> Callable[[int], str | None]:
    """Press ``key`` once, when ``at`` pictures have been shown."""
    waiting = [key]
    return lambda shown: waiting.pop() if waiting and shown == at else None


def _steps(step_s: float) -> Iterator[float]:
    while True:
        yield step_s


def test_every_picture_is_shown_and_the_end_of_the_source_ends_the_session() -> None:
    stage = Stage([_grey(40 + i) for i in range(6)]).run()
    assert len(stage.screen.pictures) == 6
    assert stage.camera.closed
    stats = stage.session.stats()
    assert (stats.captured, stats.shown, stats.dropped) == (6, 6, 0)


def test_summary_counts_tracks_and_their_time_on_screen() -> None:
    images = [scene(Face("collins", 160, 120))] * 11
    stats = Stage(images, gaps_s=_steps(0.1)).run().session.stats()
    assert stats.labels["female"].tracks == 1
    assert stats.labels["female"].seconds == pytest.approx(1.0)
    assert stats.seconds == pytest.approx(1.1)
    assert len(stats.latency) == 11


def test_latency_is_counted_from_capture_to_the_screen() -> None:
    stage = Stage([_grey(90)] * 3, keys=lambda shown: stage.clock.sleep(0.025))
    assert stage.run().session.stats().latency.percentile_ms(50) == pytest.approx(25)


@pytest.mark.parametrize("key", ["q", "\x1b", "close"])
def test_user_ends_the_session(key: str) -> None:
    stage = Stage([_grey(i) for i in range(60)], keys=_once(key, 3)).run()
    assert len(stage.screen.pictures) == 3
    assert stage.camera.closed


def test_pause_keeps_the_picture_until_it_goes_on() -> None:
    presses = iter((" ", None, None, None, " "))
    paused_at: list[int] = []

    def keys(shown: int) -> str | None:
        key = next(presses, "over") if shown >= 3 else "over"
        if key == "over":
            return None
        paused_at.append(shown)
        stage.camera.go_on.release()  # while it is paused nothing is shown that would let the camera go on
        return key

    stage = Stage([_grey(40 + i) for i in range(20)], keys=keys)
    stats = stage.run().session.stats()
    # Once more with a line that says so, and once as it was, when it goes on.
    assert paused_at == [3, 4, 4, 4, 4]
    before, paused, after = stage.screen.pictures[2:5]
    assert np.array_equal(before, after)
    assert not np.array_equal(before[: HEIGHT // 4], paused[: HEIGHT // 4])
    assert np.array_equal(before[HEIGHT // 4 :], paused[HEIGHT // 4 :])
    assert stats.captured == 20
    assert stats.shown == len(stage.screen.pictures) - 2 < 20
    assert stage.screen.pictures[-1][0, 0, 0] == 59, "and then it is not behind"


def test_pause_of_a_file_loses_none_of_it_and_is_no_delay() -> None:
    presses = iter((" ", None, None, None, " "))

    def keys(shown: int) -> str | None:
        if shown not in {3, 4}:  # the fourth says that it is paused
            return None
        stage.clock.now += 20.0
        return next(presses, None)

    stage = Stage([_grey(40 + i) for i in range(20)], keys=keys, policy=FramePolicy.EVERY)
    stage.camera.go_on.release(40)
    stats = stage.run().session.stats()
    assert next(presses, "all") == "all"
    shades = [int(picture[0, 0, 0]) for picture in stage.screen.pictures]
    assert shades == [40, 41, 42, 42, *range(42, 60)]
    assert (stats.captured, stats.shown, stats.dropped) == (20, 20, 0)
    assert stats.paused_s == pytest.approx(4 * 20)
    # The key was pressed while the third picture came to the screen.
    assert stats.latency.percentile_ms(90) < 1000


@pytest.mark.parametrize(("frame_s", "speed"), [(0.1, 1.0), (0.4, 0.25)])
def test_speed_of_a_film_is_told_without_its_pauses(frame_s: float, speed: float) -> None:
    presses = iter((" ", None, " "))

    def keys(shown: int) -> str | None:
        stage.clock.sleep(frame_s)
        return next(presses, None) if shown in {3, 4} else None

    stage = Stage([_grey(40)] * 10, keys=keys, policy=FramePolicy.EVERY, camera=Film)
    stage.camera.go_on.release(40)
    assert stage.run().session.costs().playback_speed == pytest.approx(speed)


def test_camera_has_no_speed() -> None:
    assert Stage([_grey(40)] * 10).run().session.costs().playback_speed is None


def test_snapshot_is_the_labelled_picture(tmp_path: Path) -> None:
    options = SessionOptions(snapshot_dir=tmp_path)
    stage = Stage([scene(Face("collins", 160, 120))] * 3, keys=_once("s", 2), options=options).run()
    (path,) = tmp_path.iterdir()
    assert path.suffix == ".png"
    assert stage.said == [f"snapshot: {path}"]
    assert np.array_equal(read_picture(path), stage.screen.pictures[1])


def test_snapshot_that_cannot_be_written_does_not_end_the_session(tmp_path: Path) -> None:
    options = SessionOptions(snapshot_dir=tmp_path / "gone")
    stage = Stage([_grey(90)] * 5, keys=_once("s", 2), options=options).run()
    assert len(stage.screen.pictures) == 5
    assert len(stage.said) == 1
    assert "cannot write" in stage.said[0]


def test_help_is_shown_over_the_picture_and_taken_away() -> None:
    stage = Stage([_grey(90)] * 6, keys=lambda shown: "h" if shown in (2, 4) else None).run()
    middle = [float(np.abs(p[80:160, 100:220].astype(int) - 90).mean()) > 5 for p in stage.screen.pictures]
    assert middle[:2] == [False, False]
    assert middle[2:4] == [True, True]
    assert middle[-1] is False


def test_mirror_turns_the_picture_before_anything_is_found_or_drawn() -> None:
    image = scene(Face("collins", 80, 120))
    options = SessionOptions(mirror=True)
    mirrored = Stage([image] * 2, options=options).run().screen.pictures[-1]
    plain = Stage([np.ascontiguousarray(image[:, ::-1])] * 2).run().screen.pictures[-1]
    assert np.array_equal(mirrored, plain), "boxes, text and status read from left to right"
    assert not np.array_equal(mirrored[:, ::-1], Stage([image] * 2).run().screen.pictures[-1])


def test_stale_frames_are_dropped_and_counted() -> None:
    def keys(shown: int) -> None:
        stage.camera.go_on.release()  # one more than was taken: two pictures for each that is shown

    stage = Stage([_grey(i) for i in range(30)], keys=keys)
    stats = stage.run().session.stats()
    assert stats.captured == 30
    assert stats.shown + stats.dropped == 30
    assert stage.screen.pictures[-1][0, 0, 0] == 29, "the newest is shown"


def test_source_that_keeps_every_frame_drops_none() -> None:
    stage = Stage([_grey(i) for i in range(20)], policy=FramePolicy.EVERY)
    stage.camera.go_on.release(40)  # as fast as they are taken, and faster than they are shown
    stats = stage.run().session.stats()
    assert (stats.captured, stats.shown, stats.dropped) == (20, 20, 0)
    assert [int(picture[0, 0, 0]) for picture in stage.screen.pictures] == list(range(20))


def test_recording_has_the_times_of_the_clock(tmp_path: Path) -> None:
    # 11 pictures a second, then 45, as a camera does that changes its exposure.
    gaps_s = [1 / 11] * 11 + [1 / 45] * 45
    options = SessionOptions(record=tmp_path / "r.mp4")
    stage = Stage([_grey(90)] * 56, gaps_s=iter(gaps_s), options=options).run()
    times = [float(t) for t in frame_times(tmp_path / "r.mp4")]
    assert times == pytest.approx(np.cumsum([0, *gaps_s[1:]]), abs=1e-4)
    assert times[-1] == pytest.approx(2, abs=0.3)
    assert stage.said == [f"recorded {tmp_path / 'r.mp4'}"]


def test_recording_shows_what_the_window_showed_without_the_help(tmp_path: Path) -> None:
    options = SessionOptions(record=tmp_path / "r.mp4")
    Stage([_grey(90)] * 4, keys=_once("h", 1), gaps_s=_steps(0.1), options=options).run()
    with av.open(tmp_path / "r.mp4") as container:
        frames = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    assert len(frames) == 4
    assert all(np.abs(frame[60:180].astype(int) - 90).max() < 6 for frame in frames)


def test_interrupt_finishes_the_recording_as_partial(tmp_path: Path) -> None:
    def keys(shown: int) -> None:
        if shown == 5:
            raise KeyboardInterrupt

    options = SessionOptions(record=tmp_path / "r.mp4")
    stage = Stage([_grey(90)] * 9, keys=keys, gaps_s=_steps(0.1), options=options)
    with pytest.raises(KeyboardInterrupt):
        stage.run()
    stage.camera.go_on.release()
    assert [path.name for path in tmp_path.iterdir()] == ["r.partial.mp4"]
    assert len(frame_times(tmp_path / "r.partial.mp4")) == 5
    assert stage.said == [f"recorded {tmp_path / 'r.partial.mp4'}"]


def test_source_that_fails_is_raised_and_the_recording_kept(tmp_path: Path) -> None:
    end = SourceError("camera 0 stopped sending pictures")
    options = SessionOptions(record=tmp_path / "r.mp4")
    stage = Stage([_grey(90)] * 4, gaps_s=_steps(0.1), end=end, options=options)
    with pytest.raises(SourceError, match="stopped sending"):
        stage.run()
    assert len(frame_times(tmp_path / "r.partial.mp4")) == 4
    assert stage.session.stats().shown == 4


def test_source_that_fails_while_a_frame_is_labelled_is_not_taken_for_its_end() -> None:
    failed = threading.Event()

    class Unplugged(Camera):
        def close(self) -> None:
            failed.set()

    clock = ScriptedClock()
    camera = Unplugged([_grey(90)], clock=clock, end=SourceError("unplugged"))
    camera.go_on.release()

    class Slow(PacedLabeller):
        def label(self, frame: Frame, *, age_s: float = 0.0) -> FrameResult:
            assert failed.wait(60)
            end_s = time.monotonic() + 60
            while any(thread.name == f"capture {camera.name}" for thread in threading.enumerate()):
                assert time.monotonic() < end_s
                time.sleep(0.01)
            return super().label(frame, age_s=age_s)

    session = LiveSession(camera, Slow(camera, clock), window=None, clock=clock)
    with pytest.raises(SourceError, match="unplugged"):
        session.run()
    assert session.stats().shown == 1


def test_recording_that_exists_is_refused_and_the_source_given_back(tmp_path: Path) -> None:
    (tmp_path / "r.mp4").write_bytes(b"precious")
    stage = Stage([_grey(90)] * 3, options=SessionOptions(record=tmp_path / "r.mp4"))
    with pytest.raises(OutputError, match="--overwrite"):
        stage.run()
    assert (tmp_path / "r.mp4").read_bytes() == b"precious"


def test_recording_of_a_source_without_pictures_is_told(tmp_path: Path) -> None:
    stage = Stage([], options=SessionOptions(record=tmp_path / "r.mp4")).run()
    assert stage.said == ["nothing was recorded: no frame came"]
    assert list(tmp_path.iterdir()) == []


def test_silent_source_is_told_once_and_once_more_when_it_is_back() -> None:
    silent = threading.Event()
    clock = ScriptedClock()

    class Silent(Camera):
        def read(self) -> U8 | None:
            if self.go_on.acquire(blocking=False):
                return super().read()
            clock.now += 2.5
            assert silent.wait(60)
            return super().read()

    camera = Silent([_grey(90)] * 3, clock=clock)
    camera.go_on.release()

    def say(line: str) -> None:
        said.append(line)
        if "stalled" in line:
            silent.set()
            for _ in range(9):
                camera.go_on.release()

    said: list[str] = []
    session = LiveSession(
        camera,
        PacedLabeller(camera, clock),
        window=None,
        say=say,
        clock=clock,
    )
    session.run()
    assert said == [
        "camera 0 has stalled: no picture for 2 s; waiting for it",
        "camera 0 is back",
    ]


def test_session_ends_after_its_time() -> None:
    options = SessionOptions(max_duration_s=1.0)
    stage = Stage([_grey(90)] * 60, gaps_s=_steps(0.1), options=options).run()
    assert 9 <= len(stage.screen.pictures) <= 11


def test_source_much_faster_than_the_labels_does_not_break_the_session() -> None:
    waited_for = iter(range(1, 101))

    class Busy(PacedLabeller):
        """While it labels the first picture, a hundred more come in."""

        def label(self, frame: Frame, *, age_s: float = 0.0) -> FrameResult:
            if frame.index == 0:
                self.camera.go_on.release(100)
                assert all(came.acquire(timeout=60) for _ in waited_for)
            return super().label(frame, age_s=age_s)

    came = threading.Semaphore(0)

    def gaps_s() -> Iterator[float]:
        yield 0.0
        while True:
            came.release()
            yield 0.001

    stage = Stage([_grey(i) for i in range(102)], gaps_s=gaps_s(), labeller=Busy)
    stats = stage.run().session.stats()
    assert stats.captured == 102
    assert stats.dropped >= 99
