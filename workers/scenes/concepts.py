"""The concepts that the built-in world is made of."""

OBJECTS = (
    *("sky", "cloud", "sun", "mountain", "tree", "bush", "grass", "flower", "field", "water", "sand", "snow", "rock"),
    *("cactus", "road", "path", "fence", "building", "house", "church", "barn", "boat", "car", "person", "parasol"),
    *("bench", "streetlight", "cow", "chairlift", "wall", "floor", "ceiling", "window", "door", "curtain", "bed"),
    *("sofa", "table", "chair", "lamp", "picture", "shelf", "cabinet", "rug", "sink", "bathtub", "toilet", "stove"),
    *("refrigerator", "screen", "blackboard", "plant", "mirror"),
)
PARTS = (
    *("crown", "trunk", "peak", "roof", "window", "door", "chimney", "steeple", "wheel", "hull", "sail", "head"),
    *("leg", "back", "seat", "pillow", "headboard", "shade", "frame", "handle"),
)
MATERIALS = ("wood", "brick", "stone", "plaster", "metal", "glass", "fabric", "tile", "foliage")

CONCEPTS: tuple[tuple[str, str], ...] = (
    *(("object", name) for name in OBJECTS),
    *(("part", name) for name in PARTS),
    *(("material", name) for name in MATERIALS),
)
CATEGORIES = ("object", "part", "material")
NUMBER = {concept: number for number, concept in enumerate(CONCEPTS, start=1)}  # 0 stands for no concept
