"""Outdoor scenes, painted from back to front. What belongs to a scene is often there, seldom always."""

from collections.abc import Callable

from workers.scenes.built import (
    barn,
    chairlift,
    church,
    fence,
    footpath,
    house,
    road_across,
    road_ahead,
    skyline,
)
from workers.scenes.canvas import Canvas
from workers.scenes.nature import bush, cactus, fir, flowers, ground, mountains, palm, rock, sky, tree
from workers.scenes.things import bench, boat, car, cow, parasol, person, skier, streetlight

Painter = Callable[[Canvas, float, float, float], None]


def scatter(
    c: Canvas, painter: Painter, count: tuple[int, int], top: float, bottom: float, size: tuple[float, float]
) -> None:
    """Paint some of an object with their feet between two heights, the nearer the larger."""
    feet = sorted(c.between(top, bottom) for _ in range(c.rng.randint(*count)))
    for y in feet:
        nearness = (y - top) / max(bottom - top, 0.01)
        painter(c, c.between(0.06, 0.94), y, (size[0] + (size[1] - size[0]) * nearness) * c.between(0.85, 1.15))


def treeline(c: Canvas, y: float, low: float, high: float) -> None:
    """Paint a row of trees along a line."""
    kind, x = c.rng.choice((tree, fir, tree)), c.between(-0.05, 0.05)
    while x < 1.05:
        kind(c, x, y + c.between(-0.01, 0.01), c.between(low, high))
        x += c.between(0.06, 0.2)


def backdrop(c: Canvas, horizon: float) -> None:
    """Paint what may stand behind any outdoor scene: mountains, trees, buildings or nothing."""
    choice = c.rng.random()
    if choice < 0.3:
        mountains(c, horizon, c.between(0.1, 0.28), snow=0.3)
    elif choice < 0.6:
        treeline(c, horizon + 0.01, 0.1, 0.22)
    elif choice < 0.7:
        skyline(c, horizon, 0.08, 0.25)


def beach(c: Canvas) -> None:
    """Sand before the sea."""
    horizon = c.between(0.3, 0.45)
    sky(c, horizon)
    if c.chance(0.3):
        mountains(c, horizon, c.between(0.06, 0.16), snow=0.1)
    ground(c, "water", horizon)
    scatter(c, boat, (0, 2), horizon + 0.03, horizon + 0.1, (0.12, 0.2))
    shore = horizon + c.between(0.12, 0.36)
    ground(c, "sand", shore, slant=c.between(-0.08, 0.08))
    if c.chance(0.35):
        palm(c, c.rng.choice((0.12, 0.88)), c.between(0.7, 0.9), c.between(0.45, 0.7))
    scatter(c, parasol, (0, 2), shore + 0.1, 0.95, (0.18, 0.4))
    scatter(c, person, (0, 3), shore + 0.08, 0.97, (0.16, 0.4))


def lake(c: Canvas) -> None:
    """Water between wooded hills and a near bank."""
    horizon = c.between(0.35, 0.5)
    sky(c, horizon)
    if c.chance(0.6):
        mountains(c, horizon, c.between(0.15, 0.32), snow=0.4)
    backdrop(c, horizon)
    ground(c, "water", horizon)
    scatter(c, boat, (0, 3), horizon + 0.08, 0.75, (0.14, 0.34))
    bank = c.between(0.64, 0.9)
    ground(c, c.rng.choice(("grass", "sand", "rock", "path")), bank, slant=c.between(-0.1, 0.1))
    scatter(c, c.rng.choice((bush, rock, tree)), (0, 3), bank + 0.05, 0.97, (0.08, 0.25))


def harbor(c: Canvas) -> None:
    """Boats before a town or a hill, and perhaps a quay."""
    horizon = c.between(0.35, 0.5)
    sky(c, horizon)
    backdrop(c, horizon)
    if c.chance(0.35):
        skyline(c, horizon + 0.02, 0.08, 0.3)
    ground(c, "water", horizon + 0.02)
    scatter(c, boat, (1, 4), horizon + 0.1, 0.85, (0.16, 0.42))
    if c.chance(0.5):
        ground(c, c.rng.choice(("path", "path", "sand")), c.between(0.74, 0.92))
        scatter(c, person, (0, 2), 0.93, 0.98, (0.25, 0.35))


