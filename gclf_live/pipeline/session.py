"""A live session: capture, label, draw, show, record, until the user or the source ends it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from gclf_live.errors import OutputError
from gclf_live.media.camera import FrameStream
from gclf_live.media.capture import CaptureThread
from gclf_live.media.pictures import write_picture
from gclf_live.media.reconnect import Reconnection
from gclf_live.media.source import FramePolicy
from gclf_live.output.greyed import greyed
from gclf_live.output.live_costs import LiveCosts
from gclf_live.output.overlay import Overlay
from gclf_live.output.summary import LiveStats
from gclf_live.output.window import Action, LiveWindow
from gclf_live.pipeline.live import LiveLabeller
from gclf_live.pipeline.outage_watch import OutageWatch
from gclf_live.pipeline.pace import Pace
from gclf_live.pipeline.recorder import Recorder
from gclf_live.pipeline.track_times import TrackTimes
from gclf_live.profiling import NO_PROFILER, Spans
from gclf_live.records import U8, Frame
from gclf_live.timing import Clock, LatencyRecorder, RateMeter

_PAUSED = "paused: space goes on"
_WAIT_S = 0.05
"""How long to wait for a frame before looking at the keyboard again."""


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """What a session does besides labelling.

    Attributes:
        mirror: show the picture as in a mirror.
        record: an ``.mp4`` to write what is shown to, or None.
        overwrite: replace ``record`` where it exists.
        snapshot_dir: where the snapshot key writes pictures.
        max_duration_s: end the session by itself after this time, or None.
    """

    mirror: bool = False
    record: Path | None = None
    overwrite: bool = False
    snapshot_dir: Path = field(default_factory=Path.cwd)
    max_duration_s: float | None = None


class LiveSession:
    """Runs one live source to its end."""

    def __init__(
        self,
        stream: FrameStream,
        labeller: LiveLabeller,
        *,
        window: LiveWindow | None,
        options: SessionOptions | None = None,
        policy: FramePolicy = FramePolicy.NEWEST,
        reconnection: Reconnection | None = None,
        say: Callable[[str], None] = lambda line: None,
        clock: Clock = time.monotonic,
        spans: Spans = NO_PROFILER,
    ) -> None:
        """Prepare a session.

        Args:
            stream: an open source; the session closes it.
            labeller: labels frames.
            window: where to show them, or None.
            options: mirror, recording, snapshots.
            policy: whether a frame that waits gives way to a newer one; see ``Source.policy``.
            reconnection: how to open a source again that is lost; without, the session ends with it.
            say: takes one line for the user, such as where a snapshot went.
            clock: seconds, monotonic.
            spans: what the stages are timed with; the labeller has its own.
        """
        self._stream, self._labeller, self._window = stream, labeller, window
        self._options = options or SessionOptions()
        self._say, self._clock, self._spans = say, clock, spans
        self._overlay = Overlay()
        self._rate = RateMeter()
        self._latency = LatencyRecorder()
        self._latency_ms = 0.0
        self._tracks = TrackTimes()
        self._policy = policy
        self._pace = Pace(clock)
        self._help = self._quit = False
        self._shown: U8 | None = None
        self._labelled: U8 | None = None
        self._count = 0
        self._recorder: Recorder | None = None
        self._began_s = clock()
        self._capture = CaptureThread(
            stream, policy=policy, reconnection=reconnection, clock=clock, spans=spans
        )
        self._outages = OutageWatch(
            self._capture, stream.name, reconnects=reconnection is not None, say=say, clock=clock
        )

    def run(self) -> None:
        """Label frames until the source ends, the window is closed or a key ends it.

        Raises:
            SourceError: the source failed, or did not come back in time.
            OutputError: the recording cannot be written.
            KeyboardInterrupt: passed on, as every error is, after the recording was finished as
                ``<stem>.partial.mp4``.
        """
        self._began_s = self._clock()
        with self._capture:
            if self._window is None:
                self._record_and_loop()
            else:
                with self._window:
                    self._record_and_loop()

    def stats(self) -> LiveStats:
        """What the session came to so far."""
        return LiveStats(
            seconds=self._clock() - self._began_s,
            paused_s=self._pace.paused_s,
            captured=self._capture.captured,
            shown=self._count,
            dropped=self._capture.dropped,
            latency=self._latency,
            labels=self._tracks.totals(),
        )

    def costs(self) -> LiveCosts:
        """What was given up so far, and how long no pictures came."""
        return LiveCosts(
            not_shown=self._capture.dropped,
            crops_put_off=self._labeller.crops_put_off,
            smaller_searches=self._labeller.smaller_searches,
            outages=self._outages.count,
            outage_s=self._outages.seconds,
            playback_speed=self._pace.playback_speed,
        )

    def _record_and_loop(self) -> None:
        """The loop, inside the recording where there is one."""
        if self._options.record is None:
            self._loop()
            return
        self._recorder = Recorder(
            self._options.record,
            width_px=self._stream.width_px,
            height_px=self._stream.height_px,
            overwrite=self._options.overwrite,
            spans=self._spans,
        )
        for path in self._recorder.brought_back:
            self._say(f"a recording that was killed is now {path}")
        try:
            with self._recorder:
                self._loop()
        finally:
            self._say_recording(self._recorder.result_path)

    def _say_recording(self, path: Path | None) -> None:
        if path is not None:
            self._say(f"recorded {path}")
        elif not self._count:
            self._say("nothing was recorded: no frame came")

    def _loop(self) -> None:
        while not self._quit and not self._is_over():
            if self._pace.paused and self._policy is FramePolicy.EVERY:  # the source waits as well
                time.sleep(_WAIT_S)
                self._act()
                continue
            # Asked before the frame: a source that fails in between is raised by the next turn.
            ended = self._capture.ended
            with self._spans.span("wait"):
                frame = self._capture.newest(_WAIT_S)
            if frame is None and ended:
                break
            if frame is None or self._pace.paused:
                if frame is None:
                    self._wait()
                else:
                    self._outages.over()
                self._act()
                continue
            # A frame that lay ready while the session was paused is not late for it.
            captured_s = max(self._clock() - self._capture.age_s(frame), self._pace.resumed_s)
            self._show(frame, captured_s)
            self._act()  # also what brings the picture to the screen
            self._note_latency(captured_s)

    def _is_over(self) -> bool:
        longest_s = self._options.max_duration_s
        return longest_s is not None and self._clock() - self._began_s >= longest_s

    def _wait(self) -> None:
        """No frame came in time; after a while the last one is shown for what it is."""
        text = self._outages.look()
        if text is None or self._labelled is None or self._pace.paused:
            return
        self._shown = greyed(self._labelled, text)
        if self._recorder is not None:  # else the film would end where the source was lost, or freeze
            with self._spans.span("record"):
                self._recorder.write(self._shown, self._capture.now_s)
        self._present()

    def _show(self, frame: Frame, captured_s: float) -> None:
        """Label, draw, record and show one frame."""
        self._outages.over()
        if self._options.mirror:
            frame = Frame(np.ascontiguousarray(frame.image[:, ::-1]), frame.pts_s, frame.index)
        result = self._labeller.label(frame, age_s=self._clock() - captured_s)
        with self._spans.span("draw"):
            self._overlay.draw(frame.image, result, status=self._status())
        if self._recorder is not None:
            with self._spans.span("record"):  # a moment, unless the encoder cannot follow
                self._recorder.write(frame.image, frame.pts_s)
        self._shown = self._labelled = frame.image
        self._present()
        self._count += 1
        self._tracks.add(result)
        if self._policy is FramePolicy.EVERY:
            self._pace.played(frame.pts_s)

    def _note_latency(self, captured_s: float) -> None:
        age_s = self._clock() - captured_s
        self._latency.add(age_s)
        self._latency_ms += 0.1 * (age_s * 1000 - self._latency_ms)
        self._rate.tick(self._clock())

    def _status(self) -> str:
        return f"{self._rate.rate():.0f} fps  {self._latency_ms:.0f} ms"

    def _present(self) -> None:
        """Put the last labelled picture on the screen."""
        if self._window is None or self._shown is None:
            return
        image = self._shown
        if self._help or self._pace.paused:
            image = image.copy()
        if self._pace.paused:
            self._overlay.draw_notice(image, _PAUSED)
        if self._help:
            self._overlay.draw_help(image)
        with self._spans.span("show"):
            self._window.show(image)

    def _act(self) -> None:
        """Do what the user asked for by key or mouse."""
        action = self._poll()
        if action is Action.QUIT:
            self._quit = True
        elif action is Action.PAUSE:
            self._pace.toggle()
            self._present()
        elif action is Action.HELP:
            self._help = not self._help
            self._present()
        elif action is Action.SNAPSHOT and self._shown is not None:
            self._snapshot(self._shown)

    def _poll(self) -> Action | None:
        if self._window is None:
            return None
        with self._spans.span("show"):
            return self._window.poll()

    def _snapshot(self, image: U8) -> None:
        name = datetime.now().astimezone().strftime("gclf-%Y%m%d-%H%M%S-%f")[:-3] + ".png"
        path = self._options.snapshot_dir / name
        try:
            write_picture(path, image)
        except OutputError as error:  # no reason to end a session, and its recording, over it
            self._say(str(error))
        else:
            self._say(f"snapshot: {path}")
