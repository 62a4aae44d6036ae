"""Buildings and roads. (x, y) is the middle of an object's foot, h its height."""

from workers.scenes import palette
from workers.scenes.canvas import Canvas, Colour, Paint

MASONRY = {
    "brick": (palette.BRICK, ("bricks",), 0.16),
    "plaster": (palette.PLASTER, ("plain", "grain"), 0.04),
    "stone": (palette.STONE, ("blocks", "rock"), 0.1),
    "wood": (palette.WOOD + palette.PAINTED, ("planks", "boards"), 0.12),
}


def masonry(c: Canvas, name: str, materials: tuple[str, ...]) -> Paint:
    """A paint for the walls of a building, of one of the given materials."""
    material = c.rng.choice(materials)
    family, textures, contrast = MASONRY[material]
    return c.paint(
        name,
        c.colour(family),
        material=material,
        texture=c.rng.choice(textures),
        contrast=contrast,
        light=(c.between(-0.2, 0.2), 0),
    )


def panes(c: Canvas, name: str) -> Paint:
    """A paint for the windows of a building or a vehicle."""
    return c.paint(name, c.colour(palette.GLASS), part="window", material="glass", light=(0, -0.4))


def entrance(c: Canvas, name: str, x: float, y: float, w: float, h: float, arched: bool = False) -> None:
    """Paint a building's door, (x, y) the middle of its sill."""
    paint = c.paint(name, c.colour(palette.WOOD + palette.PAINTED), part="door", material="wood", texture="boards")
    c.rectangle(paint, (x - w / 2, y - h, x + w / 2, y))
    if arched:
        c.ellipse(paint, x, y - h, w / 2, w / 2)


def roof(c: Canvas, name: str, x: float, y: float, half: float, h: float, hip: float = 0.0) -> None:
    """Paint a roof whose eaves are at y: a gable, or with `hip` > 0 a trapezium."""
    material = c.rng.choice(("tile", "metal", "wood"))
    paint = c.paint(
        name,
        c.colour(palette.ROOF),
        part="roof",
        material=material,
        texture=c.rng.choice(("bands", "tiles", "planks")),
        light=(0, 0.2),
    )
    c.polygon(paint, [(x - half, y), (x - half * hip, y - h), (x + half * hip, y - h), (x + half, y)])


def house(c: Canvas, x: float, y: float, h: float) -> None:
    """Paint a detached house."""
    half, wall = h * c.between(0.5, 0.8), h * c.between(0.52, 0.64)
    c.shadow(x, y, half * 1.15, h * 0.06)
    c.rectangle(masonry(c, "house", ("brick", "plaster", "wood", "stone")), (x - half, y - wall, x + half, y))
    roof(c, "house", x, y - wall, half * 1.15, h - wall, hip=c.rng.choice((0.0, 0.45, 0.7)))
    if c.chance(0.6):
        chimney(c, x + half * c.rng.choice((-0.5, 0.45)), y - h * 0.78, h)
    door = c.rng.choice((-0.5, 0.0, 0.5))
    entrance(c, "house", x + door * half, y, h * 0.15, h * 0.34)
    glass = panes(c, "house")
    for spot in {-0.5, 0.0, 0.5} - {door}:
        size = h * 0.09
        c.rectangle(
            glass, (x + spot * half - size, y - wall * 0.72, x + spot * half + size, y - wall * 0.72 + size * 1.8)
        )


def chimney(c: Canvas, x: float, y: float, h: float) -> None:
    """Paint the chimney of a house h high, (x, y) where it leaves the roof."""
    brick = c.paint("house", c.colour(palette.BRICK), part="chimney", material="brick", texture="bricks")
    c.rectangle(brick, (x - h * 0.06, y - h * 0.32, x + h * 0.06, y))
    c.rectangle(c.darker(brick), (x - h * 0.08, y - h * 0.34, x + h * 0.08, y - h * 0.3))


