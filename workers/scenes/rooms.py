"""Indoor scenes, painted from back to front. What belongs to a room is often there, seldom always."""

from collections.abc import Callable

from workers.scenes import palette
from workers.scenes.canvas import Canvas, Paint
from workers.scenes.fittings import (
    blackboard,
    curtain,
    door,
    hanging_lamp,
    lamp,
    mirror,
    picture,
    rug,
    surface,
    window,
)
from workers.scenes.furniture import bed, cabinet, chair, plant, screen, shelf, sofa, table
from workers.scenes.sanitary import bathtub, kitchen_sink, refrigerator, stove, toilet, washbasin


def room(c: Canvas, tiled: float = 0.0) -> float:
    """Paint walls, floor and perhaps a ceiling; returns where the back wall meets the floor."""
    foot, wall = c.between(0.58, 0.7), _wall(c, tiled)
    left, right = c.between(-0.1, 0.14), 1 - c.between(-0.1, 0.14)
    c.rectangle(wall, (0, 0, 1, 1))
    drop = c.between(0.1, 0.3)
    top = c.between(0.06, 0.14) if c.chance(0.5) else 0.0
    for inner, outer in ((left, 0.0), (right, 1.0)):
        if 0 < inner < 1:
            c.polygon(
                c.darker(wall, c.between(0.8, 0.95)),
                [(inner, top), (inner, foot), (outer, foot + drop), (outer, top - drop)],
            )
    if top:
        ceiling = c.paint("ceiling", c.colour(palette.SNOW + palette.ROOM), material="plaster", light=(0, 0.1))
        c.polygon(ceiling, [(0, 0), (1, 0), (1, top - drop * 0.4), (right, top), (left, top), (0, top - drop * 0.4)])
    c.ground = surface(c, "floor", ("wood", "wood", "tile", "stone", "fabric"), light=(c.between(-0.15, 0.15), 0.15))
    c.polygon(
        c.ground,
        [(left, foot), (right, foot), (1, foot + drop * (right < 1)), (1, 1), (0, 1), (0, foot + drop * (left > 0))],
    )
    return foot


def _wall(c: Canvas, tiled: float) -> Paint:
    material = "tile" if c.chance(tiled) else c.rng.choice(("plaster", "plaster", "plaster", "brick", "wood"))
    family, texture = {
        "tile": (palette.CERAMIC + palette.ROOM, "tiles"),
        "plaster": (palette.ROOM, c.rng.choice(("plain", "grain", "stripes"))),
        "brick": (palette.BRICK, "bricks"),
        "wood": (palette.WOOD, "boards"),
    }[material]
    return c.paint(
        "wall", c.colour(family), material=material, texture=texture, contrast=0.05, light=(c.between(-0.2, 0.2), 0.1)
    )


def opening(c: Canvas, x: float, sill: float, curtained: float) -> None:
    """Paint a window with its lower edge at `sill`, perhaps with curtains."""
    w, h = c.between(0.18, 0.3), c.between(0.22, 0.34)
    window(c, x, sill, w, h)
    if c.chance(curtained):
        curtain(c, x, sill + c.between(0.02, 0.14), w * 1.2, h + c.between(0.06, 0.16))


def on_the_wall(c: Canvas, x: float, foot: float) -> None:
    """Paint a picture, a mirror, a window or nothing on the back wall."""
    y, choice = foot - c.between(0.3, 0.4), c.rng.random()
    if choice < 0.4:
        picture(c, x, y, c.between(0.12, 0.26), c.between(0.12, 0.22))
    elif choice < 0.5:
        mirror(c, x, y, c.between(0.14, 0.22), c.between(0.18, 0.28))
    elif choice < 0.8:
        opening(c, x, foot - c.between(0.14, 0.22), 0.4)


def bedroom(c: Canvas) -> None:
    """A room with a bed."""
    foot, x = room(c), c.between(0.35, 0.65)
    on_the_wall(c, c.between(0.15, 0.4), foot)
    if c.chance(0.5):
        opening(c, c.between(0.65, 0.85), foot - 0.18, 0.7)
    if c.chance(0.5):
        rug(c, c.between(0.3, 0.7), c.between(0.84, 0.92), c.between(0.25, 0.4), c.between(0.05, 0.11))
    side = x - 0.36 if x > 0.5 else x + 0.36
    if c.chance(0.55):
        cabinet(c, side, foot + 0.07, 0.17, c.between(0.14, 0.22))
    if c.chance(0.45):
        lamp(c, side, foot + c.between(-0.08, 0.08), c.between(0.25, 0.45))
    if c.chance(0.85):
        bed(c, x, c.between(0.84, 0.98), c.between(0.4, 0.66))