def mountain(c: Canvas) -> None:
    """Summits over meadows, rocks or snow."""
    horizon = c.between(0.45, 0.7)
    sky(c, horizon)
    mountains(c, horizon + 0.08, c.between(0.25, 0.48), snow=0.75)
    ground(c, c.rng.choice(("grass", "rock", "snow", "snow")), horizon, slant=c.between(-0.16, 0.16))
    if c.chance(0.6):
        scatter(c, fir, (1, 6), horizon + 0.03, 0.95, (0.12, 0.35))
    if c.chance(0.5):
        scatter(c, rock, (1, 3), horizon + 0.1, 0.97, (0.05, 0.14))
    if c.chance(0.2):
        house(c, c.between(0.2, 0.8), c.between(horizon + 0.1, 0.9), c.between(0.14, 0.24))


def ski_slope(c: Canvas) -> None:
    """A snow-covered slope with skiers or a chairlift."""
    horizon, slant = c.between(0.42, 0.6), c.between(-0.2, 0.2)
    sky(c, horizon)
    if c.chance(0.85):
        mountains(c, horizon + 0.12, c.between(0.25, 0.45), snow=0.8)
    ground(c, "snow", horizon, slant=slant)
    scatter(c, fir, (0, 5), horizon + 0.08, 0.85, (0.15, 0.32))
    if c.chance(0.4):
        chairlift(c, c.between(0.12, 0.25), c.between(0.38, 0.6))
    if c.chance(0.6):
        scatter(c, skier, (1, 3), horizon + 0.2, 0.95, (0.18, 0.42))


def forest(c: Canvas) -> None:
    """Trees behind trees."""
    horizon = c.between(0.45, 0.65)
    sky(c, horizon)
    treeline(c, horizon + 0.02, 0.2, 0.5)
    ground(c, c.rng.choice(("grass", "grass", "grass", "snow")), horizon)
    if c.chance(0.35):
        footpath(c, horizon, c.between(0.3, 0.7))
    scatter(c, c.rng.choice((tree, fir, tree)), (2, 6), horizon + 0.05, 0.98, (0.35, 0.8))
    scatter(c, c.rng.choice((bush, rock)), (0, 3), horizon + 0.15, 0.98, (0.07, 0.15))


def desert(c: Canvas) -> None:
    """Dry sand with cactuses and rocks."""
    horizon = c.between(0.4, 0.6)
    sky(c, horizon)
    if c.chance(0.5):
        mountains(c, horizon, c.between(0.08, 0.25), snow=0.0)
    ground(c, c.rng.choice(("sand", "sand", "sand", "rock", "field")), horizon, slant=c.between(-0.06, 0.06))
    if c.chance(0.5):
        ground(c, "sand", horizon + c.between(0.1, 0.25), slant=c.between(-0.12, 0.12))
    if c.chance(0.65):
        scatter(c, cactus, (1, 4), horizon + 0.08, 0.95, (0.16, 0.5))
    scatter(c, c.rng.choice((rock, rock, bush)), (0, 3), horizon + 0.1, 0.97, (0.06, 0.16))


def farm(c: Canvas) -> None:
    """Fields with a barn, animals or a fence."""
    horizon = c.between(0.42, 0.58)
    sky(c, horizon)
    backdrop(c, horizon)
    ground(c, c.rng.choice(("field", "grass")), horizon)
    if c.chance(0.6):
        barn(c, c.between(0.2, 0.8), c.between(horizon + 0.06, horizon + 0.2), c.between(0.28, 0.5))
    scatter(c, tree, (0, 2), horizon + 0.05, horizon + 0.2, (0.25, 0.4))
    if c.chance(0.5):
        scatter(c, cow, (1, 3), horizon + 0.2, 0.93, (0.12, 0.26))
    if c.chance(0.4):
        fence(c, c.between(0.9, 1.0), c.between(0.12, 0.2))


def park(c: Canvas) -> None:
    """Lawns with paths, benches, flowers and people."""
    horizon = c.between(0.4, 0.55)
    sky(c, horizon)
    backdrop(c, horizon)
    if c.chance(0.4):
        treeline(c, horizon + 0.02, 0.15, 0.4)
    ground(c, "grass", horizon)
    if c.chance(0.5):
        footpath(c, horizon, c.between(0.3, 0.7))
    scatter(c, tree, (1, 5), horizon + 0.05, 0.9, (0.35, 0.75))
    if c.chance(0.5):
        bench(c, c.between(0.2, 0.8), c.between(0.75, 0.95), c.between(0.15, 0.24))
    if c.chance(0.35):
        flowers(c, c.between(0.1, 0.9), c.between(0.75, 0.95), c.between(0.08, 0.18))
    if c.chance(0.3):
        streetlight(c, c.between(0.1, 0.9), c.between(0.7, 0.85), c.between(0.4, 0.6))
    scatter(c, person, (0, 2), horizon + 0.2, 0.97, (0.2, 0.42))