def church(c: Canvas, x: float, y: float, h: float) -> None:
    """Paint a church: nave, tower with a steeple, arched windows and a door."""
    walls = masonry(c, "church", ("brick", "plaster", "stone", "wood"))
    side = c.rng.choice((-1, 1))
    half, tall, tower = h * c.between(0.28, 0.42), h * c.between(0.28, 0.38), h * c.between(0.1, 0.14)
    c.shadow(x, y, half * 1.5, h * 0.05)
    c.rectangle(walls, (x - half, y - tall, x + half, y))
    roof(c, "church", x, y - tall, half * 1.1, h * 0.2, hip=c.rng.choice((0.0, 0.8)))
    middle = x + side * half * c.between(0.55, 1)
    c.rectangle(c.darker(walls, 0.9), (middle - tower, y - h * 0.62, middle + tower, y))
    steeple(c, middle, y - h * 0.62, tower * 1.15, h * c.between(0.3, 0.42))
    entrance(c, "church", middle, y, tower * 0.9, h * 0.15, arched=True)
    glass = panes(c, "church")
    for i in range(c.rng.randint(2, 3)):
        left = x - side * half * (0.75 - 0.45 * i)
        c.rectangle(glass, (left - h * 0.03, y - tall * 0.7, left + h * 0.03, y - tall * 0.25))
        c.ellipse(glass, left, y - tall * 0.7, h * 0.03, h * 0.04)
    c.ellipse(glass, middle, y - h * 0.48, tower * 0.4, tower * 0.4)


def steeple(c: Canvas, x: float, y: float, half: float, h: float) -> None:
    """Paint a church's spire with a cross on it."""
    slate = c.paint("church", c.colour(palette.ROOF), part="steeple", material="tile", texture="bands", light=(-0.5, 0))
    c.polygon(slate, [(x - half, y), (x, y - h), (x + half, y)])
    c.line(slate, [(x, y - h), (x, y - h - 0.06)], 0.012)
    c.line(slate, [(x - 0.02, y - h - 0.035), (x + 0.02, y - h - 0.035)], 0.012)


def barn(c: Canvas, x: float, y: float, h: float) -> None:
    """Paint a barn with a broken gable roof and a wide crossed door."""
    half, wall = h * c.between(0.6, 0.85), h * 0.52
    c.shadow(x, y, half * 1.15, h * 0.06)
    boards = masonry(c, "barn", ("wood", "wood", "stone"))
    tiles = c.paint(
        "barn", c.colour(palette.ROOF), part="roof", material=c.rng.choice(("metal", "tile")), texture="bands"
    )
    outline = [(-1, 0), (-0.62, 0.62), (0, 1), (0.62, 0.62), (1, 0)]
    c.polygon(tiles, [(x + dx * half * 1.1, y - wall - dy * (h - wall)) for dx, dy in outline])
    c.rectangle(boards, (x - half, y - wall, x + half, y))
    c.polygon(boards, [(x + dx * half * 0.92, y - wall - dy * (h - wall) * 0.86) for dx, dy in outline])
    width, height = half * c.between(0.5, 0.7), wall * 0.85
    entrance(c, "barn", x, y, width, height)
    trim = c.paint("barn", c.colour(palette.PLASTER), part="door", material="wood")
    c.line(trim, [(x - width / 2, y), (x + width / 2, y - height)], 0.012)
    c.line(trim, [(x + width / 2, y), (x - width / 2, y - height)], 0.012)
    c.ellipse(panes(c, "barn"), x, y - wall - (h - wall) * 0.42, h * 0.07, h * 0.07)


def building(c: Canvas, x: float, y: float, w: float, h: float) -> None:
    """Paint a block of flats or offices, w wide, with rows of windows."""
    walls = masonry(c, "building", ("brick", "plaster", "stone", "plaster"))
    c.rectangle(walls, (x - w / 2, y - h, x + w / 2, y))
    glass, columns = panes(c, "building"), max(2, round(w / c.between(0.07, 0.1)))
    step, storey = w / columns, c.between(0.08, 0.11)
    wide, high = step * c.between(0.4, 0.75), storey * c.between(0.45, 0.65)
    for row in range(int((h - 0.05) / storey)):
        top = y - h + 0.035 + row * storey
        for column in range(columns):
            left = x - w / 2 + (column + 0.5) * step - wide / 2
            c.rectangle(glass, (left, top, left + wide, top + high))
    if c.chance(0.6):
        entrance(c, "building", x + c.between(-0.25, 0.25) * w, y, 0.06, 0.1)


def skyline(c: Canvas, y: float, low: float, high: float) -> None:
    """Paint a row of buildings across the picture, their feet at y."""
    x = c.between(-0.1, 0)
    while x < 1:
        w = c.between(0.16, 0.32)
        building(c, x + w / 2, y, w, c.between(low, high))
        x += w + (c.between(0.02, 0.1) if c.chance(0.2) else 0)