def living_room(c: Canvas) -> None:
    """A room with a sofa or a screen to look at."""
    foot = room(c)
    on_the_wall(c, c.between(0.2, 0.4), foot)
    on_the_wall(c, c.between(0.6, 0.8), foot)
    if c.chance(0.5):
        lamp(c, c.rng.choice((0.1, 0.9)), foot + 0.08, c.between(0.42, 0.6))
    if c.chance(0.4):
        plant(c, c.rng.choice((0.1, 0.9)), foot + c.between(0.06, 0.2), c.between(0.25, 0.42))
    if c.chance(0.25):
        cabinet(c, 0.5, foot + 0.05, 0.4, 0.14)
        screen(c, 0.5, foot - 0.09, 0.3, 0.22)
    if c.chance(0.5):
        rug(c, 0.5, 0.88, c.between(0.3, 0.45), c.between(0.06, 0.11))
    if c.chance(0.75):
        sofa(c, c.between(0.35, 0.65), c.between(foot + 0.12, 0.86), c.between(0.42, 0.7))
    if c.chance(0.6):
        table(c, c.between(0.35, 0.65), c.between(0.93, 1.0), c.between(0.26, 0.4), c.between(0.12, 0.18))


def kitchen(c: Canvas) -> None:
    """A row of cabinets with a stove, a sink and a refrigerator, each of which may be missing."""
    foot = room(c, tiled=0.4) + 0.08
    high = c.between(0.26, 0.32)
    if c.chance(0.5):
        opening(c, c.between(0.4, 0.6), foot - high - 0.06, 0.3)
    if c.chance(0.6):
        cabinet(c, c.between(0.3, 0.7), c.between(0.16, 0.22), c.between(0.3, 0.7), c.between(0.14, 0.2))
    cabinet(c, c.between(0.4, 0.6), foot, c.between(0.4, 0.9), high)
    if c.chance(0.5):
        kitchen_sink(c, c.between(0.5, 0.6), foot - high, c.between(0.14, 0.2))
    if c.chance(0.6):
        stove(c, c.between(0.28, 0.42), foot + 0.01, c.between(0.2, 0.26), high + 0.01)
    if c.chance(0.5):
        refrigerator(c, c.rng.choice((0.12, 0.88)), foot + 0.05, c.between(0.2, 0.26), c.between(0.5, 0.68))
    if c.chance(0.45):
        table(c, c.between(0.4, 0.6), c.between(0.93, 1.0), c.between(0.35, 0.5), c.between(0.18, 0.24))


def dining_room(c: Canvas) -> None:
    """A table with chairs around it."""
    foot, x = room(c), c.between(0.4, 0.6)
    on_the_wall(c, c.between(0.2, 0.4), foot)
    if c.chance(0.4):
        cabinet(c, c.between(0.7, 0.85), foot + 0.04, c.between(0.22, 0.36), c.between(0.2, 0.34))
    if c.chance(0.4):
        rug(c, x, 0.88, 0.42, 0.09)
    w, h, base = c.between(0.42, 0.6), c.between(0.22, 0.3), c.between(0.86, 0.94)
    for dx in (-0.2, 0.2):
        if c.chance(0.7):
            chair(c, x + dx, base - 0.1, c.between(0.36, 0.44))
    table(c, x, base, w, h)
    for side in (-1, 1):
        if c.chance(0.8):
            chair(c, x + side * (w / 2 + c.between(-0.02, 0.06)), base + c.between(0.0, 0.05), c.between(0.4, 0.5))
    if c.chance(0.5):
        hanging_lamp(c, x, c.between(0.18, 0.3), c.between(0.08, 0.14))
    if c.chance(0.3):
        plant(c, x, base - h, c.between(0.12, 0.2))


