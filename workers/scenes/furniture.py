"""What rooms are furnished with. (x, y) is the middle of an object's foot, h its height, w its width."""

from workers.scenes import palette
from workers.scenes.canvas import Canvas
from workers.scenes.fittings import surface


def bed(c: Canvas, x: float, y: float, w: float) -> None:
    """Paint a bed, seen from its foot end a little to one side."""
    h, skew = w * c.between(0.5, 0.7), c.between(-0.25, 0.25) * w
    top = y - h * 0.85
    head = surface(c, "bed", ("wood", "fabric", "metal"), part="headboard")
    c.rectangle(head, (x + skew - w * 0.4, top - h * c.between(0.3, 0.55), x + skew + w * 0.4, top + h * 0.2))
    c.shadow(x, y, w * 0.58, h * 0.14)
    sheet = c.paint("bed", c.colour(palette.SNOW + palette.FABRIC), material="fabric", texture="weave", contrast=0.05)
    c.polygon(
        sheet,
        [(x + skew - w * 0.4, top), (x + skew + w * 0.4, top), (x + w / 2, y - h * 0.3), (x - w / 2, y - h * 0.3)],
    )
    pillow = c.paint(
        "bed", c.colour(palette.SNOW + palette.FABRIC, 6), part="pillow", material="fabric", light=(0, -0.25)
    )
    for dx in c.rng.choice(((-0.2, 0.2), (0.0,))):
        c.ellipse(pillow, x + skew + dx * w, top + h * 0.05, w * 0.16, h * 0.12)
    cover = surface(c, "bed", ("fabric",))
    share = c.between(0.35, 0.6)
    edge = top + (y - h * 0.3 - top) * (1 - share)
    inset = 0.4 + 0.1 * (1 - share)
    c.polygon(
        cover,
        [
            (x + skew * share - w * inset, edge),
            (x + skew * share + w * inset, edge),
            (x + w / 2, y - h * 0.3),
            (x - w / 2, y - h * 0.3),
        ],
    )
    c.rectangle(c.darker(cover, 0.8), (x - w / 2, y - h * 0.3, x + w / 2, y))


def sofa(c: Canvas, x: float, y: float, w: float) -> None:
    """Paint a sofa with arms, cushions and perhaps pillows."""
    h, cloth = w * c.between(0.42, 0.55), surface(c, "sofa", ("fabric",))
    c.shadow(x, y, w * 0.56, h * 0.12)
    back = c.paint("sofa", cloth.colour, part="back", material="fabric", texture="weave", light=(0, -0.2))
    c.rectangle(back, (x - w * 0.45, y - h, x + w * 0.45, y - h * 0.4))
    seat = c.paint(
        "sofa", c.darker(cloth, 1.08).colour, part="seat", material="fabric", texture="weave", light=(0, -0.4)
    )
    c.rectangle(seat, (x - w * 0.45, y - h * 0.52, x + w * 0.45, y - h * 0.2))
    c.rectangle(c.darker(cloth, 0.65), (x - w * 0.45, y - h * 0.22, x + w * 0.45, y))
    for side in (-1, 1):
        c.rectangle(cloth, (x + side * w * 0.46 - w * 0.06, y - h * 0.66, x + side * w * 0.46 + w * 0.06, y))
        c.ellipse(cloth, x + side * w * 0.46, y - h * 0.66, w * 0.06, h * 0.1)
    for dx in c.rng.choice(((), (-0.28,), (-0.28, 0.28))):
        cushion = surface(c, "sofa", ("fabric",), part="pillow")
        c.polygon(
            cushion, [(x + (dx + ex) * w, y - h * ey) for ex, ey in ((-0.11, 0.62), (0, 0.82), (0.11, 0.6), (0, 0.44))]
        )


def table(c: Canvas, x: float, y: float, w: float, h: float) -> None:
    """Paint a table with a top in perspective and four legs."""
    materials = ("wood", "wood", "glass", "metal", "stone")
    top, leg = surface(c, "table", materials, light=(0.15, -0.2)), surface(c, "table", ("wood", "metal"), part="leg")
    depth = h * c.between(0.25, 0.4)
    c.shadow(x, y, w * 0.5, depth * 0.4)
    for dx, dy in ((-0.4, depth * 0.5), (0.4, depth * 0.5), (-0.45, 0), (0.45, 0)):
        c.rectangle(leg, (x + dx * w - 0.014, y - h * 0.9, x + dx * w + 0.014, y - dy))
    c.polygon(
        top,
        [
            (x - w * 0.42, y - h - depth * 0.4),
            (x + w * 0.42, y - h - depth * 0.4),
            (x + w / 2, y - h + depth * 0.4),
            (x - w / 2, y - h + depth * 0.4),
        ],
    )
    edge = y - h + depth * 0.4
    c.rectangle(c.darker(top), (x - w / 2, edge, x + w / 2, edge + 0.022))


