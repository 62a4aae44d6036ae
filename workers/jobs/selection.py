"""Which images of a dataset a job looks at."""


def select_images(available: int, most: int | None) -> list[int]:
    """The images to look at: all, or `most` spread evenly over the dataset's order."""
    count = min(available, most or available)
    return [index * available // count for index in range(count)]
