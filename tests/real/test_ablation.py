"""Units of a real network removed behind a cut and in a whole job, against the exported program run node by node."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from service.artifacts.store import ArtifactStore
from tests.workers.jobs.ablation import brute_force
from tests.workers.jobs.conftest import Driver
from workers.networks.network import load
from workers.networks.tails.opening import open_tail
from workers.networks.tails.tail import LOGITS

INPUT = {"resize": [32, 32], "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
BLOCKS = [f"layer{stage}.{block}" for stage in (1, 2, 3) for block in (0, 1, 2)]
LAYER = "layer3.2"
UNITS = [0, 17, 48, 63]
IN_CLASS = 6

pytestmark = pytest.mark.real


@pytest.fixture
def archive(samples):
    return samples / "nets" / "cifar10_resnet20.pt2"


@pytest.fixture
def files(samples):
    """A few images of each class, by its folder."""
    folders = sorted(folder for folder in (samples / "cifar10").iterdir() if folder.is_dir())
    return {folder.name: sorted(folder.glob("*.jpg"))[:IN_CLASS] for folder in folders}


@pytest.fixture
def pixels(files):
    """The images as the network takes them, (60, 3, 32, 32)."""
    images = np.stack([np.asarray(Image.open(file).convert("RGB")) for group in files.values() for file in group])
    mean, std = (np.array(INPUT[name]) for name in ("mean", "std"))
    return torch.from_numpy(((images / 255 - mean) / std).transpose(0, 3, 1, 2)).float()


@pytest.fixture
def logits_without(archive):
    """The program's own logits (n, 10), with units of what a block puts out set to 0 on the way."""
    program = torch.export.load(archive)
    sums = [node for node in program.graph.nodes if node.target is torch.ops.aten.add.Tensor]
    put_out = {name: next(iter(node.users)) for name, node in zip(BLOCKS, sums, strict=True)}

    class Silencing(torch.fx.Interpreter):
        def run_node(self, node):
            value = super().run_node(node)
            if node is self.silenced:
                value = value.clone()
                value[:, self.units] = 0
            return value

    def run(pixels, layer, units):
        tensors = [program.state_dict[spec.target] for spec in program.graph_signature.input_specs if spec.target]
        interpreter = Silencing(program.graph_module)
        interpreter.silenced, interpreter.units = put_out[layer], list(units)
        with torch.no_grad():
            (logits,) = interpreter.run(*tensors, pixels, enable_io_processing=False)
        return logits.numpy()

    return run


def test_what_follows_a_cut_is_what_the_program_says_with_the_unit_silent(
    archive, files, pixels, logits_without, tmp_path
):
    store = ArtifactStore(tmp_path)
    weights = {"artifact": store.put(archive)}
    network = load("exported", weights, INPUT, list(files), store, torch.device("cpu"))
    few = pixels[::7]
    for layer in ("layer3.2", "layer3.1", "layer2.0"):
        tail = open_tail(network, layer, 2**28)
        assert (tail.cut, tail.reason) == (True, None)
        kept = tail.keep(few)
        np.testing.assert_allclose(kept[LOGITS], logits_without(few, layer, []), rtol=1e-5, atol=1e-5)
        conditions = [[0], [5], [tail.units - 1], [1, 2, 9]]
        for place, rows, logits in tail.block(kept, torch.zeros(tail.units)).run(conditions):
            found = kept[LOGITS].clone()
            found[rows] = logits
            expected = logits_without(few, layer, conditions[place])
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_a_job_finds_what_the_program_does_without_its_units(archive, files, pixels, logits_without, sqlite_settings):
    driver = Driver(sqlite_settings)
    for name, group in files.items():
        (driver.settings.import_dir / "cifar" / name).mkdir(parents=True)
        for file in group:
            shutil.copy(file, driver.settings.import_dir / "cifar" / name)
    driver.done(driver.queue_dataset("cifar", format="folder"))
    weights = {"artifact": driver.store.put(archive)}
    driver.done(driver.queue_model("resnet", "exported", weights=weights, input=INPUT, classes=list(files)))
    job = driver.ablate("resnet", "cifar", LAYER, units=UNITS, sizes=[2])
    driver.engine.dispose()
    assert job.summary["cut"]

    classes = np.repeat(np.arange(len(files)), IN_CLASS)
    for name, start in (("ranking", 0), ("evaluation", 1)):
        chosen, true = pixels[start::2], classes[start::2].tolist()
        before = logits_without(chosen, LAYER, [])
        matrices = {
            field: np.load(driver.store.path(digest)) for field, digest in job.summary["matrices"][name].items()
        }
        for row, unit in enumerate(UNITS):
            after = logits_without(chosen, LAYER, [unit])
            for c in range(len(files)):
                was, now = (brute_force.judge(logits, true, c) for logits in (before, after))
                changes = {
                    "balanced_accuracy": now.balanced - was.balanced,
                    "recall": now.recall - was.recall,
                    "log_probability": now.log_probability - was.log_probability,
                }
                for field, change in changes.items():
                    assert matrices[field][row, c] == pytest.approx(change, abs=1e-5), (name, unit, c, field)
