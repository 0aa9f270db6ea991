"""What people and machines ask a server: its model, its health, its figures and its description."""

from __future__ import annotations

import re
import tomllib

from prometheus_client.parser import text_string_to_metric_families
from serve_makers import ROOT, Serving, jpeg, two_faces


def figures(server: Serving) -> dict[str, float]:
    """All samples of ``/metrics`` by name and labels."""
    answer = server.client.get("metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_model_says_what_it_is_and_what_is_accepted(server: Serving) -> None:
    facts = server.client.get("v1/model").json()
    assert facts["name"] == "tiny"
    assert facts["classes"] == ["female", "male"]
    assert (facts["threshold"], facts["architecture"], facts["input_px"]) == (0.0, "resnet18", 32)
    assert facts["statement"] == "a label says how a face looks to a viewer, never who or what a person is"
    needed = {"picture_bytes", "picture_pixels", "pictures_per_request", "video_bytes", "video_seconds"}
    assert needed <= set(facts["limits"])
    assert {"sha256", "calibration_error", "figures", "trained_on"} <= set(facts)


def test_server_is_healthy_and_ready(server: Serving) -> None:
    assert server.client.get("healthz").json() == {"status": "ok"}
    assert server.client.get("readyz").json() == {"status": "ready"}


def test_figures_count_what_was_asked(server: Serving) -> None:
    before = figures(server)
    server.send(jpeg(two_faces()))
    server.send(b"no picture")
    server.client.get("v1/jobs/of-nobody")
    server.client.get("nothing/at/all")
    after = figures(server)

    def grown(name: str) -> float:
        return after[name] - before.get(name, 0.0)

    assert grown("gclf_live_requests_total[('code', '200'), ('path', '/v1/predict')]") == 1
    assert grown("gclf_live_requests_total[('code', '415'), ('path', '/v1/predict')]") == 1
    # By the path's template: the ids of jobs would fill the memory, and say who asked for what.
    assert grown("gclf_live_requests_total[('code', '404'), ('path', '/v1/jobs/{job_id}')]") == 1
    assert grown("gclf_live_requests_total[('code', '404'), ('path', 'other')]") == 1
    assert grown("gclf_live_request_seconds_count[('path', '/v1/predict')]") == 2
    assert grown("gclf_live_faces_total[('source', 'picture')]") == 2
    assert after["gclf_live_queue_length[]"] == 0
    states = {"queued", "running", "done", "failed", "cancelled", "interrupted"}
    assert {f"gclf_live_jobs[('state', '{state}')]" for state in states} <= set(after)


def test_description_names_every_address(server: Serving) -> None:
    document = server.client.get("openapi.json").json()
    expected = {
        *("/v1/predict", "/v1/annotate", "/v1/jobs", "/v1/jobs/{job_id}", "/v1/jobs/{job_id}/events"),
        *("/v1/jobs/{job_id}/{name}", "/v1/model", "/healthz", "/readyz", "/metrics"),
    }
    assert set(document["paths"]) == expected
    page = server.client.get("docs")
    assert page.headers["content-type"].startswith("text/html")
    for path in (*expected, "/v1/live"):
        assert path in page.text
    style = re.search(r'href="(/docs[^"]+)"', page.text)
    assert style is not None
    assert server.client.get(style[1]).headers["content-type"].startswith("text/css")


def test_extra_brings_what_the_server_needs_and_tests_have_it_too() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    names = {kind: {re.split(r"[><=;\[ ]", line)[0] for line in lines} for kind, lines in extras.items()}
    assert names["serve"] == {"fastapi", "prometheus-client", "python-multipart", "uvicorn", "websockets"}
    assert names["serve"] <= names["test"]
