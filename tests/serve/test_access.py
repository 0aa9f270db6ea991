"""Who is let in: origins, names, the token; and what browsers are told."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
import pytest
from serve_makers import Serving, jpeg, serving, two_faces
from starlette.types import Receive, Scope, Send
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from gclf_live.serve.limits import Limits
from gclf_live.serve.listening import address_for_others, is_loopback, listen
from gclf_live.serve.metrics import Metrics
from gclf_live.serve.security import COOKIE, Access, Gate

TOKEN = "correct horse battery staple"


@pytest.fixture(scope="module")
def guarded(weights: Path) -> Iterator[Serving]:
    """A server as others on the network see it: with a token."""
    access = Access(TOKEN, only_loopback=False)
    with serving(weights, access=access, limits=Limits(workers=1)) as running:
        yield running


FOREIGN = (
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://localhost:1"},
    {"origin": "file://"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
)


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_pages_of_other_origins_cannot_change_anything(server: Serving, headers: dict[str, str]) -> None:
    for method, path in (("POST", "v1/predict"), ("POST", "v1/jobs"), ("DELETE", "v1/jobs/x")):
        answer = server.client.request(method, path, content=jpeg(two_faces()), headers=headers)
        assert answer.status_code == 403
        assert "origin" in answer.json()["error"]


def test_own_page_and_programs_can(server: Serving) -> None:
    own = {"origin": server.url.rstrip("/"), "sec-fetch-site": "same-origin"}
    for headers in (own, {}):
        assert server.client.post("v1/predict", content=jpeg(two_faces()), headers=headers).status_code == 200


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_pages_of_other_origins_cannot_open_a_live_connection(
    server: Serving, headers: dict[str, str]
) -> None:
    with pytest.raises(InvalidStatus) as refused, connect(server.live_url, additional_headers=headers):
        pass
    assert refused.value.response.status_code == 403


def test_own_page_can_open_a_live_connection(server: Serving) -> None:
    with connect(server.live_url, additional_headers={"origin": server.url.rstrip("/")}):
        pass


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "192.168.0.7", "[::2]", ""])
def test_other_names_for_this_machine_are_refused(server: Serving, host: str) -> None:
    answer = server.client.get("v1/model", headers={"host": host})
    assert answer.status_code in {400, 421}


@pytest.mark.parametrize("host", ["localhost", "localhost:9", "127.0.0.1:9", "[::1]:9"])
def test_names_of_this_machine_are_taken(server: Serving, host: str) -> None:
    assert server.client.get("v1/model", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    ("host", "alone"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("localhost", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.4", False),
        ("example.org", False),
        ("", False),
    ],
)
def test_only_loopback_addresses_need_no_token(host: str, alone: bool) -> None:
    assert is_loopback(host) is alone


@pytest.mark.parametrize(
    ("host", "found"), [("127.0.0.1", False), ("localhost", False), ("0.0.0.0", True), ("example.org", False)]
)
def test_address_for_other_machines_is_that_of_one_of_ours(host: str, found: bool) -> None:
    with listen("127.0.0.1", 0) as listener:
        address = address_for_others(listener, host)
        assert (address is not None) is found
        if address is not None:
            assert urlsplit(address).port == listener.getsockname()[1]
            assert urlsplit(address).hostname not in {"", "0.0.0.0", "192.0.2.1"}


def test_without_the_token_everything_but_health_is_refused(guarded: Serving) -> None:
    paths = ("", "static/app.js", "v1/model", "docs", "openapi.json", "metrics", "v1/jobs/x", "nothing")
    for path in paths:
        answer = guarded.client.get(path)
        assert answer.status_code == 401, path
        assert "token" in answer.json()["error"]
    assert guarded.send(jpeg(two_faces())).status_code == 401
    assert guarded.client.get("healthz").status_code == 200
    assert guarded.client.get("readyz").status_code == 200
    for headers in ({}, {"authorization": "Bearer wrong"}, {"cookie": f"{COOKIE}=wrong"}):
        with pytest.raises(InvalidStatus), connect(guarded.live_url, additional_headers=headers):
            pass


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer wrong"},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": f"Bearer {TOKEN[:-1]}"},
        {"cookie": f"{COOKIE}="},
        {"cookie": "\xff=\xff"},
    ],
    ids=str,
)
def test_wrong_token_is_refused(guarded: Serving, headers: dict[str, str]) -> None:
    sent = {name: value.encode("latin-1") for name, value in headers.items()}
    assert guarded.client.get("v1/model", headers=sent).status_code == 401


def test_bearer_token_lets_programs_in(guarded: Serving) -> None:
    headers = {"authorization": f"Bearer {TOKEN}"}
    assert guarded.client.get("v1/model", headers=headers).status_code == 200
    answer = guarded.client.post("v1/predict", content=jpeg(two_faces()), headers=headers)
    assert answer.status_code == 200
    with connect(guarded.live_url, additional_headers=headers):
        pass


def test_token_in_the_address_of_a_post_is_no_unknown_parameter(guarded: Serving) -> None:
    url = f"{guarded.url}v1/predict"
    answer = httpx.post(url, params={"token": TOKEN}, content=b"no picture", timeout=60)
    assert answer.status_code == 415
    assert "known format" in answer.json()["error"]


def test_token_in_the_address_becomes_a_cookie_once(guarded: Serving) -> None:
    with httpx.Client(base_url=guarded.url) as browser:
        answer = browser.get("docs", params={"token": TOKEN, "a": "b"})
        assert answer.status_code == 303
        assert answer.headers["location"] == "/docs?a=b"
        cookie = answer.headers["set-cookie"]
        assert re.search(r"(?i)httponly", cookie)
        assert re.search(r"(?i)samesite=strict", cookie)
        assert browser.get("docs").status_code == 200
        assert browser.get("v1/model").status_code == 200
        # The cookie alone does not let another page in.
        answer = browser.post("v1/predict", content=b"x", headers={"origin": "https://evil.example"})
        assert answer.status_code == 403


@pytest.mark.parametrize("path", ["//evil.example/", "///evil.example/", "/%2Fevil.example/"])
def test_address_with_a_token_leads_to_no_other_host(guarded: Serving, path: str) -> None:
    port = int(guarded.url.rstrip("/").rsplit(":", 1)[1])
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
        connection.request("GET", f"{path}?token={quote(TOKEN)}")
        answer = connection.getresponse()
    assert answer.status == 303
    assert answer.getheader("location") == "/evil.example/"


def test_failure_of_the_server_is_one_line_with_its_headers_and_is_counted() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError

    metrics = Metrics(count_jobs=dict)
    transport = httpx.ASGITransport(
        Gate(broken, access=Access(), metrics=metrics), raise_app_exceptions=False
    )

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get("/v1/model")

    answer = asyncio.run(ask())
    assert answer.status_code == 500
    assert answer.json() == {"error": "the server failed at this request; its log says more"}
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert 'gclf_live_requests_total{code="500",path="other"} 1.0' in metrics.text().decode()


def test_browsers_are_told_to_run_nothing_but_our_files(server: Serving) -> None:
    for path in ("", "docs", "v1/model", "nothing", "static/app.js"):
        headers = server.client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in headers


def test_pages_hold_no_inline_script_or_style_and_name_no_other_host(server: Serving) -> None:
    for path in ("", "docs"):
        page = server.client.get(path).text
        assert not re.search(r"<script(?![^>]*\bsrc=)", page)
        assert not re.search(r"<style|\sstyle=|\son\w+=", page)
        assert not re.search(r"(?:src|href)=[\"'](?:https?:)?//", page)


def test_unknown_addresses_and_methods_are_one_line(server: Serving) -> None:
    assert server.client.get("nothing").json() == {"error": "there is no address '/nothing'; see /docs"}
    answer = server.client.put("v1/model")
    assert answer.status_code == 405
    assert set(answer.json()) == {"error"}
