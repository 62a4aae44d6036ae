"""What makes two requests the same work: canonical JSON and the fingerprints over it."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

ANALYSIS_VERSIONS = {"ablation": 1, "attack": 3, "dissection": 3, "import": 1, "intervention": 1, "registration": 1}
"""Version of each kind's analysis code; raised whenever the same request would give other figures."""


def canonical_json(value: Any) -> bytes:
    """The JSON text that all equal values share, whatever the order of their keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def digest(value: Any) -> str:
    """The sha256 of a value's canonical JSON."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def fingerprint(kind: str, params: Mapping[str, Any], inputs: Mapping[str, str]) -> str:
    """The sha256 over all that a job's figures depend on; `inputs` are the digests of what it reads."""
    return digest({"kind": kind, "version": ANALYSIS_VERSIONS[kind], "params": dict(params), "inputs": dict(inputs)})
