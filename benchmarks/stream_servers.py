"""Network cameras on the loopback, which fail on demand: motion JPEG over HTTP, H.264 over RTSP."""

from __future__ import annotations

import contextlib
import io
import re
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Self

import av
import numpy as np
from PIL import Image

from gclf_live.records import U8

_HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=cut\r\n\r\n"
_SOON_S = 30.0


def until(condition: Callable[[], object], *, soon_s: float = _SOON_S) -> None:
    """Wait for something that is to happen.

    Raises:
        AssertionError: it did not, within ``soon_s`` seconds.
    """
    end_s = time.monotonic() + soon_s
    while not condition():
        if time.monotonic() > end_s:
            raise AssertionError(f"it did not happen within {soon_s:g} s")
        time.sleep(0.005)


def jpeg(image: U8) -> bytes:
    """A BGR picture as JPEG."""
    sink = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image[:, :, ::-1])).save(sink, "JPEG", quality=95)
    return sink.getvalue()


def part(data: bytes) -> bytes:
    """One part of a multipart answer."""
    return b"--cut\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(data), data)


class NetworkCamera:
    """A server that keeps its port over restarts.

    Attributes:
        image: what it sends, uint8, shape (H, W, 3), BGR; may be exchanged at any time.
        interval_s: between two pictures.
        silent: while true it sends nothing, over connections that stay open.
        accepted: connections so far.
    """

    scheme = "http"

    def __init__(self, image: U8, *, interval_s: float = 1 / 30) -> None:
        self.image = image
        self.interval_s = interval_s
        self.silent = False
        self.accepted = 0
        self._listener: socket.socket | None = None
        self._connections: list[socket.socket] = []
        self._port = 0

    @property
    def url(self) -> str:
        return f"{self.scheme}://me:secret@127.0.0.1:{self._port}/live?token=abcdefgh"

    def start(self) -> Self:
        """Take connections from now on."""
        # On Linux SO_REUSEADDR is on, so the port can be had again at once.
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        return self

    def stop(self) -> None:
        """As when the plug is pulled: every connection is cut, and none is taken any more."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._connections.clear()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *ended: object) -> None:
        self.stop()

    def serve(self, connection: socket.socket) -> None:
        """Answer one client until it or the server is gone."""
        connection.recv(4096)
        connection.sendall(_HEAD)
        while True:
            if not self.silent:
                connection.sendall(self.part())
            time.sleep(self.interval_s)

    def part(self) -> bytes:
        """What is sent next."""
        return part(jpeg(self.image))

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                self.accepted += 1
                self._connections.append(connection)
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            self.serve(connection)


class RtspCamera(NetworkCamera):
    """RTSP (RFC 2326) with RTP inside its own connection, packed by libav.

    Attributes:
        damage: changes RTP packets on their way; None loses one.
    """

    scheme = "rtsp"

    def __init__(self, image: U8, *, interval_s: float = 1 / 30) -> None:
        super().__init__(image, interval_s=interval_s)
        self.damage: Callable[[bytes], bytes | None] = lambda packet: packet

    def serve(self, connection: socket.socket) -> None:
        while (request := connection.recv(4096).decode("latin-1")) and not request.startswith("PLAY"):
            connection.sendall(_rtsp_answer(request))
        if request:
            connection.sendall(_rtsp_answer(request))
            self._play(connection)

    def _play(self, connection: socket.socket) -> None:
        sink = _Interleaved(connection, self)
        output = av.open(sink, "w", format="rtp", container_options={"packetsize": "1200"})
        # A key frame every third of a second, as a viewer can only begin with one.
        options = {"preset": "ultrafast", "tune": "zerolatency", "g": "10", "threads": "1"}
        video = output.add_stream("libx264", rate=30, options=options)
        video.height, video.width = self.image.shape[:2]
        video.pix_fmt = "yuv420p"
        index = 0
        # Without a close: libav would write to a connection that is gone.
        while sink.open:
            if not self.silent:
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(self.image), format="bgr24")
                frame.pts = index
                output.mux(video.encode(frame))
            index += 1
            time.sleep(self.interval_s)


class _Interleaved:
    """Takes RTP packets one by one and puts them on the connection (RFC 2326, 10.12)."""

    def __init__(self, connection: socket.socket, camera: RtspCamera) -> None:
        self.open = True
        self._connection, self._camera = connection, camera

    def write(self, data: Any) -> int:
        packet = bytes(data)
        is_report = 200 <= packet[1] <= 204
        sent = packet if is_report else self._camera.damage(packet)
        if sent is not None and self.open:
            try:
                self._connection.sendall(b"$" + bytes([int(is_report)]) + len(sent).to_bytes(2, "big") + sent)
            except OSError:
                self.open = False
        return len(packet)


def _rtsp_answer(request: str) -> bytes:
    numbers = re.findall(r"CSeq: *(\d+)", request)
    lines = ["RTSP/1.0 200 OK", f"CSeq: {numbers[0] if numbers else 0}"]
    body = ""
    if request.startswith("OPTIONS"):
        lines.append("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER")
    elif request.startswith("DESCRIBE"):
        media = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\n"
        body = (
            f"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n{media}a=control:t0\r\n"
        )
        lines += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
    elif request.startswith("SETUP"):
        lines += ["Transport: RTP/AVP/TCP;unicast;interleaved=0-1", "Session: 1"]
    else:
        lines.append("Session: 1")
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()
