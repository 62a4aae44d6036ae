"""What hangs on walls, lies on floors and gives light. (x, y) is the middle of an object's foot, h its height."""

from workers.scenes import palette
from workers.scenes.canvas import Box, Canvas, Paint

SURFACES = {
    "wood": (palette.WOOD + palette.PAINTED, "planks", 0.09),
    "metal": (palette.METAL, "plain", 0.05),
    "fabric": (palette.FABRIC, "weave", 0.1),
    "glass": (palette.GLASS, "plain", 0.0),
    "stone": (palette.STONE, "rock", 0.07),
    "tile": (palette.CERAMIC + palette.ROOM, "tiles", 0.09),
    "plaster": (palette.ROOM, "plain", 0.0),
}


def surface(
    c: Canvas, name: str, materials: tuple[str, ...], part: str | None = None, light: tuple[float, float] = (0.0, -0.15)
) -> Paint:
    """A paint of one of the given materials, in any colour that the material comes in."""
    material = c.rng.choice(materials)
    family, texture, contrast = SURFACES[material]
    return c.paint(
        name, c.colour(family), part=part, material=material, texture=texture, contrast=contrast, light=light
    )


def framed(c: Canvas, name: str, box: Box, width: float = 0.02) -> Box:
    """Paint the frame of a picture, window or mirror; returns the opening inside."""
    c.rectangle(surface(c, name, ("wood", "metal"), part="frame"), box)
    x0, y0, x1, y1 = box
    return x0 + width, y0 + width, x1 - width, y1 - width


def window(c: Canvas, x: float, y: float, w: float, h: float) -> None:
    """Paint a window with a cross in it, (x, y) the middle of its sill."""
    box = (x - w / 2, y - h, x + w / 2, y)
    x0, y0, x1, y1 = framed(c, "window", box)
    c.rectangle(
        c.paint("window", c.colour(palette.SKY + palette.GLASS), material="glass", light=(0, 0.4)), (x0, y0, x1, y1)
    )
    bars = surface(c, "window", ("wood",), part="frame")
    c.rectangle(bars, (x - 0.008, y0, x + 0.008, y1))
    if c.chance(0.6):
        c.rectangle(bars, (x0, y - h * 0.55, x1, y - h * 0.55 + 0.016))


def curtain(c: Canvas, x: float, y: float, w: float, h: float) -> None:
    """Paint a pair of curtains beside an opening w wide, hanging down to y."""
    material = c.rng.choice(("stripes", "boards", "weave"))
    cloth = c.paint(
        "curtain", c.colour(palette.FABRIC + palette.ROOM), material="fabric", texture=material, contrast=0.1
    )
    for side in (-1, 1):
        outer, inner = x + side * w * c.between(0.62, 0.75), x + side * w * c.between(0.25, 0.4)
        c.polygon(cloth, [(outer, y - h), (x + side * w * 0.2, y - h), (inner, y), (outer, y)])


def door(c: Canvas, x: float, y: float, h: float) -> None:
    """Paint a door with panels and a handle."""
    leaf, half = surface(c, "door", ("wood",)), h * c.between(0.2, 0.25)
    c.rectangle(c.darker(leaf, 0.6), (x - half - 0.015, y - h - 0.015, x + half + 0.015, y))
    c.rectangle(leaf, (x - half, y - h, x + half, y))
    for top, bottom in ((0.9, 0.56), (0.45, 0.1)):
        c.rectangle(c.darker(leaf, 0.85), (x - half * 0.65, y - h * top, x + half * 0.65, y - h * bottom))
    c.ellipse(surface(c, "door", ("metal",), part="handle"), x + half * 0.8, y - h * 0.48, 0.015, 0.015)


