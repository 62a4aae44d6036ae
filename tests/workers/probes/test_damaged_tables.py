"""Tables that somebody cut, mixed up or overwrote: every reader lays them out or refuses them in words."""

import json
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import Invalid
from workers.probes import ade20k, broden, coco_panoptic, masks, pascal_voc

COCO = {
    "images": [{"id": 1, "file_name": "a.jpg"}],
    "annotations": [{"image_id": 1, "file_name": "a.png", "segments_info": [{"id": 5, "category_id": 2}]}],
    "categories": [{"id": 2, "name": "cat"}],
}
CASES = {
    masks.read: ({"concepts.csv": "category,number,name\nobject,1,cat\n"}, ["images/a.jpg", "masks/a.png"]),
    broden.read: (
        {
            "index.csv": "image,split,object,scene\na.jpg,val,a.png,2\n",
            "label.csv": "number,name,category\n1,cat,object(1)\n2,sea-s,scene(1)\n",
        },
        ["images/a.jpg", "images/a.png"],
    ),
    pascal_voc.read: ({"ImageSets/Segmentation/val.txt": "a\n"}, ["JPEGImages/a.jpg", "SegmentationClass/a.png"]),
    ade20k.read: (
        {"objectInfo150.txt": "Idx\tName\n1\tcat, puss\n", "sceneCategories.txt": "a sea\n"},
        ["images/a.jpg", "annotations/a.png"],
    ),
    coco_panoptic.read: ({"panoptic_val.json": json.dumps(COCO)}, ["val/a.jpg", "panoptic_val/a.png"]),
}
PIECES = [
    b"",
    b"\n",
    b",",
    b";",
    b"\t",
    b'"',
    b"\x00",
    b"\xff",
    b"0",
    b"[",
    b"]",
    b"{}",
    b"null",
    b"-1",
    b"1e999",
    b"object(1)",
]


@dataclass
class Files:
    """A tree in memory."""

    files: dict[str, bytes]

    @property
    def names(self) -> list[str]:
        return sorted(self.files)

    def read(self, name: str) -> bytes:
        return self.files[name]


@pytest.mark.parametrize("read", CASES, ids=lambda read: read.__module__.rpartition(".")[2])
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_damaged_table_is_laid_out_or_refused(read, data) -> None:
    tables, others = CASES[read]
    whole = {name: text.encode() for name, text in tables.items()} | dict.fromkeys(others, b"")
    assert read(Files(whole)).pictures
    name = data.draw(st.sampled_from(sorted(tables)))
    text = whole[name]
    for _ in range(data.draw(st.integers(1, 3))):
        start, end = sorted(data.draw(st.integers(0, len(text))) for _ in range(2))
        text = text[:start] + data.draw(st.sampled_from(PIECES)) + text[end:]
    try:
        layout = read(Files(whole | {name: text}))
    except Invalid as refusal:
        assert refusal.errors[0]["pointer"] == "/location"
    else:
        assert {mask.file for picture in layout.pictures for mask in picture.masks} <= set(whole)
        assert all(0 < label.label <= len(layout.concepts) for p in layout.pictures for label in p.whole_labels)
