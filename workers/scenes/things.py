"""Vehicles, people, animals and street furniture. (x, y) is the middle of an object's foot, h its height."""

from workers.scenes import palette
from workers.scenes.built import panes
from workers.scenes.canvas import Canvas


def car(c: Canvas, x: float, y: float, h: float) -> None:
    """Paint a car or a van from the side."""
    body = c.paint("car", c.colour(palette.BRIGHT + palette.METAL), material="metal", light=(0, -0.35))
    half, side = h * c.between(1.0, 1.35), c.rng.choice((-1, 1))
    rear, front = c.rng.choice(((0.6, 0.35), (0.85, 0.3), (0.95, 0.7)))
    c.shadow(x, y, half * 1.1, h * 0.14)
    cabin = [(-rear - 0.06, 0.5), (-rear + 0.1, 1), (front - 0.1, 1), (front + 0.18, 0.5)]
    c.polygon(
        body, [(x - half, y - h * 0.2), (x - half, y - h * 0.58), (x + half, y - h * 0.55), (x + half, y - h * 0.2)]
    )
    c.polygon(body, [(x + side * dx * half, y - h * dy) for dx, dy in cabin])
    glass = panes(c, "car")
    for left, right in ((-rear + 0.08, -0.14), (-0.06, front)):
        window = [(left, 0.56), (left + 0.06, 0.9), (right - 0.06, 0.9), (right, 0.56)]
        c.polygon(glass, [(x + side * dx * half, y - h * dy) for dx, dy in window])
    tyre = c.paint("car", c.colour(palette.DARK), part="wheel")
    hub = c.paint("car", c.colour(palette.METAL), part="wheel", material="metal")
    for dx in (-0.58, 0.6):
        c.ellipse(tyre, x + dx * half, y - h * 0.18, h * 0.2, h * 0.2)
        c.ellipse(hub, x + dx * half, y - h * 0.18, h * 0.08, h * 0.08)


def boat(c: Canvas, x: float, y: float, h: float) -> None:
    """Paint a sailing or a motor boat."""
    material = c.rng.choice(("wood", "metal"))
    hull = c.paint(
        "boat",
        c.colour(palette.PAINTED + palette.WOOD),
        part="hull",
        material=material,
        texture="planks",
        light=(0, -0.3),
    )
    half = h * c.between(0.42, 0.58)
    if c.chance(0.65):
        _rigging(c, x, y, h, half)
    else:
        cabin = c.paint("boat", c.colour(palette.PLASTER), material=material)
        c.rectangle(cabin, (x - half * 0.6, y - h * 0.5, x + half * 0.3, y - h * 0.15))
        c.rectangle(panes(c, "boat"), (x - half * 0.5, y - h * 0.43, x + half * 0.2, y - h * 0.3))
    c.polygon(
        hull, [(x - half, y - h * 0.2), (x + half * 1.1, y - h * 0.22), (x + half * 0.75, y), (x - half * 0.8, y)]
    )


def _rigging(c: Canvas, x: float, y: float, h: float, half: float) -> None:
    mast = c.paint("boat", c.colour(palette.WOOD), material="wood")
    cloth = c.paint("boat", c.colour(palette.FABRIC + palette.SNOW), part="sail", material="fabric", light=(0.3, 0))
    c.rectangle(mast, (x - 0.008, y - h, x + 0.008, y - h * 0.15))
    side = c.rng.choice((-1, 1))
    c.polygon(
        cloth,
        [(x + side * 0.012, y - h * 0.96), (x + side * half * 0.85, y - h * 0.3), (x + side * 0.012, y - h * 0.28)],
    )
    if c.chance(0.6):
        c.polygon(
            cloth,
            [(x - side * 0.014, y - h * 0.85), (x - side * half * 0.8, y - h * 0.28), (x - side * 0.014, y - h * 0.28)],
        )


def person(c: Canvas, x: float, y: float, h: float) -> None:
    """Paint a standing person."""
    legs = c.paint("person", c.colour(palette.FABRIC + palette.DARK), part="leg", material="fabric")
    coat = c.paint("person", c.colour(palette.BRIGHT + palette.FABRIC), material="fabric", light=(-0.3, 0))
    skin = c.paint("person", c.colour(palette.SKIN), part="head")
    c.shadow(x, y, h * 0.2, h * 0.04)
    stride = h * c.between(0.02, 0.1)
    for side in (-1, 1):
        c.line(legs, [(x + side * 0.03 * h, y - h * 0.45), (x + side * stride, y)], h * 0.11)
        c.line(
            coat, [(x + side * 0.1 * h, y - h * 0.76), (x + side * h * c.between(0.14, 0.26), y - h * 0.46)], h * 0.08
        )
    c.polygon(
        coat,
        [
            (x - 0.14 * h, y - h * 0.8),
            (x + 0.14 * h, y - h * 0.8),
            (x + 0.11 * h, y - h * 0.4),
            (x - 0.11 * h, y - h * 0.4),
        ],
    )
    c.ellipse(skin, x, y - h * 0.9, h * 0.085, h * 0.1)
    hair = c.paint("person", c.colour(palette.DARK + palette.WOOD), part="head")
    c.ellipse(hair, x, y - h * 0.96, h * 0.09, h * 0.055)


