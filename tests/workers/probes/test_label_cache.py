"""Label maps on disk: what is read is what was written, or nothing."""

import os
import threading

import numpy as np
import pytest

from workers.probes import label_cache
from workers.probes.label_cache import LabelCache

LABELS = np.random.default_rng(0).integers(0, 2**16, (20, 30)).astype(np.uint16)
LARGE = 10**9


def image(number: int) -> str:
    return f"{number:064x}"[::-1]


@pytest.fixture
def root(tmp_path):
    return tmp_path / "segmentations"


def files(root):
    return [path for path in root.rglob("*") if path.is_file()]


def test_labels_come_back_by_both_digests(root):
    cache = LabelCache(root, LARGE)
    assert cache.get("s", image(1)) is None
    cache.put("s", image(1), LABELS)
    cache.put("t", image(1), LABELS.T)
    cache.put("s", image(2), LABELS[:0])
    assert np.array_equal(LabelCache(root, LARGE).get("s", image(1)), LABELS)
    assert np.array_equal(cache.get("t", image(1)), LABELS.T)
    assert cache.get("s", image(2)).shape == (0, 30)
    assert cache.get("t", image(2)) is None
    assert cache.get("s", image(1)).dtype == np.uint16


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "longer"])
def test_a_damaged_file_counts_as_none_and_can_be_written_anew(root, damage, caplog):
    cache = LabelCache(root, LARGE)
    cache.put("s", image(1), LABELS)
    (file,) = files(root)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    whole = file.read_bytes()
    file.write_bytes({"cut": whole[:-1], "flipped": bytes(data), "emptied": b"", "longer": whole + b"0"}[damage])
    assert cache.get("s", image(1)) is None
    assert "made anew" in caplog.text
    cache.put("s", image(1), LABELS)
    assert np.array_equal(cache.get("s", image(1)), LABELS)


def test_the_oldest_go_first_and_the_bound_holds(root, monkeypatch):
    monkeypatch.setattr(label_cache, "SLACK", 0)
    LabelCache(root, LARGE).put("s", image(0), LABELS)
    size = files(root)[0].stat().st_size
    cache = LabelCache(root, 5 * size)
    for number in range(1, 9):
        cache.put("s" if number % 2 else "t", image(number), LABELS)
        for age, path in enumerate(sorted(files(root), key=lambda path: path.name[::-1], reverse=True)):
            os.utime(path, (10**9 - age, 10**9 - age))
        assert sum(path.stat().st_size for path in files(root)) <= 5 * size
    assert {path.name for path in files(root)} == {image(number) for number in range(4, 9)}


def test_what_ended_processes_left_is_pruned_at_the_first_write(root):
    for number in range(20):
        LabelCache(root, LARGE).put("s", image(number), LABELS)
    LabelCache(root, 1000).put("s", image(20), LABELS)
    assert files(root) == []


def test_between_two_looks_little_is_written(root):
    cache = LabelCache(root, 10**5)
    for number in range(200):
        cache.put("s", image(number), LABELS)
        assert sum(path.stat().st_size for path in files(root)) <= (1 + label_cache.SLACK) * 10**5 + 2 * LABELS.nbytes


def test_a_disk_that_takes_nothing_is_no_error(root, caplog):
    root.write_text("in the way")
    cache = LabelCache(root, LARGE)
    cache.put("s", image(1), LABELS)
    assert cache.get("s", image(1)) is None
    assert "are not kept" in caplog.text


def test_writers_and_pruners_at_the_same_files_leave_whole_ones(root, monkeypatch):
    monkeypatch.setattr(label_cache, "SLACK", 0)

    def work(seed):
        cache = LabelCache(root, 3000)
        for number in np.random.default_rng(seed).integers(0, 6, 60):
            cache.put("s", image(number), LABELS + np.uint16(number))
            found = cache.get("s", image(number))
            assert found is None or np.array_equal(found, LABELS + np.uint16(number))
            done.append(number)

    done: list[int] = []
    threads = [threading.Thread(target=work, args=[seed]) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 4 * 60
    assert not [path for path in files(root) if path.name.startswith("new-")]
