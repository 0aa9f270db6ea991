"""Live sessions whose source goes away: what is shown, said, recorded and summed up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from face_makers import ColourClassifier, Face, ScriptedClock, scene
from media_makers import frame_times, plain

from benchmarks.stream_servers import NetworkCamera
from gclf_live.errors import SourceError
from gclf_live.media.source import parse_source
from gclf_live.media.stream import open_stream, reconnection
from gclf_live.output.window import LiveWindow
from gclf_live.pipeline.live import LiveLabeller, LiveSettings
from gclf_live.pipeline.session import LiveSession, SessionOptions
from gclf_live.records import U8, Frame

FACE = scene(Face("collins", 160, 120))


class Screen:
    """A screen whose user presses what ``keys`` says."""

    def __init__(self, keys: Callable[[Screen], str | None]) -> None:
        self.pictures: list[U8] = []
        self._keys = keys

    @property
    def is_grey(self) -> bool:
        """Whether the picture shown is that of a source that is away."""
        corner = self.pictures[-1][:20, :20].astype(int)
        return bool(self.pictures) and float(corner.mean()) < 110

    def open(self, title: str, *, width_px: int, height_px: int) -> None:
        return

    def show(self, title: str, image: U8) -> None:
        self.pictures.append(image.copy())

    def wait_key(self, wait_ms: int) -> int:
        key = self._keys(self)
        return ord(key) if key else -1

    def is_visible(self, title: str) -> bool:
        return True

    def close(self, title: str) -> None:
        return


class Script:
    """What happens to a camera, one step after another, each once its condition is met."""

    def __init__(self, *steps: tuple[Callable[[Screen], object], Callable[[], object]]) -> None:
        self._steps = list(steps)

    def __call__(self, screen: Screen) -> str | None:
        if self._steps and screen.pictures and self._steps[0][0](screen):
            self._steps.pop(0)[1]()
        return None if self._steps else "q"


def _session(
    camera: NetworkCamera, screen: Screen, said: list[str], *, limit_s: float | None = None, **options: object
) -> LiveSession:
    source = parse_source(camera.url)
    stream = open_stream(source)
    return LiveSession(
        stream,
        LiveLabeller(ColourClassifier(), LiveSettings()),  # type: ignore[arg-type]
        window=LiveWindow(backend=screen, check=lambda: None),
        options=SessionOptions(**options),  # type: ignore[arg-type]
        reconnection=reconnection(source, stream, give_up_after_s=limit_s),
        say=said.append,
    )


def _shown(count: int) -> Callable[[Screen], bool]:
    return lambda screen: len(screen.pictures) >= count


def _is_grey(screen: Screen) -> bool:
    return screen.is_grey


def _is_bright(screen: Screen) -> bool:
    return not screen.is_grey


def _nothing() -> None:
    return


def test_last_picture_is_greyed_until_the_source_is_back_and_all_is_told(tmp_path: Path) -> None:
    said: list[str] = []
    with NetworkCamera(FACE) as camera:
        steps = Script((_shown(8), camera.stop), (_is_grey, camera.start), (_is_bright, _nothing))
        screen = Screen(steps)
        session = _session(camera, screen, said, record=tmp_path / "r.mp4")
        session.run()
    (grey,) = {id(picture): picture for picture in screen.pictures if picture[:20, :20].mean() < 110}.values()
    assert np.ptp(grey[:60].astype(int), axis=2).max() == 0
    address = f"http://me:***@127.0.0.1:{camera.url.rpartition(':')[2].partition('/')[0]}/live?token=***"
    lost, *between, back, recorded = said
    assert lost == f"{address} was lost: it was closed; reconnecting"
    assert all(line.startswith(f"not back yet: cannot open '{address}': ") for line in between)
    assert back.startswith(f"{address} is back after ")
    assert recorded == f"recorded {tmp_path / 'r.mp4'}"
    costs = session.costs()
    assert costs.outages == 1
    assert costs.outage_s > 0.2
    times = [float(t) for t in frame_times(tmp_path / "r.mp4")]
    assert len(times) == session.stats().shown + 1, "the grey picture is in the recording"
    assert times == sorted(set(times))
    assert times[-1] > costs.outage_s, "and the time without pictures too"


def test_recording_ends_playable_and_as_long_as_it_took_while_the_source_is_away(tmp_path: Path) -> None:
    said: list[str] = []
    with NetworkCamera(FACE) as camera:
        grey: list[int] = []
        steps = Script((_shown(8), camera.stop), (lambda screen: screen.is_grey and _twice(screen), _nothing))

        def _twice(screen: Screen) -> bool:
            grey.append(len(screen.pictures))
            return len(set(grey)) == 2

        session = _session(camera, Screen(steps), said, record=tmp_path / "r.mp4")
        session.run()
    times = [float(t) for t in frame_times(tmp_path / "r.mp4")]
    assert times[-1] - times[-2] == pytest.approx(1, abs=0.5)
    assert times[-1] <= session.stats().seconds


def test_source_that_comes_back_in_another_size_is_shown_in_it_and_fitted_into_the_recording(
    tmp_path: Path,
) -> None:
    def come_back() -> None:
        camera.image = plain(200, 400, 220)
        camera.start()

    with NetworkCamera(FACE) as camera:
        screen = Screen(Script((_shown(8), camera.stop), (_is_grey, come_back), (_is_bright, _nothing)))
        _session(camera, screen, [], record=tmp_path / "r.mp4").run()
    assert screen.pictures[-1].shape == (400, 200, 3)
    with av.open(tmp_path / "r.mp4") as container:
        frames = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    assert {frame.shape for frame in frames} == {(240, 320, 3)}
    # 200 by 400 is 120 by 240 here, in the middle.
    assert frames[-1][100:140, 110:210].mean() > 200
    assert frames[-1][:, :90].mean() < 20


def test_silent_source_is_greyed_too_and_goes_on() -> None:
    said: list[str] = []

    def silence() -> None:
        camera.silent = True

    def speak() -> None:
        camera.silent = False

    with NetworkCamera(FACE) as camera:
        screen = Screen(Script((_shown(8), silence), (_is_grey, speak), (_is_bright, _nothing)))
        session = _session(camera, screen, said)
        session.run()
    assert "has stalled: no picture for 2 s; reconnecting" in said[0]
    assert " is back after " in said[-1]
    # Nothing that is shown is old, and nothing waits: that would show in each of the later pictures.
    assert session.costs().outages == 1


def test_source_that_is_away_for_good_ends_the_session_and_keeps_the_recording(tmp_path: Path) -> None:
    with NetworkCamera(FACE) as camera:
        never = Script((_shown(8), camera.stop), (lambda screen: False, _nothing))
        session = _session(camera, Screen(never), [], limit_s=0.5, record=tmp_path / "r.mp4")
        with pytest.raises(SourceError, match=r"did not come back within 0\.5 s"):
            session.run()
    assert [path.name for path in tmp_path.iterdir()] == ["r.partial.mp4"]
    assert len(frame_times(tmp_path / "r.partial.mp4")) >= 8


def test_black_pictures_are_shown_and_labelled_nothing_and_the_face_comes_back() -> None:
    labeller = LiveLabeller(ColourClassifier(), LiveSettings(), clock=ScriptedClock())  # type: ignore[arg-type]
    images = [FACE] * 5 + [plain(320, 240, 0)] * 30 + [FACE] * 5
    results = [labeller.label(Frame(image.copy(), i / 30, i)) for i, image in enumerate(images)]
    assert len(results[20].tracks) == 0
    assert results[-1].labels == ("female",)


def test_rate_that_falls_from_30_to_5_keeps_tracks_labels_and_times(tmp_path: Path) -> None:
    clock, fed = ScriptedClock(), threading.Semaphore(0)

    class Camera:
        width_px, height_px, name = 320, 240, "camera 0"
        gaps_s = iter([1 / 30] * 30 + [1 / 5] * 10)

        def read(self) -> U8 | None:
            assert fed.acquire(timeout=60)
            gap_s = next(self.gaps_s, None)
            if gap_s is None:
                return None
            clock.sleep(gap_s)
            return FACE.copy()

        def close(self) -> None:
            return

    class Paced(LiveLabeller):
        def label(self, frame: Frame, *, age_s: float = 0.0):  # type: ignore[no-untyped-def]
            fed.release()
            return super().label(frame, age_s=age_s)

    fed.release()
    said: list[str] = []
    session = LiveSession(
        Camera(),
        Paced(ColourClassifier(), LiveSettings(), clock=clock),  # type: ignore[arg-type]
        window=None,
        options=SessionOptions(record=tmp_path / "r.mp4"),
        say=said.append,
        clock=clock,
    )
    session.run()
    stats = session.stats()
    assert stats.labels["female"].tracks == 1
    assert said == [f"recorded {tmp_path / 'r.mp4'}"], "five a second is no stall"
    times = [float(t) for t in frame_times(tmp_path / "r.mp4")]
    assert np.diff(times)[:20] == pytest.approx(1 / 30, abs=1e-3)
    assert np.diff(times)[-5:] == pytest.approx(1 / 5, abs=1e-3)


def test_faces_are_not_followed_into_a_picture_of_another_size() -> None:
    labeller = LiveLabeller(ColourClassifier(), LiveSettings(), clock=ScriptedClock())  # type: ignore[arg-type]
    before = labeller.label(Frame(FACE.copy(), 0.0, 0))
    after = labeller.label(Frame(scene(Face("collins", 160, 120), width_px=640), 0.03, 1))
    assert len(before.tracks) == len(after.tracks) == 1
    assert before.tracks.ids.tolist() != after.tracks.ids.tolist()


def test_crops_that_do_not_fit_into_the_time_are_counted() -> None:
    clock = ScriptedClock()
    faces = [Face("collins", 80 + 100 * (i % 4), 90 + 120 * (i // 4), 60) for i in range(8)]
    slow = ColourClassifier(clock=clock, cost_s=0.02)
    labeller = LiveLabeller(slow, LiveSettings(), clock=clock)  # type: ignore[arg-type]
    labeller.label(Frame(scene(*faces, width_px=480, height_px=300), 0.0, 0))
    assert labeller.crops_put_off == 8 - slow.batches[-1] > 0
    assert labeller.smaller_searches == 0


def test_search_that_takes_too_long_is_made_on_a_smaller_picture_and_counted() -> None:
    class Slow:
        """Takes 50 ms from one look to the next, so that every search seems to."""

        now = 0.0

        def __call__(self) -> float:
            self.now += 0.05
            return self.now

    labeller = LiveLabeller(ColourClassifier(), LiveSettings(), clock=Slow())  # type: ignore[arg-type]
    image = scene(Face("collins", 320, 240, 160), width_px=640, height_px=480)
    results = [labeller.label(Frame(image.copy(), i / 10, i)) for i in range(20)]
    assert 0 < labeller.smaller_searches < 20
    assert all(len(result.tracks) == 1 for result in results)


def test_small_picture_is_never_counted_as_made_smaller() -> None:
    clock = ScriptedClock()
    labeller = LiveLabeller(ColourClassifier(), LiveSettings(max_latency_s=0.02), clock=clock)  # type: ignore[arg-type]
    for i in range(5):
        labeller.label(Frame(FACE.copy(), i / 10, i))
    assert labeller.smaller_searches == 0
