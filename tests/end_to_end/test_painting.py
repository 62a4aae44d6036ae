"""A painting through the real processes, over either broker."""

from pathlib import Path

from tests.end_to_end.conftest import Service
from unitatlas import Client, demo, stroke

UPPER = {"size": [2, 1], "runs": [0, 1, 1]}


def test_a_worker_paints_what_a_request_waits_for(service: Service, tmp_path: Path) -> None:
    client: Client = service.client
    demo._await_readiness(client)
    client.register_model("generator", "builtin:scenes-generator", kind="generator", weights={"seed": 0})
    drawn = stroke("draw", [0, 5, 9], UPPER) | {"values": [9.0] * 3}
    first = client.paint("generator", "layer4", [drawn], latent={"seed": 1, "index": 3}, segmentation="colors")
    assert first.pictures["edited"] != first.pictures["unedited"]
    assert first.result is not None
    assert first.result["strokes"] == [{"units": 3, "cells": 32, "of": 64}]
    counted = [sum(change.inside["after"] for change in first.changes), first.result["grid"] ** 2 // 2]
    assert counted[0] == counted[1]  # every pixel has a colour
    again = client.repeat(first)
    assert (again.pictures, again.result) == (first.pictures, first.result)
    assert client.download(first.pictures["edited"], tmp_path / "edited.png").read_bytes().startswith(b"\x89PNG")
