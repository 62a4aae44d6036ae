"""Skies, grounds and growing things. (x, y) is the middle of an object's foot, h its height."""

from math import pi, sin

from workers.scenes import palette
from workers.scenes.canvas import Canvas, Paint, Point


def sky(c: Canvas, horizon: float) -> None:
    """Fill the picture with sky, lit towards the horizon, with clouds and now and then a sun."""
    paint = c.paint(
        "sky",
        c.colour(palette.SKY),
        texture=c.rng.choice(["plain", "cloud"]),
        contrast=0.04,
        light=(0, c.between(0, 0.35)),
    )
    paint.box = (0, 0, 1, horizon)
    c.rectangle(paint, (0, 0, 1, 1))
    if c.chance(0.2):
        sun(c, c.between(0.1, 0.9), c.between(0.06, horizon * 0.8))
    for _ in range(c.rng.choice([0, 1, 1, 2, 3])):
        cloud(c, c.between(0, 1), c.between(0.04, horizon * 0.75), c.between(0.05, 0.13))


def sun(c: Canvas, x: float, y: float) -> None:
    """Paint the sun's disc."""
    radius = c.between(0.035, 0.075)
    c.ellipse(c.paint("sun", c.colour(palette.SUN, 6)), x, y, radius, radius)


def cloud(c: Canvas, x: float, y: float, size: float) -> None:
    """Paint a cloud of a few puffs with a flat base."""
    paint = c.paint("cloud", c.colour(palette.CLOUD, 6), texture="mottle", contrast=0.05, light=(0, -0.2))
    c.ellipse(paint, x, y, size * 1.5, size * 0.5)
    for _ in range(c.rng.randint(2, 4)):
        c.ellipse(
            paint, x + c.between(-1, 1) * size, y - c.between(0, 0.35) * size, size * 0.7, size * c.between(0.3, 0.5)
        )


def ridge(c: Canvas, base: float, height: float, steps: int, roughness: float) -> list[Point]:
    """The outline of a mountain range from left to right, closed below its base."""
    phase, bends = c.between(0, 6.28), c.between(0.7, 1.8)
    points = []
    for i in range(steps + 1):
        x = i / steps
        swell = 0.6 + 0.4 * sin(phase + bends * 2 * pi * x)
        points.append((x, base - height * max(0.1, swell + roughness * c.between(-1, 1))))
    return [(0, base), *points, (1, base)]


def mountains(c: Canvas, base: float, height: float, snow: float) -> None:
    """Paint one or two ranges of mountains, the nearer one with snow on its peaks by the given chance."""
    family = c.rng.choice([palette.MOUNTAIN, palette.ROCK, palette.MOUNTAIN])
    if c.chance(0.6):
        far = c.paint("mountain", c.colour(family), texture="rock", contrast=0.06, light=(0, 0.2))
        c.polygon(far, ridge(c, base, height * 0.8, 9, 0.12))
    near = c.colour(family)
    capped = c.chance(snow)
    for _ in range(c.rng.randint(1, 3)):
        mountain(c, c.between(0.05, 0.95), base, height * c.between(0.75, 1.15), near, capped)


def mountain(c: Canvas, x: float, base: float, h: float, colour: tuple[float, float, float], capped: bool) -> None:
    """Paint one summit with a lit and a shaded flank, and its snow-covered peak."""
    half = h * c.between(0.8, 1.3)
    body = c.paint("mountain", colour, texture="rock", contrast=0.12)
    shade = c.darker(body, 0.78)
    foot = x + c.between(-0.15, 0.1) * half
    c.polygon(body, [(x - half, base), (x - half * 0.45, base - h * 0.5), (x, base - h), (x + half, base)])
    c.polygon(shade, [(x, base - h), (x + half * 0.5, base - h * 0.55), (x + half, base), (foot, base)])
    if capped:
        peak(c, x, base - h, half * 0.36, h * 0.38)


