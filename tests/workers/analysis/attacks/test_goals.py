"""Goals and how far logits are from them."""

import torch

from workers.analysis.attacks.goals import Goal

LOGITS = torch.tensor([[3.0, 1.0, 2.0], [0.0, 4.0, 4.0], [1.0, 5.0, 2.0]])
ROWS = torch.tensor([2, 0, 1])
CLASSES = torch.tensor([0, 1, 1])  # of images 0, 1, 2


def test_to_leave_a_class_is_to_fall_behind_the_best_other():
    goal = Goal.of(CLASSES, None)
    assert goal.gaps(LOGITS, ROWS).tolist() == [1 - 3, 0 - 4, 5 - 2]
    assert goal.reached(LOGITS, ROWS).tolist() == [True, True, False]


def test_to_reach_a_class_is_to_lead_all_others():
    goal = Goal.of(torch.zeros(3, dtype=torch.long), CLASSES)
    assert goal.gaps(LOGITS, ROWS).tolist() == [3 - 1, 4 - 0, 2 - 5]
    assert goal.reached(LOGITS, ROWS).tolist() == [False, False, True]


def test_confidence_is_part_of_the_gap_and_of_the_goal():
    goal = Goal.of(CLASSES, None, confidence=3.0)
    assert goal.gaps(LOGITS, ROWS).tolist() == [1, -1, 6]
    assert goal.reached(LOGITS, ROWS).tolist() == [False, True, False]


def test_a_draw_or_a_lead_of_rounding_is_not_won():
    logits = torch.tensor([[1.0, 1.0], [100.0, 100.0005], [100.0, 100.01]])
    goal = Goal.of(torch.zeros(3, dtype=torch.long), torch.ones(3, dtype=torch.long))
    assert goal.reached(logits, torch.arange(3)).tolist() == [False, False, True]


def test_goals_are_counted_anew():
    goal = Goal.of(CLASSES, None).take(torch.tensor([2, 0]))
    assert goal.classes.tolist() == [1, 0]
    assert not goal.targeted
