"""The service as Python calls."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote
from uuid import UUID

import httpx

from unitatlas.attacking import AttackedImage, Image
from unitatlas.comparing import Diff, UnitChange
from unitatlas.errors import JobFailed, Problem, ServiceUnreachable
from unitatlas.explaining import Explanation
from unitatlas.intervening import PixelChange, concept
from unitatlas.jobs import Job
from unitatlas.painting import Painting
from unitatlas.team import Team
from unitatlas.transport import Transport
from unitatlas.types import Class, Concept, Dataset, Estimate, Layer, Model, Unit, UnitDetails
from unitatlas.uploads import open_source, upload
from unitatlas.webhooks import Webhooks

DEFAULT_URL = "http://127.0.0.1:8000"


class Client:
    """A connection to one Unit Atlas service, for one team.

    The address and the key default to `UNITATLAS_URL` and `UNITATLAS_KEY`; an empty key sends none.

    >>> client = Client()
    >>> job = client.dissect("scenes", "validation", layers=["features.12"])
    >>> job.wait()
    >>> for unit in client.units(concept="tree", min_iou=0.04):
    ...     print(unit.layer, unit.unit, unit.match.iou)
    """

    def __init__(self, url: str | None = None, key: str | None = None, timeout: float = 60.0) -> None:
        url = url or os.environ.get("UNITATLAS_URL") or DEFAULT_URL
        key = os.environ.get("UNITATLAS_KEY") if key is None else key
        self._transport = Transport(url, key, timeout)
        self.team = Team(self._transport)
        self.webhooks = Webhooks(self._transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    @property
    def url(self) -> str:
        """Address of the service, which is that of its pages too."""
        return self._transport.url

    def ready(self) -> bool:
        """Whether the service could run a job now: database, broker and a worker are there."""
        try:
            return bool(self._transport.request("GET", "/readyz", tries=1))
        except (Problem, ServiceUnreachable):
            return False

    # models and datasets

    def register_model(
        self,
        name: str,
        source: str,
        *,
        kind: str = "classifier",
        weights: dict[str, Any] | None = None,
        input: dict[str, Any] | None = None,
        classes: list[str] | None = None,
        concepts: list[dict[str, str] | None] | None = None,
    ) -> Model:
        """Register a network and return it once a worker has loaded it and listed its layers.

        The outputs of a segmenter stand for `concepts`: {"category", "name"} each, or None for one without a concept. A
        generator's `input` is {"latent": [d] or [d, 1, 1], "range": [low, high]}.
        """
        body = {"name": name, "kind": kind, "source": source, "weights": weights or {}}
        optional = {"input": input, "classes": classes, "concepts": concepts}
        self._register("/v1/models", body | {key: value for key, value in optional.items() if value is not None})
        return self.model(name)

    def models(self) -> Iterator[Model]:
        """All models of the team, by name."""
        return map(Model.from_json, self._transport.pages("/v1/models"))

    def model(self, name: str) -> Model:
        """One model."""
        return Model.from_json(self._transport.get(f"/v1/models/{quote(name, safe='')}"))

    def layers(self, model: str) -> list[Layer]:
        """The layers of a model that can be dissected, in the order of the forward pass."""
        return [
            Layer.from_json(layer)
            for layer in self._transport.get(f"/v1/models/{quote(model, safe='')}/layers")["data"]
        ]

    def register_dataset(
        self,
        name: str,
        format: str,
        location: dict[str, Any] | str | Path,
        *,
        grid: int | None = None,
        scenes: bool = False,
    ) -> Dataset:
        """Register images and return them once a worker has checked them.

        They lie where {"path"}, {"artifact"} or {"builtin"} says; a folder or zip archive on this side is uploaded.
        With `scenes` the class of an image is a concept that all of it shows.
        """
        if not isinstance(location, dict):
            location = {"artifact": self.upload(location)}
        body = {"name": name, "format": format, "location": location, "scenes": scenes}
        self._register("/v1/datasets", body | ({} if grid is None else {"grid": grid}))
        return self.dataset(name)

    def datasets(self) -> Iterator[Dataset]:
        """All datasets of the team, by name."""
        return map(Dataset.from_json, self._transport.pages("/v1/datasets"))

    def dataset(self, name: str) -> Dataset:
        """One dataset."""
        return Dataset.from_json(self._transport.get(f"/v1/datasets/{quote(name, safe='')}"))

    def _register(self, path: str, body: dict[str, Any]) -> None:
        response = self._transport.post(path, body)
        if response.status_code == httpx.codes.ACCEPTED:  # no worker has come to it yet
            try:
                Job(self._transport, response.json()).wait()
            except JobFailed as failure:
                raise failure.problem or failure from None

    # jobs

    def dissect(self, model: str, dataset: str | None, layers: list[str], **params: Any) -> Job:
        """Start a dissection: what does each unit of these layers detect?

        A generator has no dataset: it makes a picture of each of its `latents`, and `segmentation` says how they are
        labelled.
        """
        return self.submit("dissection", model, dataset, layers=layers, **params)

    def ablate(self, model: str, dataset: str, layer: str, *, ranking_dataset: str | None = None, **params: Any) -> Job:
        """Start an ablation: what does each class lose when units of this layer are silenced?

        Units are ranked on the images of `ranking_dataset`, by default on half of the dataset's, and evaluated on
        the others.
        """
        return self.submit("ablation", model, dataset, layer=layer, ranking_dataset=ranking_dataset, **params)

    def attack(
        self,
        model: str,
        dataset: str,
        *,
        target: str | Sequence[str] | None = None,
        layer: str | Sequence[str] | None = None,
        method: str | None = None,
        ablation: str | UUID | None = None,
        **params: Any,
    ) -> Job:
        """Start an attack: what fools this classifier, and which units of these layers does it move?

        The target is a class or several, `least-likely`, or None for any other class. The method is by default
        carlini-wagner-l2. The ablation says which units are important to a class, by default the layer's newest.
        """
        given = {"target": target, "layer": layer, "method": method, "ablation": ablation and str(ablation)}
        params |= {name: value for name, value in given.items() if value is not None}
        return self.submit("attack", model, dataset, **params)

    def intervene(
        self,
        model: str,
        layer: str | Sequence[str],
        units: str | dict[str, Any] | Sequence[int],
        *,
        action: str = "remove",
        **params: Any,
    ) -> Job:
        """Start an intervention: what does this generator draw without some units of a layer, or with more of them?

        The units are those listed, or a concept's best: its name, `category/name`, or {"concept", "top", "job"}.
        """
        chosen = {"concept": concept(units)} if isinstance(units, str) else units
        chosen = chosen if isinstance(chosen, dict) else list(chosen)
        return self.submit("intervention", model, layer=layer, units=chosen, action=action, **params)

    def import_results(self, path: str | Path, model: str, format: str, *, layer: str | None = None) -> Job:
        """Start to import labels that another tool found: upload its CSV file, and write its rows beside ours.

        `format` is netdissect or netdissect-lite, whose files need a `layer`, or clip-dissect.
        """
        return self.submit("import", model, format=format, layer=layer, artifact=self.upload(path, "text/csv"))

    def submit(self, kind: str, model: str, dataset: str | None = None, **params: Any) -> Job:
        """Start a job of any kind; the same work asked for before is answered by the job that did it."""
        body = {"kind": kind, "model": model, **params} | ({} if dataset is None else {"dataset": dataset})
        return Job(self._transport, self._transport.post("/v1/jobs", body).json())

    def estimate(self, kind: str, model: str, dataset: str | None = None, **params: Any) -> Estimate:
        """What a job would cost; nothing is started."""
        body = {"kind": kind, "model": model, **params} | ({} if dataset is None else {"dataset": dataset})
        return Estimate.from_json(self._transport.request("POST", "/v1/jobs:estimate", json=body).json())

    def jobs(self, **filters: Any) -> Iterator[Job]:
        """Jobs, newest first; filters are kind, model and state."""
        return (Job(self._transport, data) for data in self._transport.pages("/v1/jobs", **filters))

    def job(self, id: str | UUID) -> Job:
        """One job."""
        return Job(self._transport, self._transport.get(f"/v1/jobs/{quote(str(id), safe='')}"))

    def diff(self, a: str | UUID, b: str | UUID, *, layer_a: str | None = None, layer_b: str | None = None) -> Diff:
        """Two dissections side by side; without names the layers of one name in both, or the only ones."""
        return Diff.from_json(self._transport.get(_diff(a, b), layer_a=layer_a, layer_b=layer_b))

    def changes(self, a: str | UUID, b: str | UUID, **filters: Any) -> Iterator[UnitChange]:
        """Units whose label is another one in b, furthest first; filters are layer_a, layer_b and change."""
        return map(UnitChange.from_json, self._transport.pages(f"{_diff(a, b)}/units", **filters))

    # what was found

    def units(self, **filters: Any) -> Iterator[Unit]:
        """Units, best match first; filters are those of `GET /v1/units` (concept, category, model, layer, ...).

        With `class_` those that damage this class most when they are removed come first, each with its `effect`, and
        with its `shift` where an attack towards the class watched it.
        """
        return map(Unit.reader(self._transport), self._transport.pages("/v1/units", **filters))

    def unit(self, model: str, layer: str, unit: int, *, job: str | None = None) -> UnitDetails:
        """All that is known of one unit, from its newest dissection, ablation and attacks or from the job named."""
        path = f"/v1/models/{quote(model, safe='')}/layers/{quote(layer, safe='')}/units/{unit}"
        return UnitDetails.reader(self._transport)(self._transport.get(path, job=job))

    def concepts(self, **filters: Any) -> Iterator[Concept]:
        """Concepts with how many units were found for each; filters are category and q."""
        return map(Concept.from_json, self._transport.pages("/v1/concepts", **filters))

    def classes(self, **filters: Any) -> Iterator[Class]:
        """Classes of the team's models with how many units matter to each; filters are model and q."""
        return map(Class.from_json, self._transport.pages("/v1/classes", **filters))

    def explain(
        self,
        class_: str,
        *,
        model: str | None = None,
        layer: str | None = None,
        job: str | UUID | None = None,
        units: int | None = None,
    ) -> Explanation:
        """What a class is told apart by: its most important units, what they detect, what removing them does, attacks.

        A model must be named where several have the class, a layer where several were ablated.
        """
        path = f"/v1/classes/{quote(class_, safe='')}/explanation"
        return Explanation.from_json(self._transport.get(path, model=model, layer=layer, job=job, units=units))

    def attacks(self, **filters: Any) -> Iterator[AttackedImage]:
        """Attacked images, newest attack first; filters are model, source, target, outcome and job."""
        return map(AttackedImage.from_json, self._transport.pages("/v1/attacks", **filters))

    def interventions(self, **filters: Any) -> Iterator[PixelChange]:
        """What sets of units did to concepts, newest intervention first.

        Filters are those of `GET /v1/interventions`: model, layer, target, concept, action, order, size, job, ...
        """
        return map(PixelChange.from_json, self._transport.pages("/v1/interventions", **filters))

    def image(self, digest: str) -> Image:
        """What is known of an image by the sha256 of its file: predictions, attacks, the units that peak on it."""
        return Image.from_json(self._transport.get(f"/v1/images/{quote(digest, safe='')}"))

    # paintings

    def paint(
        self,
        model: str,
        layer: str,
        strokes: Sequence[dict[str, Any]],
        *,
        latent: dict[str, Any],
        segmentation: str | Sequence[str] | None = None,
        dissection: str | UUID | None = None,
    ) -> Painting:
        """Lay strokes over a generator's picture, and measure what they change; see `unitatlas.stroke`.

        The latent is {"seed", "index"} or {"vector"}. The dissection says which units fit a concept, by default the
        layer's newest.
        """
        given = {"segmentation": segmentation, "dissection": dissection and str(dissection)}
        body = {"latent": latent, "layer": layer, "strokes": list(strokes), **given}
        return self._paint(model, body)

    def repeat(self, painting: Painting) -> Painting:
        """Paint a painting's document again: the same picture to the bit."""
        return self._paint(painting.model, painting.document)

    def _paint(self, model: str, body: dict[str, Any]) -> Painting:
        path = f"/v1/models/{quote(model, safe='')}/paintings"
        return Painting.reader(self._transport)(self._transport.request("POST", path, json=body).json())

    def paintings(self, **filters: Any) -> Iterator[Painting]:
        """The team's paintings, newest first; the filter is model."""
        return map(Painting.reader(self._transport), self._transport.pages("/v1/paintings", **filters))

    def painting(self, id: str | UUID) -> Painting:
        """One painting."""
        return Painting.reader(self._transport)(self._transport.get(f"/v1/paintings/{quote(str(id), safe='')}"))

    # artifacts

    def upload(self, path: str | Path, media_type: str | None = None) -> str:
        """Upload a file, or a folder as one zip archive, after a failure from where it broke off; return its digest.

        The archive of the same files has the same digest anywhere. It is made while it is sent and never written;
        empty folders, hidden files and what file managers leave behind stay out, links are followed.
        """
        source = open_source(Path(path))
        upload(self._transport, source, media_type or source.media_type)
        return source.digest

    def download(self, digest: str, path: str | Path) -> Path:
        """Write an artifact to a file and return its path."""
        path = Path(path)
        self._transport.save(f"/v1/artifacts/{digest}", path)
        return path


def _diff(a: str | UUID, b: str | UUID) -> str:
    return f"/v1/jobs/{quote(str(a), safe='')}/diff/{quote(str(b), safe='')}"