def peak(c: Canvas, x: float, y: float, half: float, h: float) -> None:
    """Paint the snow on a summit at (x, y)."""
    paint = c.paint("mountain", c.colour(palette.SNOW, 4), part="peak", texture="rock", contrast=0.05, light=(-0.2, 0))
    rim = [(x + half * (1 - i / 3), y + h * (c.between(0.6, 1.1) if i % 2 else c.between(0.75, 1))) for i in range(7)]
    c.polygon(paint, [(x, y), *rim])


def ground(c: Canvas, name: str, top: float, slant: float = 0.0) -> Paint:
    """Cover everything below the line at `top` with grass, field, sand, snow, water or rock, and name it the ground."""
    family, texture, contrast, material = {
        "grass": (palette.GRASS, c.rng.choice(["grain", "mottle", "needles"]), 0.1, "foliage"),
        "field": (palette.FIELD, c.rng.choice(["stripes", "needles", "bands"]), 0.12, "foliage"),
        "sand": (palette.SAND, c.rng.choice(["grain", "ripples", "mottle"]), 0.05, None),
        "snow": (palette.SNOW, c.rng.choice(["cloud", "mottle", "ripples"]), 0.04, None),
        "water": (palette.WATER, "ripples", c.between(0.06, 0.16), None),
        "rock": (palette.ROCK, c.rng.choice(["rock", "blocks"]), 0.15, "stone"),
        "path": (palette.PATH, c.rng.choice(["grain", "tiles", "blocks"]), 0.08, "stone"),
    }[name]
    light = (c.between(-0.15, 0.15), c.between(-0.25, 0.15))
    paint = c.paint(name, c.colour(family), texture=texture, contrast=contrast, material=material, light=light)
    c.polygon(paint, [(0, top + slant), (0.5, top + c.between(-0.015, 0.015)), (1, top - slant), (1, 1), (0, 1)])
    c.ground = paint
    return paint


def tree(c: Canvas, x: float, y: float, h: float) -> None:
    """Paint a tree of any kind: round, tall, fir or, rarely, bare palm-like."""
    kind = c.rng.choice([round_tree, round_tree, poplar, fir])
    kind(c, x, y, h)


def _trunk(c: Canvas, x: float, y: float, h: float, width: float) -> None:
    bark = c.paint("tree", c.colour(palette.BARK), part="trunk", material="wood", texture="boards", light=(-0.5, 0))
    c.shadow(x + 0.02, y, h * 0.22, h * 0.04)
    c.polygon(bark, [(x - width, y), (x + width, y), (x + width * 0.6, y - h), (x - width * 0.6, y - h)])


def _leaves(c: Canvas, family: tuple[str, ...]) -> Paint:
    texture = c.rng.choice(["leaves", "mottle", "grain"])
    light = (c.between(-0.3, 0.3), -0.35)
    return c.paint(
        "tree",
        c.colour(family),
        part="crown",
        material="foliage",
        texture=texture,
        contrast=c.between(0.08, 0.2),
        light=light,
    )


def round_tree(c: Canvas, x: float, y: float, h: float) -> None:
    """Paint a broad-leaved tree."""
    _trunk(c, x, y, h * 0.6, h * c.between(0.03, 0.06))
    leaves = _leaves(c, palette.FOLIAGE)
    width = h * c.between(0.24, 0.38)
    c.ellipse(leaves, x, y - h * 0.66, width, h * 0.3)
    for _ in range(c.rng.randint(3, 6)):
        c.ellipse(
            leaves,
            x + c.between(-0.8, 0.8) * width,
            y - h * c.between(0.5, 0.82),
            width * 0.5,
            h * c.between(0.13, 0.2),
        )


def poplar(c: Canvas, x: float, y: float, h: float) -> None:
    """Paint a tall, narrow tree."""
    _trunk(c, x, y, h * 0.4, h * 0.03)
    leaves = _leaves(c, palette.FOLIAGE)
    c.ellipse(leaves, x, y - h * 0.56, h * c.between(0.11, 0.17), h * 0.44)
    c.ellipse(leaves, x, y - h * 0.4, h * 0.17, h * 0.26)