def chair(c: Canvas, x: float, y: float, h: float) -> None:
    """Paint a chair, seen from behind or from the front."""
    materials = ("wood", "metal", "fabric")
    leg, half = surface(c, "chair", ("wood", "metal"), part="leg"), h * c.between(0.2, 0.26)
    c.shadow(x, y, half * 1.2, h * 0.06)
    for dx in (-0.85, 0.85):
        c.rectangle(leg, (x + dx * half - 0.012, y - h * 0.45, x + dx * half + 0.012, y))
    back = surface(c, "chair", materials, part="back")
    if c.chance(0.5):
        c.rectangle(back, (x - half, y - h, x + half, y - h * 0.55))
    else:
        for level in (0.92, 0.72):
            c.rectangle(back, (x - half, y - h * level - 0.012, x + half, y - h * level + 0.03))
    for dx in (-0.92, 0.92):
        c.rectangle(leg, (x + dx * half - 0.01, y - h, x + dx * half + 0.01, y - h * 0.45))
    seat = surface(c, "chair", materials, part="seat", light=(0, -0.3))
    c.polygon(
        seat,
        [
            (x - half * 0.85, y - h * 0.54),
            (x + half * 0.85, y - h * 0.54),
            (x + half * 1.1, y - h * 0.4),
            (x - half * 1.1, y - h * 0.4),
        ],
    )


def shelf(c: Canvas, x: float, y: float, w: float, h: float) -> None:
    """Paint shelves full of books."""
    boards = surface(c, "shelf", ("wood", "metal"))
    c.rectangle(boards, (x - w / 2, y - h, x + w / 2, y))
    recess = c.darker(boards, 0.5)
    books = [c.paint("shelf", c.colour(palette.FABRIC), material=None) for _ in range(4)]
    rows = max(2, round(h / 0.14))
    for row in range(rows):
        top, bottom = y - h + h * row / rows + 0.015, y - h + h * (row + 1) / rows - 0.01
        c.rectangle(recess, (x - w / 2 + 0.015, top, x + w / 2 - 0.015, bottom))
        left = x - w / 2 + 0.02
        while left < x + w / 2 - 0.05:
            right = left + c.between(0.018, 0.035)
            c.rectangle(c.rng.choice(books), (left, top + c.between(0.005, 0.035), right, bottom))
            left = right + (c.between(0, 0.06) if c.chance(0.2) else 0.004)


def cabinet(c: Canvas, x: float, y: float, w: float, h: float) -> None:
    """Paint a cabinet with drawers or doors and their handles."""
    body = surface(c, "cabinet", ("wood", "wood", "metal"))
    c.shadow(x, y, w * 0.55, 0.02)
    c.rectangle(body, (x - w / 2, y - h, x + w / 2, y))
    c.rectangle(c.darker(body, 1.15), (x - w / 2 - 0.01, y - h, x + w / 2 + 0.01, y - h + 0.025))
    knob, seam = surface(c, "cabinet", ("metal", "wood"), part="handle"), c.darker(body, 0.6)
    columns = max(1, round(w / 0.2))
    for i in range(columns):
        left, right = x - w / 2 + w * i / columns + 0.012, x - w / 2 + w * (i + 1) / columns - 0.012
        c.rectangle(seam, (left, y - h + 0.04, right, y - 0.015))
        c.rectangle(body, (left + 0.009, y - h + 0.05, right - 0.009, y - 0.024))
        c.rectangle(knob, ((left + right) / 2 - 0.025, y - h * 0.72, (left + right) / 2 + 0.025, y - h * 0.72 + 0.018))


def plant(c: Canvas, x: float, y: float, h: float) -> None:
    """Paint a plant in a pot."""
    pot = c.paint(
        "plant", c.colour(palette.BRICK + palette.CERAMIC + palette.PAINTED), material="tile", light=(-0.4, 0)
    )
    c.shadow(x, y, h * 0.25, h * 0.05)
    leaves = c.paint(
        "plant", c.colour(palette.FOLIAGE), part="crown", material="foliage", texture="leaves", contrast=0.15
    )
    for i in range(7):
        reach = (i - 3) / 3 * h * c.between(0.3, 0.4)
        tip = (x + reach, y - h * (1 - abs(i - 3) * 0.13) * c.between(0.85, 1))
        middle = (x + reach * 0.35, y - h * 0.6)
        c.polygon(leaves, [(x, y - h * 0.3), (middle[0] - h * 0.07, middle[1]), tip, (middle[0] + h * 0.07, middle[1])])
    c.polygon(pot, [(x - h * 0.17, y - h * 0.35), (x + h * 0.17, y - h * 0.35), (x + h * 0.11, y), (x - h * 0.11, y)])


def screen(c: Canvas, x: float, y: float, w: float, h: float) -> None:
    """Paint a computer screen or television on its foot."""
    case = surface(c, "screen", ("metal",))
    case.colour = c.colour(palette.DARK + palette.METAL)
    c.rectangle(case, (x - w * 0.2, y - 0.014, x + w * 0.2, y))
    c.rectangle(case, (x - 0.014, y - h * 0.3, x + 0.014, y))
    c.rectangle(case, (x - w / 2, y - h, x + w / 2, y - h * 0.18))
    glow = c.paint(
        "screen", c.colour(palette.GLASS + palette.DARK + palette.SKY_DAY), material="glass", light=(0.3, -0.3)
    )
    c.rectangle(glow, (x - w / 2 + 0.015, y - h + 0.015, x + w / 2 - 0.015, y - h * 0.18 - 0.015))
