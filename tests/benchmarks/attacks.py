"""What it costs to attack images, beside foolbox at the same settings.

Carlini and Wagner's attack with one target an image, on one thread. Whichever of the two has used less CPU time takes
its next pass, so that whatever else the machine does falls on both alike. Both are judged by the same forward pass over
what they put out, and by the L2 norms over the images that both fool. Foolbox stops early only where the summed loss of
the whole batch stalls, ours where an image's own does; the rows without early stops compare the same number of steps.
The network from outside the project is left out where its files are missing.

    python -m tests.benchmarks.attacks
"""

import time
from collections.abc import Callable
from threading import Semaphore, Thread
from typing import NamedTuple

import foolbox
import torch
from torch import Tensor, nn

from tests.real.cifar10 import cifar_images, open_resnet
from tests.real.conftest import SAMPLES
from tests.workers.analysis.attacks.planted import fooled_by_foolbox, scenes
from workers.analysis.attacks.carlini_wagner import CarliniWagnerL2
from workers.analysis.attacks.robustness import distances

IMAGES, SEARCHES, STEPS = 64, 5, 200
RATE, CONSTANT = 5e-3, 1e-2
BOUND = 0.7

Step = Callable[[], None]


class Runner(Thread):
    """Work that calls a function at each of its steps, and goes on only when it is told to."""

    def __init__(self, work: Callable[[Step], tuple[Tensor, Tensor]]) -> None:
        super().__init__(daemon=True)
        self.work, self.ended, self.wall, self.cpu = work, False, 0.0, 0.0
        self.go, self.stopped = Semaphore(0), Semaphore(0)
        self.start()

    def run(self) -> None:
        self.go.acquire()
        try:
            self.succeeded, self.norms = self.work(self.wait)
        finally:
            self.ended = True
            self.stopped.release()

    def wait(self) -> None:
        self.stopped.release()
        self.go.acquire()

    def advance(self) -> None:
        """Let it take a step; its seconds count."""
        wall, cpu = time.perf_counter(), time.process_time()
        self.go.release()
        self.stopped.acquire()
        self.wall += time.perf_counter() - wall
        self.cpu += time.process_time() - cpu


class Case(NamedTuple):
    """A network and images (B, 3, H, W) of which each shall become its target (B,)."""

    title: str
    network: nn.Module
    images: Tensor
    labels: Tensor
    targets: Tensor


class Stepping(nn.Module):
    """A network that tells before each pass that another step begins."""

    def __init__(self, network: nn.Module, step: Step) -> None:
        super().__init__()
        self.network, self.step = network, step
        self.eval()

    def forward(self, pixels: Tensor) -> Tensor:
        self.step()
        logits: Tensor = self.network(pixels)
        return logits


def run_ours(case: Case, abort_early: bool, step: Step) -> tuple[Tensor, Tensor]:
    attack = CarliniWagnerL2(STEPS, SEARCHES, RATE, CONSTANT, abort_early=abort_early)
    found = attack(case.network, case.images, case.labels, case.targets, step)
    with torch.no_grad():
        fooled = case.network(found.adversarial).argmax(1) == case.targets
    return fooled, distances(case.images, found.adversarial)[0]


def run_foolbox(case: Case, abort_early: bool, step: Step) -> tuple[Tensor, Tensor]:
    attack = foolbox.attacks.L2CarliniWagnerAttack(SEARCHES, STEPS, RATE, 0, CONSTANT, abort_early)
    return fooled_by_foolbox(attack, Stepping(case.network, step), case.images, case.labels, case.targets)


def compare(case: Case, abort_early: bool) -> None:
    ours = Runner(lambda step: run_ours(case, abort_early, step))
    theirs = Runner(lambda step: run_foolbox(case, abort_early, step))
    while running := [runner for runner in (ours, theirs) if not runner.ended]:
        min(running, key=lambda runner: runner.cpu).advance()
    both = ours.succeeded & theirs.succeeded
    print(
        f"| {case.title} | {'yes' if abort_early else 'no'} | {theirs.wall:.0f} | {ours.wall:.0f} "
        f"| {ours.wall / theirs.wall:.2f} | {ours.cpu / theirs.cpu:.2f} | {BOUND} "
        f"| {int(theirs.succeeded.sum())}, {int(ours.succeeded.sum())} "
        f"| {theirs.norms[both].mean():.4f}, {ours.norms[both].mean():.4f} |",
        flush=True,
    )


def with_targets(title: str, network: nn.Module, images: Tensor) -> Case:
    with torch.no_grad():
        logits = network(images)
    labels = logits.argmax(1)
    return Case(title, network, images, labels, (labels + 1) % logits.shape[1])


def cases() -> list[Case]:
    """The built-in classifier, and the network from outside where it is."""
    network, images, *_ = scenes(IMAGES)
    found = [with_targets("built-in classifier", network, images)]
    if SAMPLES.is_dir():
        found.append(with_targets("ResNet-20, CIFAR-10", open_resnet(SAMPLES), cifar_images(SAMPLES, IMAGES)))
    return found


def main() -> None:
    torch.set_num_threads(1)
    print("| network | early stops | foolbox, s | ours, s | ratio | ratio of CPU times | bound ", end="")
    print("| fooled by foolbox, by ours | mean L2 of foolbox, of ours |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for case in cases():
        for abort_early in (False, True):
            compare(case, abort_early)


if __name__ == "__main__":
    main()
