"""Everything that is wrong with a dataset, told at once."""

from service.errors import Invalid

SHOWN = 10


class Problems:
    """Gathers faults while a dataset is read, so that one answer names the first several of them."""

    def __init__(self) -> None:
        self._details: list[str] = []

    def add(self, detail: str) -> None:
        """Note one fault: which file, which line, what is wrong, what would do."""
        self._details.append(detail)

    @property
    def enough(self) -> bool:
        """Whether there are as many faults as an answer shows, so that looking for more is in vain."""
        return len(self._details) >= SHOWN

    def raise_any(self) -> None:
        """Raise Invalid with the faults noted so far; without any, do nothing."""
        if not self._details:
            return
        others = len(self._details) - 1
        detail = self._details[0] + (f" (and {others} more)" if others else "")
        raise Invalid(detail, errors=[{"pointer": "/location", "detail": each} for each in self._details[:SHOWN]])