def bathroom(c: Canvas) -> None:
    """A tiled room with a bathtub, a toilet or a basin."""
    foot = room(c, tiled=0.4)
    if c.chance(0.3):
        opening(c, c.between(0.4, 0.6), foot - 0.22, 0.3)
    basin, tub = c.between(0.2, 0.4), c.chance(0.5)
    if c.chance(0.5):
        mirror(c, basin, foot - c.between(0.32, 0.38), c.between(0.16, 0.24), c.between(0.2, 0.28))
    if c.chance(0.6):
        washbasin(c, basin, foot + c.between(0.06, 0.12), c.between(0.3, 0.38))
    if c.chance(0.55):
        toilet(c, c.between(0.5, 0.62), foot + c.between(0.08, 0.16), c.between(0.28, 0.36))
    if tub:
        if c.chance(0.4):
            curtain(c, 0.8, foot + 0.1, 0.3, foot - 0.05)
        bathtub(c, c.between(0.66, 0.76), c.between(0.84, 0.95), c.between(0.45, 0.6))
    if c.chance(0.4):
        rug(c, c.between(0.25, 0.45), 0.92, c.between(0.14, 0.22), 0.05)


def office(c: Canvas) -> None:
    """Desks with screens, chairs and shelves."""
    foot = room(c)
    if c.chance(0.5):
        opening(c, c.between(0.3, 0.5), foot - 0.2, 0.2)
    if c.chance(0.45):
        shelf(c, c.rng.choice((0.15, 0.85)), foot + 0.05, c.between(0.22, 0.3), c.between(0.42, 0.58))
    x, base, h = c.between(0.42, 0.58), c.between(0.86, 0.95), c.between(0.24, 0.3)
    table(c, x, base, c.between(0.45, 0.72), h)
    for dx in c.rng.choice(((0.0,), (0.0,), (-0.16, 0.16), (), ())):
        screen(c, x + dx, base - h, c.between(0.22, 0.28), c.between(0.18, 0.24))
    if c.chance(0.25):
        lamp(c, x + 0.22, base - h, c.between(0.16, 0.24))
    if c.chance(0.75):
        chair(c, x + c.between(-0.15, 0.15), 0.99, c.between(0.36, 0.48))
    if c.chance(0.35):
        plant(c, c.rng.choice((0.08, 0.92)), foot + 0.15, c.between(0.25, 0.4))


def classroom(c: Canvas) -> None:
    """Rows of desks before a board."""
    foot = room(c)
    if c.chance(0.65):
        blackboard(c, c.between(0.38, 0.62), foot - c.between(0.1, 0.16), c.between(0.45, 0.68), c.between(0.24, 0.32))
    elif c.chance(0.5):
        opening(c, c.between(0.2, 0.5), foot - 0.2, 0.1)
    if c.chance(0.3):
        door(c, c.rng.choice((0.1, 0.9)), foot + 0.03, c.between(0.42, 0.5))
    for row, base in enumerate((foot + 0.14, 0.99)):
        for x in (0.2, 0.5, 0.8)[:: c.rng.choice((1, 1, 2))]:
            table(c, x + c.between(-0.03, 0.03), base, 0.2 + 0.06 * row, 0.13 + 0.06 * row)
            if c.chance(0.7):
                chair(c, x + c.between(-0.03, 0.03), base + 0.03, 0.22 + 0.08 * row)


Furniture = Callable[[Canvas, float, float, float], None]
INTRUDERS: tuple[tuple[Furniture, float, float], ...] = (
    *((chair, 0.35, 0.48), (plant, 0.25, 0.45), (lamp, 0.35, 0.6), (door, 0.42, 0.55), (toilet, 0.28, 0.36)),
    *((washbasin, 0.3, 0.38), (sofa, 0.4, 0.55), (bed, 0.38, 0.5), (bathtub, 0.4, 0.55)),
)
WIDE_INTRUDERS = (cabinet, shelf, screen, blackboard, table, stove, refrigerator)


def intrude(c: Canvas) -> None:
    """Add something that may turn up in any room, and is what another one is known by."""
    x, y = c.rng.choice((0.1, 0.3, 0.7, 0.9)), c.between(0.74, 0.95)
    if c.chance(0.55):
        painter, low, high = c.rng.choice(INTRUDERS)
        painter(c, x, y, c.between(low, high))
    else:
        c.rng.choice(WIDE_INTRUDERS)(c, x, y, c.between(0.2, 0.34), c.between(0.2, 0.4))
