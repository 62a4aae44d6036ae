"""Answers as HTML, as a notebook shows them: every text escaped, nothing loaded from elsewhere."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unitatlas.explaining import Explanation
    from unitatlas.intervening import PixelChange
    from unitatlas.jobs import Job
    from unitatlas.painting import Painting
    from unitatlas.types import Concept, Unit, UnitDetails

LABEL_COLUMNS = ("concept", "category", "IoU", "95 % interval")


def show_unit(unit: "Unit", picture: str | None = None) -> str:
    """A unit with its label and the picture, a data URL, of the images on which it peaks."""
    labels = [label for label in (unit.match or unit.label,) if label is not None]
    rows = [_label_row(label.raw) for label in labels]
    return _unit_heading(unit) + _table(LABEL_COLUMNS, rows) + _picture(picture, "images on which the unit peaks")


def show_details(unit: "UnitDetails", picture: str | None = None) -> str:
    """A unit with all of its labels, the classes that it matters for, and the picture of its images."""
    shown = _unit_heading(unit) + _picture(picture, "images on which the unit peaks")
    shown += _table(LABEL_COLUMNS, [_label_row(label.raw) for label in unit.labels])
    rows = [
        (effect.class_name, effect.accuracy_change, _interval(effect.raw, "accuracy_change")) for effect in unit.effects
    ]
    return shown + (_table(("class", "accuracy change", "95 % interval"), rows) if rows else "")


def show_job(job: "Job", page: str) -> str:
    """A job with its state, its progress and a link to its page."""
    done, total, counted = (job.progress[name] for name in ("done", "total", "unit"))
    detail = str((job.error or {}).get("detail") or "")
    return (
        f"<p><b>{_text(job.kind)}</b> of {_text(job.raw['model'])}: {_text(job.state)} "
        f'<progress value="{_text(done)}" max="{_text(total)}"></progress> {_text(done)} of {_text(total)} '
        f'{_text(counted)}. {_text(detail)} <a href="{_text(page)}">{_text(job.id)}</a></p>'
    )


def show_concept(concept: "Concept") -> str:
    """A concept with how many units it labels."""
    row = (concept.name, concept.category, concept.units, concept.detectors)
    return _table(("concept", "category", "units", "detectors"), [row])


def show_explanation(explained: "Explanation") -> str:
    """A class with its verdict, its most important units and what removing them does."""
    heading = f"<p><b>{_text(explained.class_name)}</b> in {_text(explained.model)} {_text(explained.layer)}</p>"
    units = [
        (unit.unit, unit.label and unit.label.concept, unit.effect and unit.effect.accuracy_change)
        for unit in explained.units
    ]
    removing = [
        (size, removal.most.change, _interval(removal.most.raw, "change"), removal.random.get("change", {}).get("mean"))
        for size, removal in explained.removing.items()
    ]
    return (
        f"{heading}<p>{_text(explained.verdict)}</p>"
        + _table(("unit", "concept", "accuracy change"), units)
        + _table(("units removed", "accuracy change", "95 % interval", "by random units"), removing)
    )


def show_change(changed: "PixelChange") -> str:
    """What changing units did to a concept, beside what random units did."""
    units = f"{changed.action}, the first {changed.size} units by {changed.order}"
    random = changed.random and changed.random.change
    row = (units, changed.concept, changed.change, _interval(changed.raw, "change"), random)
    return _table((f"{changed.model} {changed.layer}", "concept", "change", "99 % interval", "by random units"), [row])


def show_painting(painting: "Painting", pictures: Mapping[str, str | None]) -> str:
    """A painting's picture before and after, data URLs of `unedited` and `edited`, and each concept's pixels."""
    both = _picture(pictures.get("unedited"), "before") + _picture(pictures.get("edited"), "after")
    rows = [
        (change.name, change.category, *(_before_after(counted) for counted in (change.inside, change.outside)))
        for change in painting.changes
    ]
    heading = f"<p><b>painting</b> by {_text(painting.model)}: {_text(painting.state)}</p>"
    return heading + both + _table(("concept", "category", "pixels inside", "pixels outside"), rows)


def _unit_heading(unit: "Unit | UnitDetails") -> str:
    return f"<p><b>{_text(unit.model)} {_text(unit.layer)} unit {_text(unit.unit)}</b></p>"


def _label_row(label: Mapping[str, Any]) -> Sequence[object]:
    return label["concept"], label["category"], label["iou"], _interval(label, "iou")


def _before_after(counted: Mapping[str, int]) -> str:
    return f"{counted['before']} to {counted['after']}"


def _interval(figures: Mapping[str, Any], name: str) -> str | None:
    low, high = figures.get(f"{name}_low"), figures.get(f"{name}_high")
    return None if low is None or high is None else f"{low:.4g} to {high:.4g}"


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    head = "".join(f"<th>{_text(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{_text(value)}</td>' for value in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _picture(source: str | None, alt: str) -> str:
    return "" if source is None else f'<img src="{_text(source)}" alt="{_text(alt)}">'


def _text(value: object) -> str:
    if value is None:
        return "-"
    return escape(f"{value:.4g}" if isinstance(value, float) else str(value))