def asphalt(c: Canvas) -> Paint:
    """A paint for a road, which becomes the ground."""
    c.ground = c.paint("road", c.colour(palette.ROAD), texture="grain", contrast=0.05, light=(0, c.between(-0.1, 0.2)))
    return c.ground


def _marking(c: Canvas, colour: Colour) -> Paint:
    return c.paint("road", colour, contrast=0.04, texture="grain")


def road_ahead(c: Canvas, horizon: float, vanishing: float, left: float, right: float) -> None:
    """Paint a road that runs from the lower edge to a vanishing point on the horizon."""
    c.polygon(asphalt(c), [(vanishing - 0.015, horizon), (vanishing + 0.015, horizon), (right, 1), (left, 1)])
    lines = _marking(c, c.colour(("f0efe8", "e8c85a"), 6))
    for lane in c.rng.choice(((0.5,), (0.33, 0.67))):
        foot = left + (right - left) * lane
        for near, far in ((1.0, 0.72), (0.55, 0.4), (0.3, 0.22), (0.15, 0.11)):
            ends = [(vanishing + (foot - vanishing) * t, horizon + (1 - horizon) * t) for t in (near, far)]
            c.line(lines, ends, 0.026 * near + 0.004)


def road_across(c: Canvas, top: float, bottom: float) -> None:
    """Paint a road from side to side."""
    c.rectangle(asphalt(c), (0, top, 1, bottom))
    lines = _marking(c, c.colour(("f0efe8", "e8c85a"), 6))
    middle, start = (top + bottom) / 2, c.between(-0.1, 0)
    for i in range(6):
        c.rectangle(lines, (start + i * 0.2, middle - 0.01, start + i * 0.2 + 0.1, middle + 0.01))


def footpath(c: Canvas, horizon: float, x: float) -> None:
    """Paint a winding path from the lower edge up to the horizon."""
    paint = c.paint("path", c.colour(palette.PATH), material="stone", texture=c.rng.choice(("grain", "tiles", "plain")))
    foot, bend, depth = c.between(0.2, 0.8), c.between(-0.2, 0.2), 1 - horizon
    edge = [(foot, 0.17, 1.0), ((foot + x) / 2 + bend, 0.09, 0.6), (x + bend * 0.5, 0.04, 0.25), (x, 0.01, 0.02)]
    left = [(m - w, horizon + depth * t) for m, w, t in edge]
    right = [(m + w, horizon + depth * t) for m, w, t in reversed(edge)]
    c.polygon(paint, left + right)


def fence(c: Canvas, y: float, h: float) -> None:
    """Paint a fence across the picture, of wood or metal."""
    material = c.rng.choice(("wood", "metal"))
    family = palette.WOOD + palette.PLASTER if material == "wood" else palette.METAL
    paint = c.paint("fence", c.colour(family), material=material, texture="grain", contrast=0.08)
    step, width = c.between(0.07, 0.14), c.between(0.016, 0.03)
    for level in c.rng.choice(((0.75, 0.3), (0.85, 0.5, 0.2))):
        c.rectangle(paint, (0, y - h * level - 0.01, 1, y - h * level + 0.012))
    x = c.between(0, step)
    while x < 1:
        c.rectangle(paint, (x, y - h, x + width, y))
        x += step


def chairlift(c: Canvas, top: float, bottom: float) -> None:
    """Paint a chairlift that climbs across the picture from `bottom` to `top`."""
    paint = c.paint("chairlift", c.colour(palette.METAL + palette.DARK), material="metal")
    for x in (0.15, 0.8):
        level = bottom + (top - bottom) * x
        c.rectangle(paint, (x - 0.012, level, x + 0.012, level + 0.3))
        c.rectangle(paint, (x - 0.045, level - 0.01, x + 0.045, level + 0.012))
    c.line(paint, [(0, bottom), (1, top)], 0.009)
    seat = c.paint("chairlift", c.colour(palette.BRIGHT), part="seat", material="metal")
    for x in (0.02, 0.32, 0.5, 0.66, 0.95):
        level = bottom + (top - bottom) * x
        c.line(paint, [(x, level), (x, level + 0.07)], 0.009)
        c.rectangle(seat, (x - 0.035, level + 0.06, x + 0.035, level + 0.095))
