"""What kitchens and bathrooms have in them. (x, y) is the middle of an object's foot, h its height, w its width."""

from workers.scenes import palette
from workers.scenes.canvas import Canvas, Paint
from workers.scenes.fittings import surface


def ceramic(c: Canvas, name: str, part: str | None = None) -> Paint:
    """A paint for sanitary ware."""
    return c.paint(
        name,
        c.colour(palette.CERAMIC + palette.CERAMIC + palette.ROOM, 6),
        part=part,
        material="tile",
        light=(-0.12, -0.15),
    )


def tap(c: Canvas, name: str, x: float, y: float, h: float) -> None:
    """Paint a tap above a basin whose rim is at y."""
    metal = surface(c, name, ("metal",), part="handle")
    c.line(metal, [(x, y), (x, y - h), (x + h * 0.7, y - h), (x + h * 0.7, y - h * 0.6)], 0.018)


def washbasin(c: Canvas, x: float, y: float, h: float) -> None:
    """Paint a wash basin on its pedestal."""
    ware, half = ceramic(c, "sink"), h * c.between(0.3, 0.42)
    c.polygon(
        c.darker(ware, 0.85),
        [(x - h * 0.1, y - h * 0.7), (x + h * 0.1, y - h * 0.7), (x + h * 0.14, y), (x - h * 0.14, y)],
    )
    c.polygon(
        ware, [(x - half, y - h), (x + half, y - h), (x + half * 0.6, y - h * 0.66), (x - half * 0.6, y - h * 0.66)]
    )
    c.ellipse(c.darker(ware, 0.8), x, y - h, half, h * 0.07)
    tap(c, "sink", x, y - h, h * 0.2)


def kitchen_sink(c: Canvas, x: float, y: float, w: float) -> None:
    """Paint a sink let into a counter whose top is at y."""
    metal = surface(c, "sink", ("metal", "metal", "stone"))
    c.rectangle(metal, (x - w / 2, y, x + w / 2, y + 0.06))
    c.rectangle(c.darker(metal, 0.6), (x - w / 2 + 0.015, y + 0.012, x + w / 2 - 0.015, y + 0.045))
    tap(c, "sink", x, y, 0.1)


def bathtub(c: Canvas, x: float, y: float, w: float) -> None:
    """Paint a bathtub, full or empty."""
    h, ware = w * c.between(0.32, 0.4), ceramic(c, "bathtub")
    c.shadow(x, y, w * 0.52, h * 0.14)
    c.polygon(ware, [(x - w / 2, y - h), (x + w / 2, y - h), (x + w * 0.42, y), (x - w * 0.42, y)])
    c.ellipse(ware, x, y - h, w * 0.5, h * 0.24)
    inner = c.paint("bathtub", c.colour(palette.WATER), texture="ripples") if c.chance(0.4) else c.darker(ware, 0.78)
    c.ellipse(inner, x, y - h, w * 0.44, h * 0.17)
    tap(c, "bathtub", x - w * 0.42, y - h, h * 0.4)


def toilet(c: Canvas, x: float, y: float, h: float) -> None:
    """Paint a toilet with its cistern."""
    ware = ceramic(c, "toilet")
    c.shadow(x, y, h * 0.3, h * 0.07)
    c.rectangle(ware, (x - h * 0.25, y - h, x + h * 0.25, y - h * 0.5))
    c.ellipse(surface(c, "toilet", ("metal",), part="handle"), x, y - h * 0.93, 0.016, 0.012)
    c.polygon(
        c.darker(ware, 0.88),
        [(x - h * 0.24, y - h * 0.4), (x + h * 0.24, y - h * 0.4), (x + h * 0.13, y), (x - h * 0.13, y)],
    )
    c.ellipse(ceramic(c, "toilet", part="seat"), x, y - h * 0.44, h * 0.28, h * 0.14)
    c.ellipse(c.darker(ware, 0.6), x, y - h * 0.43, h * 0.17, h * 0.075)


def stove(c: Canvas, x: float, y: float, w: float, h: float) -> None:
    """Paint a stove: hob, knobs and an oven with a window."""
    body = surface(c, "stove", ("metal",))
    c.shadow(x, y, w * 0.55, 0.02)
    c.rectangle(body, (x - w / 2, y - h, x + w / 2, y))
    c.rectangle(c.paint("stove", c.colour(palette.DARK), material="glass"), (x - w / 2, y - h, x + w / 2, y - h + 0.03))
    knob = c.paint("stove", c.colour(palette.DARK), part="handle")
    for i in range(4):
        c.ellipse(knob, x + w * (i - 1.5) * 0.22, y - h + 0.062, 0.014, 0.014)
    c.rectangle(
        surface(c, "stove", ("metal",), part="handle"), (x - w * 0.36, y - h * 0.68, x + w * 0.36, y - h * 0.68 + 0.016)
    )
    c.rectangle(
        c.paint("stove", c.colour(palette.DARK), part="window", material="glass"),
        (x - w * 0.34, y - h * 0.56, x + w * 0.34, y - h * 0.16),
    )


def refrigerator(c: Canvas, x: float, y: float, w: float, h: float) -> None:
    """Paint a refrigerator with one or two doors and long handles."""
    body = surface(c, "refrigerator", ("metal",), light=(-0.25, 0))
    if c.chance(0.5):
        body.colour = c.colour(palette.CERAMIC + palette.PAINTED)
    c.shadow(x, y, w * 0.55, 0.02)
    c.rectangle(body, (x - w / 2, y - h, x + w / 2, y))
    split = y - h * c.between(0.6, 0.72)
    c.rectangle(c.darker(body, 0.55), (x - w / 2, split, x + w / 2, split + 0.01))
    grip = surface(c, "refrigerator", ("metal",), part="handle")
    side = x + w * 0.36
    c.rectangle(grip, (side - 0.01, split - h * 0.2, side + 0.01, split - 0.03))
    c.rectangle(grip, (side - 0.01, split + 0.04, side + 0.01, split + h * 0.25))
