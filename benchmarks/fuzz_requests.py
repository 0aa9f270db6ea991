"""HTTP as no browser sends it, made by number: what ``benchmarks.fuzz_api`` sends byte by byte."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from benchmarks.fuzz import mutate
from benchmarks.fuzz_server import SECRET

_CRLF = b"\r\n"
_NUMBERS = (
    *("nan", "-nan", "inf", "-1", "1e400", "-0", "1e-400", "0x1p3", "1_0", "0,5", "\u0664"),
    *("true", "null", "", " 0.5 ", "9" * 5000, "0.5\x00", "[0.5]", "0.5;0.5", "\ud7ff", "%", "%zz"),
)  # fmt: skip
_TYPES = (
    *(b"", b"text/html", b"application/json", b"image/svg+xml", b"multipart/form-data", b"multipart/mixed"),
    *(b"multipart/form-data; boundary=", b'multipart/form-data; boundary="', b"multipart/form-data;;;=;"),
    *(b"multipart/form-data; boundary=" + b"x" * 5000, b"multipart/form-data; boundary*=utf-8''%00"),
    *(b"multipart/form-data; boundary*0=a; boundary*1=b", b"multipart/form-data; boundary=\xe4\xff"),
    *(b"image/jpeg; charset=\x80", b"/", b";", b"\xff\xfe", b"a" * 20_000),
)
_LENGTHS = (
    *(b"-1", b"+5", b"0x10", b"1e3", b"5, 5", b"5, 6", b"", b" ", b"9" * 19, b"9" * 25, b"9" * 5000, b"\xb2"),
)
_FILE_NAMES = (
    *(b'filename="../../%s.jpg"', b'filename="%s\x00.jpg"', b'filename="C:\\%s.jpg"', b"filename=%s"),
    *(b"filename*=utf-8''%s%%00", b"filename*=nope'x'%s", b"filename*=utf-8''%%ff%s", b"filename*0=%s"),
    *(b'filename="%s', b"filename*=%s", b'filename="%s\\"', b'filename="\xff%s"', b"filename*='' %s"),
)
_NAMES = (
    *("", "/", "//", "..", "../..", "%2e%2e", "..%2f..%2fetc%2fpasswd", "%00", "a%00b", "%ff%fe", "%", "%zz"),
    *(
        ".",
        "x" * 300,
        "x" * 20_000,
        "%f0%9f%98%80",
        "a;b",
        "a?b=c#d",
        "*",
        "{job}",
        "{{}}",
        "$HOME",
        "\\..\\",
    ),
    *("source", "video.mp4", "report.html", "tracks.csv/", "events", "events/..", "video.mp4%00.csv"),
)
_PLACES = (
    *("/{}", "/v1/jobs/{}", "/v1/jobs/{job}/{}", "/static/{}", "/docs/{}", "/v1/{}", "{}", "http://{}/"),
    *("/v1/jobs/{job}", "/v1/jobs/{job}/video.mp4", "/v1/jobs/{job}/events", "/static/app.js", "/v1/live"),
)
_METHODS = (
    *(b"GET", b"GET", b"GET", b"HEAD", b"PUT", b"OPTIONS", b"PATCH", b"TRACE", b"CONNECT", b"PRI", b"get"),
)
_ODD_VALUES: dict[bytes, tuple[bytes, ...]] = {
    b"Host": (b"", b"evil.example", b"[::1", b"[", b"localhost:99999999", b"a b", b"\xff"),
    b"Origin": (b"null", b"http://[", b"http://[::1", b"http://evil.example", b"\xff", b"//", b""),
    b"origin": (b"http://a:b:c", b"http://\xb2:\xb2", b"http://[v1.a]"),
    b"Sec-Fetch-Site": (b"cross-site", b"\xff", b""),
    b"Cookie": (b"gclf_live_token", b'a="', b"\xff=\xff", b"; ;=;" * 999, b"a=\\400"),
    b"Authorization": (b"Bearer", b"Bearer \xff", b"Basic Og==", b" "),
    b"Range": (b"bytes=-", b"bytes=5-2", b"bytes=0-" + b"9" * 4500, b"bytes=a-b", b"lines=1", b"bytes=-0"),
    b"range": (b"bytes=" + b"0-1," * 2000, b"bytes=99999999999-", b"bytes=,", b"\xff"),
    b"If-Range": (b"\xff", b"Thu, 99 Foo 99999"),
    b"If-Modified-Since": (b"Thu, 99 Foo 99999 99:99:99 +9999999", b"\xff", b"0"),
    b"If-None-Match": (b'W/"', b"*", b"\xff"),
    b"Expect": (b"100-continue", b"200-ok", b""),
    b"Upgrade": (b"h2c", b"websocket", b"\xff"),
    b"Accept-Encoding": (b"gzip;q=nan", b"\xff"),
    b"Connection": (b"upgrade", b"close, keep-alive", b"\xff"),
}
_HEADERS = tuple((name, value) for name, values in _ODD_VALUES.items() for value in values)


class Ending(Enum):
    """What the sender does once it has sent all."""

    WAIT = "wait"
    """For the answer: the request is whole."""
    HALF = "half"
    """Waits a moment, then says that no more will come: perhaps it is whole."""
    CLOSE = "close"
    """Goes away."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One connection.

    Attributes:
        pieces: what is sent, one after the other.
        ending: and then.
    """

    pieces: tuple[bytes, ...]
    ending: Ending = Ending.HALF


@dataclass(frozen=True, slots=True)
class Good:
    """What is made worse.

    Attributes:
        pictures, videos: whole files.
        job: id of a job that is done and kept.
    """

    pictures: Sequence[bytes]
    videos: Sequence[bytes]
    job: str


Make = Callable[[Good, random.Random], Attack]


def request(method: bytes, path: bytes, headers: Sequence[tuple[bytes, bytes]], body: bytes = b"") -> bytes:
    """A whole request; ``Host`` and ``Connection: close`` go before the headers that are given."""
    own = {name.lower() for name, _ in headers}
    usual = [(b"Host", b"localhost"), (b"Connection", b"close")]
    lines = [*(pair for pair in usual if pair[0].lower() not in own), *headers]
    if body and not own & {b"content-length", b"transfer-encoding"}:
        lines.append((b"Content-Length", str(len(body)).encode()))
    head = b"".join(b"%s: %s\r\n" % pair for pair in lines)
    return b"%s %s HTTP/1.1\r\n%s\r\n%s" % (method, path, head, body)


def form(parts: Sequence[tuple[bytes, bytes]], boundary: bytes = b"cut") -> tuple[tuple[bytes, bytes], bytes]:
    """Header and body of a form: each part is its disposition after ``form-data; `` and its content."""
    body = b"".join(
        b"--%s\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (boundary, disposition, content)
        for disposition, content in parts
    )
    kind = (b"Content-Type", b"multipart/form-data; boundary=" + boundary)
    return kind, body + b"--%s--\r\n" % boundary


def make_attack(good: Good, draw: random.Random) -> Attack:
    """One of all that is known here."""
    return draw.choice(_MAKERS)(good, draw)


def _target(good: Good, draw: random.Random) -> tuple[bytes, bytes, bytes]:
    """An address that takes files, one for it, and how the form calls that."""
    path = draw.choice((b"/v1/predict", b"/v1/predict", b"/v1/annotate", b"/v1/jobs"))
    is_video = path == b"/v1/jobs"
    content = draw.choice(good.videos if is_video else good.pictures)
    return (
        path,
        content,
        b'name="file"; filename="%s%s"' % (SECRET.encode(), b".mp4" if is_video else b".jpg"),
    )


def _odd_type(good: Good, draw: random.Random) -> Attack:
    path, content, _ = _target(good, draw)
    return Attack((request(b"POST", path, [(b"Content-Type", draw.choice(_TYPES))], content),), Ending.WAIT)


def _broken_form(good: Good, draw: random.Random) -> Attack:
    path, content, disposition = _target(good, draw)
    kind, body = form(
        [(disposition, content[: draw.choice((50, 5000, 10**6))]), (b'name="threshold"', b"0.5")]
    )
    return Attack((request(b"POST", path, [kind], mutate(body, content, draw) or b"-"),), Ending.WAIT)


def _odd_fields(good: Good, draw: random.Random) -> Attack:
    path, content, disposition = _target(good, draw)
    number = draw.choice(_NUMBERS).encode("utf-8", "surrogatepass")
    named = b'name="file"; ' + draw.choice(_FILE_NAMES) % SECRET.encode()
    extra = draw.choice(
        (
            [(b'name="threshold"', number)],
            [(b'name="threshold"', b"0.5"), (b'name="threshold"', number)],
            [(b'name="privacy"', draw.choice((b"maybe", b"TRUE", b"\xff", b"1" * 2000)))],
            [(b'name="%d"' % i, b"x") for i in range(draw.choice((5, 150)))],
            [(b'name="%s"' % (b"n" * 5000), b"x"), (b"name", b"x"), (b"", b"x")],
            [(named, content)] * draw.choice((1, 20)),
            [(b'name="file"', content)],
            [(b'name="other"; filename="%s"' % SECRET.encode(), content)],
        )
    )
    first = [] if draw.random() < 0.3 else [(disposition, content)]
    kind, body = form([*first, *extra])
    return Attack((request(b"POST", path, [kind], body),), Ending.WAIT)


def _odd_number(good: Good, draw: random.Random) -> Attack:
    path, content, _ = _target(good, draw)
    name = draw.choice(("threshold", "threshold", "token", "thresh%00old", "x" * 5000))
    values = [draw.choice(_NUMBERS) for _ in range(draw.choice((1, 1, 2, 500)))]
    query = "&".join(f"{name}={''.join(f'%{byte:02x}' for byte in value.encode())}" for value in values)
    return Attack(
        (request(b"POST", path + b"?" + query.encode("ascii", "replace"), [], content),), Ending.WAIT
    )


def _lying_length(good: Good, draw: random.Random) -> Attack:
    path, content, _ = _target(good, draw)
    body = content[:3000]
    wrong = draw.choice((*_LENGTHS, b"%d" % (len(body) + 500), b"%d" % (len(body) // 2), b"0"))
    headers = [(b"Content-Length", wrong)]
    if draw.random() < 0.3:
        headers.append(draw.choice(((b"Content-Length", b"7"), (b"Transfer-Encoding", b"chunked"))))
    return Attack((request(b"POST", path, headers, body),), draw.choice((Ending.HALF, Ending.CLOSE)))


def _broken_chunks(good: Good, draw: random.Random) -> Attack:
    path, content, _ = _target(good, draw)
    head = request(
        b"POST", path, [(b"Transfer-Encoding", draw.choice((b"chunked", b"chunked", b"gzip, chunked", b"x")))]
    )
    size = draw.choice((1, 100, 5000))
    pieces = [content[i : i + size] for i in range(0, min(len(content), 100 * size), size)]
    chunks = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces]
    stop = draw.randrange(len(chunks) + 1)
    wrong = draw.choice(
        (
            b"zz\r\n",
            b"-1\r\n",
            b"f" * 30 + _CRLF,
            b"5\r\nabc",
            b"\r\n",
            b"0\r\nX: \xff\r\n\r\n",
            b"",
            b"5;" + b"x" * 30_000,
        )
    )
    if draw.random() < 0.3:
        return Attack((head, *chunks, b"0\r\n\r\n"), Ending.HALF)
    return Attack((head, *chunks[:stop], wrong), draw.choice((Ending.HALF, Ending.CLOSE)))


def _odd_path(good: Good, draw: random.Random) -> Attack:
    place = draw.choice(_PLACES).replace("{job}", good.job)
    path = place.replace("{}", draw.choice(_NAMES).replace("{job}", good.job))
    if draw.random() < 0.2:
        path += "?" + draw.choice(_NAMES)
    headers = [draw.choice(_HEADERS)] if draw.random() < 0.3 else []
    return Attack((request(draw.choice(_METHODS), path.encode(), headers),))


def _odd_header(good: Good, draw: random.Random) -> Attack:
    headers = [draw.choice(_HEADERS) for _ in range(draw.choice((1, 1, 2, 5)))]
    if draw.random() < 0.5:
        path, content, _ = _target(good, draw)
        return Attack((request(b"POST", path, headers, content),))
    paths = ("/", "/metrics", "/v1/model", "/static/app.js", "/v1/jobs/{job}/video.mp4", "/v1/jobs/{job}")
    return Attack((request(b"GET", draw.choice(paths).replace("{job}", good.job).encode(), headers),))


def _mutated(good: Good, draw: random.Random) -> Attack:
    """A request that was right, with bits flipped, pieces cut, repeated and exchanged."""
    path, content, disposition = _target(good, draw)
    kind, body = form([(disposition, content)])
    whole = request(b"POST", path, [kind], body)
    return Attack((mutate(whole, content, draw),), draw.choice((Ending.HALF, Ending.HALF, Ending.CLOSE)))


def _no_http(good: Good, draw: random.Random) -> Attack:
    return Attack(
        (
            draw.choice(
                (
                    draw.randbytes(draw.choice((1, 100, 100_000))),
                    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + draw.randbytes(500),
                    b"GET / HTTP/9.9\r\n\r\n",
                    b"GET /\r\n\r\n",
                    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                    b"GET / HTTP/1.0\r\n\r\n",
                    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000,
                    b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000,
                    b"\r\n" * 1000,
                    good.pictures[0],
                )
            ),
        ),
        draw.choice((Ending.HALF, Ending.CLOSE)),
    )


def _in_a_row(good: Good, draw: random.Random) -> Attack:
    """Several requests that do not wait for the answers."""
    alive = [(b"Connection", b"keep-alive")]
    several = []
    for _ in range(draw.choice((2, 5, 30))):
        path, content, _ = _target(good, draw)
        if path == b"/v1/jobs" or draw.random() < 0.5:
            several.append(request(b"GET", draw.choice((b"/healthz", b"/v1/model", b"/none")), alive))
        else:
            several.append(request(b"POST", path, alive, content[:2000]))
    return Attack((b"".join(several),), draw.choice((Ending.HALF, Ending.CLOSE)))


def _going_away(good: Good, draw: random.Random) -> Attack:
    path, content, disposition = _target(good, draw)
    kind, body = form([(disposition, content)])
    whole = request(b"POST", path, [kind], body)
    return Attack((whole[: draw.randrange(len(whole) + 1)],), Ending.CLOSE)


_MAKERS: tuple[Make, ...] = (
    *(_odd_type, _broken_form, _broken_form, _odd_fields, _odd_fields, _odd_number, _lying_length),
    *(_broken_chunks, _odd_path, _odd_path, _odd_header, _odd_header, _mutated, _mutated, _no_http),
    *(_in_a_row, _going_away),
)
