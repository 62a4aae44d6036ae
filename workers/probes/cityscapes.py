"""Format `cityscapes`: leftImg8bit and the fine annotations of gtFine, as the benchmark unpacks."""

from workers.probes.images import decode_mask
from workers.probes.layout import Concept, Layout, Mask, Numbering, Picture
from workers.probes.places import check_files, find_folder, first_part, names_below
from workers.probes.trees import Tree

IMAGE, MASK = "_leftImg8bit.png", "_gtFine_labelIds.png"
PARTS = ("val/", "train/")  # the masks of the test part show nothing
FIRST = 7  # lower numbers are void: unlabelled, the car of the camera, borders, what stands or moves without a name
OBJECTS = (
    *("road", "sidewalk", "parking", "rail track", "building", "wall", "fence", "guard rail", "bridge", "tunnel"),
    *("pole", "polegroup", "traffic light", "traffic sign", "vegetation", "terrain", "sky", "person", "rider"),
    *("car", "truck", "bus", "caravan", "trailer", "train", "motorcycle", "bicycle"),
)
NUMBERING = Numbering({number: max(0, number - FIRST + 1) for number in range(FIRST + len(OBJECTS))})


def read(tree: Tree) -> Layout:
    """Lay out the validation images, else the training images, else all; raise Invalid with the faults."""
    masks = find_folder((name for name in tree.names if name.endswith(MASK)), "gtFine")
    images = find_folder((name for name in tree.names if name.endswith(IMAGE)), "leftImg8bit")
    found = {*names_below(tree, images, IMAGE), *names_below(tree, masks, MASK)}
    part = first_part(list(found), PARTS)
    pictures = [
        Picture(
            name.rpartition("/")[2],
            f"{images}{name}{IMAGE}",
            masks=(Mask(0, f"{masks}{name}{MASK}", decode_mask, NUMBERING, exact=True),),
        )
        for name in sorted(found)
        if name.startswith(part)
    ]
    check_files(tree, pictures)
    return Layout(pictures, [Concept("object", name) for name in OBJECTS], [], ["object"], [])
