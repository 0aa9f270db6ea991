"""What a client may want to know of the model."""

from __future__ import annotations

from gclf_live.model.meta import CheckpointMeta
from gclf_live.serve.limits import Limits

STATEMENT = "a label says how a face looks to a viewer, never who or what a person is"


def model_facts(
    meta: CheckpointMeta, *, name: str, sha256: str, threshold: float, device: str, limits: Limits
) -> dict[str, object]:
    """The document of ``/v1/model``.

    Args:
        meta: what the checkpoint says of itself.
        name: of its file, without folder.
        sha256: of its tensors.
        threshold: confidence below which a face is ``unsure``.
        device: where and how the network runs, in words.
        limits: what is accepted.
    """
    return {
        "name": name,
        "classes": list(meta.classes),
        "threshold": threshold,
        "architecture": meta.architecture,
        "input_px": meta.crop.size_px,
        "trained_on": {"counts": meta.data.get("counts"), "terms": meta.data.get("terms")},
        "sha256": sha256,
        "calibration_error": meta.validation.get("ece"),
        "figures": dict(meta.validation),
        "error_table": [
            {"threshold": row.threshold, "coverage": row.coverage, "error": row.error}
            for row in meta.error_table
        ],
        "device": device,
        "limits": limits.as_json(),
        "statement": STATEMENT,
    }
