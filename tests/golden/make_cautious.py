"""Makes cautious.safetensors: trajectories of cautious steps, for tests/test_cautious.c; see trajectories.py.

    python3 -m venv V && V/bin/pip install torch numpy timm && V/bin/python make_cautious.py

The 40 weights are a matrix of 6 x 5, a vector of 7 and one of 3. timm masks what it multiplies with lr, whether weights
decay before or after, by the gradient with the penalty in it where there is one; of adan only the first of two terms,
which is not that.
"""
import timm.optim
from timm.optim.adamw import AdamWLegacy
from trajectories import Runs

RUNS = Runs([(6, 5), (7,), (3,)])


def of_timm(cls, betas=(), **names):
    return RUNS.of_torch(cls, betas, dict(foreach=False), cautious="caution", **names)


def cautious(*variants):
    return [h | dict(cautious=True) for h in variants]


CASES = [
    # rule, preset, optimizer, hyper-parameters
    ("adamw", "torch", of_timm(AdamWLegacy, (0.9, 0.999)), cautious(
        {}, dict(lr=0.1, beta1=0.5, weight_decay=0.1), dict(lr=0.01, amsgrad=True, beta2=0.9, maximize=True))),
    ("lion", "paper", of_timm(timm.optim.Lion, (0.9, 0.99)), cautious({}, dict(lr=0.01, beta1=0.5, weight_decay=0.1))),
    ("laprop", "timm", of_timm(timm.optim.LaProp, (0.9, 0.999)), cautious(
        dict(lr=0.01), dict(lr=0.1, beta1=0.5, beta2=0.9, weight_decay=0.1))),
    ("sgd", "torch", of_timm(timm.optim.SGDW), cautious(
        dict(lr=0.1, momentum=0.9), dict(lr=0.1, momentum=0.5, dampening=0.25),
        dict(lr=0.1, momentum=0.9, nesterov=True))),
    ("rmsprop", "timm", of_timm(timm.optim.RMSpropTF), cautious(
        dict(lr=1e-3, momentum=0.9), dict(lr=1e-3, momentum=0.5, weight_decay=0.1))),
]


def main():
    RUNS.write("cautious.safetensors", CASES, ("torch", "timm"))


if __name__ == "__main__":
    main()