def fir(c: Canvas, x: float, y: float, h: float) -> None:
    """Paint a fir of three or four tiers, sometimes under snow."""
    _trunk(c, x, y, h * 0.3, h * 0.03)
    leaves = _leaves(c, palette.FIR if c.chance(0.85) else palette.SNOW)
    half, tiers = h * c.between(0.2, 0.28), c.rng.randint(3, 4)
    leaves.box = (x - half, y - h, x + half, y)
    for i in range(tiers):
        low, width = y - h * (0.12 + 0.22 * i), half * (1 - 0.2 * i)
        c.polygon(leaves, [(x - width, low), (x, max(y - h, low - h * 0.45)), (x + width, low)])


def palm(c: Canvas, x: float, y: float, h: float) -> None:
    """Paint a palm with a bent trunk."""
    lean = c.between(-0.25, 0.25) * h
    bark = c.paint("tree", c.colour(palette.BARK), part="trunk", material="wood", texture="bands", contrast=0.15)
    c.line(bark, [(x, y), (x + lean * 0.4, y - h * 0.5), (x + lean, y - h * 0.9)], 0.025 + h * 0.02)
    leaves = _leaves(c, palette.GREEN)
    top = (x + lean, y - h * 0.9)
    for i in range(7):
        reach, drop = h * 0.42 * (i - 3) / 3, abs(i - 3) * h * 0.07
        tip = (top[0] + reach, top[1] - h * 0.1 + drop)
        middle = (top[0] + reach * 0.5, top[1] - h * 0.17 + drop * 0.3)
        c.polygon(leaves, [top, middle, tip, (middle[0], middle[1] + h * 0.09)])


def bush(c: Canvas, x: float, y: float, h: float) -> None:
    """Paint a low bush."""
    paint = c.paint(
        "bush",
        c.colour(palette.FOLIAGE),
        material="foliage",
        texture="leaves",
        contrast=c.between(0.1, 0.2),
        light=(0, -0.4),
    )
    c.shadow(x, y, h * 0.9, h * 0.12)
    for dx in (0, -0.5, 0.5):
        c.ellipse(paint, x + dx * h, y - h * 0.5, h * c.between(0.4, 0.6), h * c.between(0.42, 0.55))


def flowers(c: Canvas, x: float, y: float, spread: float) -> None:
    """Paint a patch of flowers of one colour."""
    paint = c.paint("flower", c.colour(palette.FLOWER))
    for _ in range(c.rng.randint(7, 14)):
        size = c.between(0.012, 0.02)
        c.ellipse(paint, x + c.between(-1, 1) * spread, y + c.between(-0.3, 0.3) * spread, size, size)


def rock(c: Canvas, x: float, y: float, h: float) -> None:
    """Paint a boulder."""
    paint = c.paint("rock", c.colour(palette.ROCK), material="stone", texture="rock", contrast=0.18, light=(0.15, -0.4))
    c.shadow(x, y, h * 0.9, h * 0.12)
    w = h * c.between(0.6, 1)
    top = [
        (x + w * (-0.9 + 0.45 * i), y - h * (c.between(0.35, 0.6) if i in (0, 4) else c.between(0.75, 1)))
        for i in range(5)
    ]
    c.polygon(paint, [(x - w, y), *top, (x + w, y)])


def cactus(c: Canvas, x: float, y: float, h: float) -> None:
    """Paint a cactus with one or two arms."""
    paint = c.paint("cactus", c.colour(palette.GREEN), texture="boards", contrast=0.1, light=(-0.6, 0))
    width = h * c.between(0.14, 0.19)
    c.shadow(x + 0.03, y, h * 0.3, h * 0.04)
    c.line(paint, [(x, y), (x, y - h * 0.95)], width)
    c.ellipse(paint, x, y - h * 0.95, width / 2, width / 2)
    for side in c.rng.choice([(-1,), (1,), (-1, 1)]):
        low, reach = y - h * c.between(0.3, 0.5), x + side * h * c.between(0.24, 0.32)
        c.line(paint, [(x, low), (reach, low)], width * 0.75)
        c.line(paint, [(reach, low + width * 0.36), (reach, low - h * c.between(0.2, 0.35))], width * 0.75)
