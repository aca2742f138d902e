"""Makes schedules.npz: what PyTorch's schedulers make of a learning rate of 1, for tests/python/test_op_schedule.py.

    python3 -m venv V && V/bin/pip install torch numpy transformers && V/bin/python make_schedules.py

Each array is named by the text of the schedule that has to give the same factors, step by step from 0.
"""
import os

import numpy as np
import torch
from torch.optim import lr_scheduler as ls
from transformers import get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup

STEPS = 400


def optimizer():
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)


CASES = {
    "constant(factor=0.5, steps=100)": lambda o: ls.ConstantLR(o, factor=0.5, total_iters=100),
    "linear(100, start=0.25, end=1)": lambda o: ls.LinearLR(o, start_factor=0.25, total_iters=100),
    "polynomial(150, power=1.7)": lambda o: ls.PolynomialLR(o, total_iters=150, power=1.7),
    "exponential(0.97)": lambda o: ls.ExponentialLR(o, 0.97),
    "step(30, 0.1)": lambda o: ls.StepLR(o, 30, 0.1),
    "step(30, gamma=0.5)": lambda o: ls.MultiplicativeLR(o, lambda t: 0.5 if t % 30 == 0 else 1.0),
    "multistep(30, 80, 81, 200, gamma=0.3)": lambda o: ls.MultiStepLR(o, [30, 80, 81, 200], 0.3),
    "cosine(400)": lambda o: ls.CosineAnnealingLR(o, 400),
    "cosine(400, end=0.1)": lambda o: ls.CosineAnnealingLR(o, 400, eta_min=0.1),
    "restarts(37)": lambda o: ls.CosineAnnealingWarmRestarts(o, 37),
    "restarts(20, mult=2, end=0.05)": lambda o: ls.CosineAnnealingWarmRestarts(o, 20, T_mult=2, eta_min=0.05),
    "cyclic(20)": lambda o: ls.CyclicLR(o, 0.1, 1.0, 20, cycle_momentum=False),
    "cyclic(20, 35, low=0.2, decay=0.5)":
        lambda o: ls.CyclicLR(o, 0.2, 1.0, 20, 35, mode="triangular2", cycle_momentum=False),
    "cyclic(20, gamma=0.99)":
        lambda o: ls.CyclicLR(o, 0.1, 1.0, 20, mode="exp_range", gamma=0.99, cycle_momentum=False),
    "onecycle(400)": lambda o: ls.OneCycleLR(o, 1.0, 400, cycle_momentum=False),
    "onecycle(400, rise=0.1, start=0.1, end=0.0001)":
        lambda o: ls.OneCycleLR(o, 1.0, 400, pct_start=0.1, div_factor=10, final_div_factor=1000, cycle_momentum=False),
    "warmup(40) linear(300)": lambda o: get_linear_schedule_with_warmup(o, 40, 340),
    "warmup(40) cosine(360)": lambda o: get_cosine_schedule_with_warmup(o, 40, 400),
    "constant(50, factor=0.1) exponential(0.98)": lambda o: ls.SequentialLR(
        o, [ls.ConstantLR(o, factor=0.1, total_iters=1000), ls.ExponentialLR(o, 0.98)], milestones=[50]),
    "constant(20, factor=0.1) constant() * exponential(0.99)": lambda o: ls.ChainedScheduler(
        [ls.ConstantLR(o, factor=0.1, total_iters=20), ls.ExponentialLR(o, 0.99)]),
}

# What follows a constant or linear shape in PyTorch's own scheduler is 1.
AFTER = {"constant(factor=0.5, steps=100)": 100}


def main():
    arrays = {}
    for text, make in CASES.items():
        o = optimizer()
        scheduler, factors = make(o), []
        for _ in range(AFTER.get(text, STEPS)):
            factors.append(o.param_groups[0]["lr"])
            o.step()
            scheduler.step()
        arrays[text] = np.array(factors)
    o = optimizer()
    plateau = ls.ReduceLROnPlateau(o, patience=2, factor=0.5, threshold=0.01, cooldown=1, min_lr=0.05)
    metrics = np.concatenate([np.geomspace(2, 1, 8), np.full(7, 1.0), [0.995, 0.98, np.nan, 0.5], np.full(30, 0.6)])
    factors = []
    for metric in metrics:
        plateau.step(metric)
        factors.append(o.param_groups[0]["lr"])
    arrays["plateau.metrics"], arrays["plateau.factors"] = metrics, np.array(factors)
    arrays["versions"] = np.array(f"torch {torch.__version__}")
    np.savez_compressed(os.path.join(os.path.dirname(os.path.abspath(__file__)), "schedules.npz"), **arrays)


if __name__ == "__main__":
    main()
