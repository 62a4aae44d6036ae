"""Format `pascal-voc`: JPEGImages, SegmentationClass and ImageSets of the Pascal VOC challenges 2007 to 2012."""

from workers.probes.images import decode_mask
from workers.probes.layout import Concept, Layout, Mask, Numbering, Picture
from workers.probes.places import check_files, find_folder, names_below
from workers.probes.tables import read_lines
from workers.probes.trees import Tree

OBJECTS = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
VOID = 255  # a pixel on the edge of an object, or of one too hard to name
NUMBERING = Numbering({number: number for number in range(1, len(OBJECTS) + 1)} | {VOID: 0})
MASKS = "SegmentationClass"


def read(tree: Tree) -> Layout:
    """Lay out the validation images, or all with a mask where no list names those; raise Invalid with the faults."""
    masks = find_folder(tree.names, MASKS)
    root = masks.removesuffix(f"{MASKS}/")
    listing = f"{root}ImageSets/Segmentation/val.txt"
    tables = [listing] if listing in tree.names else []
    names = {line.strip() for line in read_lines(tree, listing)} - {""} if tables else names_below(tree, masks, ".png")
    pictures = [
        Picture(
            name,
            f"{root}JPEGImages/{name}.jpg",
            masks=(Mask(0, f"{masks}{name}.png", decode_mask, NUMBERING, exact=True),),
        )
        for name in sorted(names)
    ]
    check_files(tree, pictures)
    return Layout(pictures, [Concept("object", name) for name in OBJECTS], [], ["object"], tables)
