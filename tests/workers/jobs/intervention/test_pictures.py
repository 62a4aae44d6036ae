"""What the curves of an intervention show."""

from typing import Any

from workers.jobs.intervention.pictures import draw_curves

PARAMS = {"order": "iou", "action": "remove", "target": {"name": "tree"}}


def change(concept: str, change: float | None) -> dict[str, Any]:
    return {"category": "object", "concept": concept, "change": change, "change_low": change, "change_high": change}


def test_concepts_that_outgrow_the_target_are_not_drawn_and_leave_their_places_to_others() -> None:
    others = [change("house", 3.0), change("bench", None), *(change(name, -0.5) for name in ("crown", "sky", "roof"))]
    found = {"order": "iou", "size": 1, "target": change("tree", -0.4) | {"random": None}, "others": others}
    picture = draw_curves([{"layer": "layer4", "sets": [found]}], PARAMS)
    assert all(name in picture for name in (b"crown", b"sky", b"roof", b"by IoU"))
    assert b"house" not in picture and b"bench" not in picture
