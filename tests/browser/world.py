"""A small world of results, found by a real worker: the built-in networks, and one job of every kind."""

from typing import Any, NamedTuple

from unitatlas import Client, stroke

LAYER, GENERATOR_LAYER = "features.relu4_2", "layer4"
UPPER = {"size": [2, 1], "runs": [0, 1, 1]}
SEEN = ["model:segmenter", "colors"]


class World(NamedTuple):
    """The jobs that are there, a painting, and a class that is explained."""

    older: str
    dissection: str
    ablation: str
    attack: str
    drawn: str
    intervention: str
    cells: str
    painting: str
    class_name: str


def register(client: Client) -> None:
    """The built-in networks and their pictures."""
    client.register_model("scenes", "builtin:scenes-classifier")
    client.register_model("segmenter", "builtin:scenes-segmenter", kind="segmenter")
    client.register_model("generator", "builtin:scenes-generator", kind="generator")
    client.register_dataset("pictures", "scenes", {"builtin": "scenes-validation"})


def discover(client: Client) -> World:
    """One job of every kind, as small as can be."""
    older = client.dissect("scenes", "pictures", [LAYER], max_images=20, top_images=3).wait()
    newer = client.dissect("scenes", "pictures", [LAYER], max_images=40, top_images=3).wait()
    classes = [row.name for row in client.classes(model="scenes")][:2]
    sizes: dict[str, Any] = {"sizes": [1, 4, 20], "max_images": 160}
    ablation = client.ablate("scenes", "pictures", LAYER, classes=classes, **sizes).wait()
    attack = client.attack("scenes", "pictures", layer=LAYER, method="fgsm", target=classes[0], max_images=8, keep=2)
    attack.wait()
    latents = {"seed": 1, "count": 24}
    drawn = client.dissect("generator", None, [GENERATOR_LAYER], segmentation=SEEN, latents=latents, top_images=3)
    drawn.wait()
    concept = next(client.units(model="generator", layer=GENERATOR_LAYER)).label
    assert concept is not None
    named = {"category": concept.category, "name": concept.concept}
    units = {"concept": named, "top": 4}
    few, fewer = ({"latents": {"seed": 2, "count": count}, "keep": 2} for count in (8, 2))
    ranking = {"latents": {"seed": 3, "count": 4}}
    removed = client.intervene("generator", GENERATOR_LAYER, units, ranking=ranking, random=1, **few).wait()
    cells = client.intervene("generator", GENERATOR_LAYER, units, action="insert", where="each-cell", **fewer).wait()
    drawing = stroke("draw", (concept.category, concept.concept), UPPER)
    painting = client.paint("generator", GENERATOR_LAYER, [drawing], latent={"seed": 1, "index": 3})
    jobs = (older, newer, ablation, attack, drawn, removed, cells)
    return World(*(str(job.id) for job in jobs), str(painting.id), classes[0])


def addresses(world: World) -> dict[str, str]:
    """The pages, by what they show."""
    unit, drawing = f"/models/scenes/layers/{LAYER}/units/0", f"/models/generator/layers/{GENERATOR_LAYER}"
    return {
        "home": "/",
        "search": "/?q=tree",
        "models": "/models",
        "classifier": "/models/scenes",
        "generator": "/models/generator",
        "segmenter": "/models/segmenter",
        "layer": f"/models/scenes/layers/{LAYER}",
        "layer of a generator": drawing,
        "layer not dissected": "/models/scenes/layers/features.relu1_1",
        "unit": unit,
        "older unit": f"{unit}?job={world.older}",
        "unit of a generator": f"{drawing}/units/0",
        "units": "/units?detectors=true",
        "concepts": "/concepts",
        "concept": "/concept?concept=tree&category=object",
        "classes": "/classes",
        "class": f"/class?class={world.class_name}",
        "attacks": "/attacks",
        "jobs": "/jobs",
        "dissection": f"/jobs/{world.dissection}",
        "ablation": f"/jobs/{world.ablation}",
        "attack": f"/jobs/{world.attack}",
        "dissection of a generator": f"/jobs/{world.drawn}",
        "intervention": f"/jobs/{world.intervention}",
        "intervention at each cell": f"/jobs/{world.cells}",
        "comparison": f"/compare?a={world.older}&b={world.dissection}",
        "form": "/models/scenes/jobs/new?kind=attack",
        "form of a generator": "/models/generator/jobs/new?kind=intervention",
        "paintings": "/paintings",
        "painting": f"/paintings/{world.painting}",
        "paint": f"/models/generator/paint?painting={world.painting}",
        "collections": "/collections",
        "links": "/shares",
    }