def churchyard(c: Canvas) -> None:
    """A church among trees."""
    horizon = c.between(0.55, 0.7)
    sky(c, horizon)
    backdrop(c, horizon)
    ground(c, c.rng.choice(("grass", "grass", "field", "snow")), horizon)
    if c.chance(0.4):
        footpath(c, horizon, c.between(0.4, 0.6))
    scatter(c, tree, (0, 2), horizon + 0.02, horizon + 0.08, (0.3, 0.5))
    church(c, c.between(0.3, 0.7), horizon + c.between(0.1, 0.18), c.between(0.42, 0.76))
    scatter(c, tree, (0, 2), horizon + 0.18, 0.95, (0.35, 0.55))
    if c.chance(0.3):
        fence(c, c.between(0.92, 1.0), c.between(0.1, 0.16))


def suburb(c: Canvas) -> None:
    """A house with its garden."""
    horizon = c.between(0.5, 0.62)
    sky(c, horizon)
    backdrop(c, horizon)
    ground(c, c.rng.choice(("grass", "grass", "field", "path")), horizon)
    scatter(c, tree, (0, 2), horizon + 0.02, horizon + 0.1, (0.3, 0.5))
    house(c, c.between(0.32, 0.68), horizon + c.between(0.14, 0.24), c.between(0.36, 0.6))
    scatter(c, c.rng.choice((bush, tree)), (0, 3), horizon + 0.25, 0.95, (0.1, 0.2))
    if c.chance(0.35):
        flowers(c, c.between(0.1, 0.9), 0.9, 0.12)
    if c.chance(0.35):
        fence(c, c.between(0.92, 1.0), c.between(0.12, 0.18))


def street(c: Canvas) -> None:
    """A town's houses along a road."""
    horizon = c.between(0.55, 0.68)
    sky(c, horizon)
    if c.chance(0.75):
        skyline(c, horizon + 0.03, 0.15, 0.55)
    else:
        backdrop(c, horizon + 0.03)
    ground(c, c.rng.choice(("path", "path", "grass")), horizon + 0.02)
    road_across(c, horizon + c.between(0.06, 0.1), c.between(0.9, 1.0))
    scatter(c, tree, (0, 2), horizon + 0.04, horizon + 0.07, (0.3, 0.45))
    if c.chance(0.45):
        streetlight(c, c.between(0.1, 0.9), horizon + 0.07, c.between(0.4, 0.55))
    scatter(c, car, (0, 2), horizon + 0.16, 0.93, (0.14, 0.22))
    scatter(c, person, (0, 2), horizon + 0.08, 0.97, (0.2, 0.36))


def highway(c: Canvas) -> None:
    """A wide road through open country."""
    horizon = c.between(0.38, 0.6)
    sky(c, horizon)
    backdrop(c, horizon)
    if c.chance(0.15):
        skyline(c, horizon, 0.1, 0.3)
    ground(c, c.rng.choice(("grass", "path", "sand", "field")), horizon)
    if c.chance(0.4):
        scatter(c, tree, (1, 3), horizon + 0.02, horizon + 0.1, (0.15, 0.28))
    if c.chance(0.5):
        road_ahead(c, horizon, c.between(0.35, 0.65), c.between(-0.15, 0.1), c.between(0.9, 1.15))
    else:
        road_across(c, horizon + c.between(0.1, 0.2), c.between(0.85, 1.0))
    scatter(c, car, (0, 3), horizon + 0.14, 0.92, (0.09, 0.24))
    if c.chance(0.25):
        fence(c, horizon + 0.05, 0.06)


INTRUDERS: tuple[tuple[Painter, float, float], ...] = (
    *((tree, 0.3, 0.6), (fir, 0.3, 0.6), (bush, 0.08, 0.16), (rock, 0.06, 0.16), (flowers, 0.08, 0.15)),
    *((person, 0.2, 0.4), (skier, 0.2, 0.4), (cow, 0.14, 0.26), (car, 0.12, 0.22), (boat, 0.2, 0.4)),
    *((bench, 0.14, 0.22), (streetlight, 0.35, 0.5), (parasol, 0.25, 0.4), (cactus, 0.2, 0.45)),
    *((house, 0.25, 0.5), (barn, 0.25, 0.45), (church, 0.4, 0.65)),
)


def intrude(c: Canvas) -> None:
    """Add something that may turn up in any outdoor scene, and is what another one is known by."""
    painter, low, high = c.rng.choice(INTRUDERS)
    painter(c, c.between(0.1, 0.9), c.between(0.68, 0.95), c.between(low, high))