def skier(c: Canvas, x: float, y: float, h: float) -> None:
    """Paint a person on skis, leaning down the slope."""
    wood = c.paint("person", c.colour(palette.BRIGHT), part="leg", material="wood")
    for dy in (0, 0.03):
        c.line(wood, [(x - h * 0.5, y - 0.03 - dy), (x + h * 0.5, y + 0.04 - dy)], 0.016)
    person(c, x, y, h)
    pole = c.paint("person", c.colour(palette.DARK), material="metal")
    for side in (-1, 1):
        c.line(pole, [(x + side * 0.22 * h, y - 0.5 * h), (x + side * 0.32 * h, y)], 0.008)


def cow(c: Canvas, x: float, y: float, h: float) -> None:
    """Paint a cow or a horse, perhaps with patches."""
    family = palette.BARK + palette.SNOW + palette.DARK
    hide = c.paint("cow", c.colour(family), texture="plain", light=(0, -0.3))
    leg = c.paint("cow", c.colour(family), part="leg")
    side = c.rng.choice((-1, 1))
    c.shadow(x, y, h * 0.8, h * 0.1)
    for dx in (-0.5, -0.32, 0.32, 0.5):
        c.rectangle(leg, (x + dx * h - h * 0.06, y - h * 0.5, x + dx * h + h * 0.06, y))
    c.ellipse(hide, x, y - h * 0.62, h * 0.66, h * 0.28)
    if c.chance(0.6):
        c.ellipse(
            c.paint("cow", c.colour(palette.DARK + palette.SNOW)),
            x + c.between(-0.3, 0.3) * h,
            y - h * 0.66,
            h * 0.2,
            h * 0.14,
        )
    head = c.paint("cow", c.colour(family), part="head")
    c.line(hide, [(x + side * h * 0.5, y - h * 0.7), (x + side * h * 0.78, y - h * 0.88)], h * 0.2)
    c.ellipse(head, x + side * h * 0.84, y - h * 0.86, h * 0.19, h * 0.14)


def parasol(c: Canvas, x: float, y: float, h: float) -> None:
    """Paint a parasol of two colours."""
    pole = c.paint("parasol", c.colour(palette.WOOD + palette.METAL), material="metal")
    c.shadow(x + 0.05, y, h * 0.4, h * 0.06)
    c.rectangle(pole, (x - 0.008, y - h * 0.95, x + 0.008, y))
    half = h * c.between(0.45, 0.6)
    for colour, share in ((c.colour(palette.BRIGHT), 1.0), (c.colour(palette.BRIGHT), 0.4)):
        cloth = c.paint("parasol", colour, part="shade", material="fabric", light=(-0.3, 0))
        c.polygon(
            cloth,
            [
                (x - half * share, y - h * 0.62),
                (x - half * 0.6 * share, y - h * 0.88),
                (x, y - h),
                (x + half * 0.6 * share, y - h * 0.88),
                (x + half * share, y - h * 0.62),
            ],
        )


def bench(c: Canvas, x: float, y: float, h: float) -> None:
    """Paint a bench, seen from the front."""
    material = c.rng.choice(("wood", "metal", "stone"))
    family = {"wood": palette.WOOD + palette.PAINTED, "metal": palette.METAL + palette.PAINTED, "stone": palette.STONE}[
        material
    ]
    colour, half = c.colour(family), h * c.between(1.0, 1.4)
    c.shadow(x, y, half * 1.1, h * 0.14)
    leg = c.paint("bench", c.colour(palette.DARK), part="leg", material="metal")
    for side in (-1, 1):
        c.rectangle(leg, (x + side * half * 0.8 - 0.015, y - h * 0.45, x + side * half * 0.8 + 0.015, y))
    back = c.paint("bench", colour, part="back", material=material, texture="planks", contrast=0.15)
    c.rectangle(back, (x - half, y - h, x + half, y - h * 0.62))
    c.rectangle(
        c.paint("bench", colour, part="seat", material=material, light=(0, -0.3)),
        (x - half, y - h * 0.5, x + half, y - h * 0.3),
    )


def streetlight(c: Canvas, x: float, y: float, h: float) -> None:
    """Paint a street light with one arm."""
    pole = c.paint("streetlight", c.colour(palette.METAL + palette.DARK), material="metal", light=(-0.4, 0))
    side = c.rng.choice((-1, 1))
    c.rectangle(pole, (x - 0.014, y - h, x + 0.014, y))
    c.line(pole, [(x, y - h), (x + side * 0.13, y - h - 0.02)], 0.02)
    lamp = c.paint("streetlight", c.colour(palette.SUN, 6), part="head", material="glass")
    c.ellipse(lamp, x + side * 0.13, y - h, 0.04, 0.024)