def picture(c: Canvas, x: float, y: float, w: float, h: float) -> None:
    """Paint a framed picture, (x, y) its middle."""
    x0, y0, x1, y1 = framed(c, "picture", (x - w / 2, y - h / 2, x + w / 2, y + h / 2), 0.015)
    low, high = (c.paint("picture", c.colour(palette.FABRIC + palette.BRIGHT), texture="cloud") for _ in range(2))
    c.rectangle(high, (x0, y0, x1, y1))
    c.polygon(
        low,
        [
            (x0, y1),
            (x0, y + h * c.between(-0.2, 0.3)),
            (x, y + h * c.between(-0.3, 0.2)),
            (x1, y + h * c.between(0, 0.3)),
            (x1, y1),
        ],
    )


def mirror(c: Canvas, x: float, y: float, w: float, h: float) -> None:
    """Paint a mirror, round or square, (x, y) its middle."""
    glass = c.paint("mirror", c.colour(palette.GLASS), material="glass", light=(0.4, 0.25))
    if c.chance(0.5):
        c.ellipse(surface(c, "mirror", ("wood", "metal"), part="frame"), x, y, w / 2, h / 2)
        c.ellipse(glass, x, y, w / 2 - 0.02, h / 2 - 0.02)
    else:
        c.rectangle(glass, framed(c, "mirror", (x - w / 2, y - h / 2, x + w / 2, y + h / 2)))


def rug(c: Canvas, x: float, y: float, rx: float, ry: float) -> None:
    """Paint a rug, oval or drawn in perspective."""
    for gain in (1.0, 0.75):
        cloth = surface(c, "rug", ("fabric",))
        if ry < 0.08:
            c.ellipse(cloth, x, y, rx * gain, ry * gain)
        else:
            top, bottom = y - ry * gain, y + ry * gain
            c.polygon(
                cloth,
                [
                    (x - rx * gain * 0.8, top),
                    (x + rx * gain * 0.8, top),
                    (x + rx * gain, bottom),
                    (x - rx * gain, bottom),
                ],
            )


def lamp(c: Canvas, x: float, y: float, h: float) -> None:
    """Paint a standing lamp."""
    stand = surface(c, "lamp", ("metal", "wood"))
    c.rectangle(stand, (x - 0.01, y - h, x + 0.01, y))
    c.ellipse(stand, x, y, h * 0.12, 0.018)
    lampshade(c, x, y - h * 0.72, h * c.between(0.14, 0.2), h * 0.3)


def hanging_lamp(c: Canvas, x: float, y: float, half: float) -> None:
    """Paint a lamp that hangs from the ceiling down to y."""
    c.rectangle(surface(c, "lamp", ("metal",)), (x - 0.007, 0, x + 0.007, y - half))
    lampshade(c, x, y, half, half * 0.9)


def lampshade(c: Canvas, x: float, y: float, half: float, h: float) -> None:
    """Paint a shade whose lower rim is at y."""
    cloth = c.paint(
        "lamp", c.colour(palette.SUN + palette.FABRIC + palette.SNOW), part="shade", material="fabric", light=(0, 0.3)
    )
    c.polygon(cloth, [(x - half, y), (x - half * 0.6, y - h), (x + half * 0.6, y - h), (x + half, y)])


def blackboard(c: Canvas, x: float, y: float, w: float, h: float) -> None:
    """Paint a school board with some writing, (x, y) the middle of its lower edge."""
    box = framed(c, "blackboard", (x - w / 2, y - h, x + w / 2, y), 0.018)
    board = c.paint("blackboard", c.colour(palette.BOARD), texture="cloud", contrast=0.05)
    c.rectangle(board, box)
    chalk = c.darker(board, 2.2 if sum(board.colour) < 380 else 0.5)
    for row in range(c.rng.randint(1, 3)):
        top, left = box[1] + 0.04 + 0.06 * row, box[0] + c.between(0.03, 0.12)
        while left < box[2] - 0.12 and top < box[3] - 0.03:
            right = left + c.between(0.03, 0.09)
            c.line(chalk, [(left, top), (right, top + c.between(-0.008, 0.008))], 0.009)
            left = right + 0.025
