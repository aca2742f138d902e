"""Makes averages.safetensors: what packages make of a sequence of weights, for tests/test_average.c.

    python3 -m venv V && V/bin/pip install torch numpy keras 'jax[cpu]' optax timm pytorch_optimizer
    V/bin/python make_averages.py

    initial      (40)       the weights that every average is made for
    weights      (30, 40)   the weights at every update of ema and swa
    gradients    (30, 40)   of SGD with lr 0.1 from `initial`, under lookahead
    CASE.10, .30 (40)       the average after 10 and after 30 updates
    CASE.fast    (40)       of lookahead: the weights after 30 steps

and for each CASE the metadata "kind=NAME preset=NAME hyper=value …". All in float32 on a CPU.
"""
import os

os.environ["KERAS_BACKEND"] = "torch"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax.numpy as jnp
import keras
import numpy as np
import optax
import pytorch_optimizer
import timm.optim
import timm.utils
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, get_swa_multi_avg_fn
from trajectories import write

N, UPDATES, MIDDLE = 40, 30, 10
RNG = np.random.default_rng(3)
INITIAL = RNG.standard_normal(N).astype(np.float32)
WEIGHTS = (INITIAL + np.cumsum(RNG.standard_normal((UPDATES, N)), 0)).astype(np.float32)
GRADIENTS = RNG.standard_normal((UPDATES, N)).astype(np.float32)


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.tensor(INITIAL))

    def hold(self, w):
        with torch.no_grad():
            self.w.copy_(torch.tensor(w))


def follow(update):
    """update(weights) gives the average."""
    out = {}
    for t, w in enumerate(WEIGHTS, 1):
        average = update(w)
        if t in (MIDDLE, UPDATES):
            out[str(t)] = np.array(average, np.float32)
    return out


def torch_average(average_function):
    model = Model()
    averaged = AveragedModel(model, multi_avg_fn=average_function)

    def update(w):
        model.hold(w)
        averaged.update_parameters(model)
        return averaged.module.w.detach().numpy()
    return follow(update)


def timm_average(**options):
    model = Model()
    averaged = timm.utils.ModelEmaV3(model, **options)
    step = [0]

    def update(w):
        model.hold(w)
        step[0] += 1
        averaged.update(model, step=step[0])
        return averaged.module.w.detach().numpy()
    return follow(update)


def keras_average(**options):
    """The weights are assigned, and a gradient of 0 leaves them as they are."""
    optimizer = keras.optimizers.SGD(1.0, use_ema=True, **options)
    weights = keras.Variable(WEIGHTS[0])
    optimizer.build([weights])

    def update(w):
        weights.assign(w)
        optimizer.apply([keras.ops.zeros((N,))], [weights])
        return keras.ops.convert_to_numpy(optimizer._model_variables_moving_average[0])
    return follow(update)


def optax_average(decay):
    ema = optax.ema(decay, debias=True)
    at = [ema.init(jnp.asarray(INITIAL))]

    def update(w):
        average, at[0] = ema.update(jnp.asarray(w), at[0])
        return average
    return follow(update)


def lookahead(wrap, slow):
    model = Model()
    base = torch.optim.SGD(model.parameters(), lr=0.1)
    optimizer = wrap(base)
    out = {}
    for t, g in enumerate(GRADIENTS, 1):
        model.w.grad = torch.tensor(g)
        optimizer.step()
        if t in (MIDDLE, UPDATES):
            out[str(t)] = slow(optimizer, base, model.w).detach().numpy().copy()
    return {**out, "fast": model.w.detach().numpy().copy()}


def kozistr_slow(optimizer, base, w):
    return optimizer.state[w]["slow_params"]


def timm_slow(optimizer, base, w):
    return base.state[w]["lookahead_slow_buff"]


CASES = [
    ("ema", "torch", {}, lambda: torch_average(get_ema_multi_avg_fn())),
    ("ema", "torch", {"decay": 0.9}, lambda: torch_average(get_ema_multi_avg_fn(0.9))),
    ("ema", "torch", {"decay": 0.3}, lambda: torch_average(get_ema_multi_avg_fn(0.3))),
    ("ema", "timm", {}, timm_average),
    ("ema", "timm", {"decay": 0.95, "warmup": 1, "update_after": 3},
     lambda: timm_average(decay=0.95, use_warmup=True, update_after_step=3)),
    ("ema", "timm", {"decay": 0.8, "warmup": 1, "warmup_gamma": 2.5, "warmup_power": 0.75, "min_decay": 0.25},
     lambda: timm_average(decay=0.8, use_warmup=True, warmup_gamma=2.5, warmup_power=0.75, min_decay=0.25)),
    ("ema", "keras", {}, keras_average),
    ("ema", "keras", {"decay": 0.75}, lambda: keras_average(ema_momentum=0.75)),
    ("ema", "optax", {"decay": 0.9}, lambda: optax_average(0.9)),
    ("ema", "optax", {"decay": 0.5}, lambda: optax_average(0.5)),
    ("swa", "torch", {}, lambda: torch_average(get_swa_multi_avg_fn())),
    ("lookahead", "pytorch_optimizer", {}, lambda: lookahead(pytorch_optimizer.Lookahead, kozistr_slow)),
    ("lookahead", "pytorch_optimizer", {"interval": 3, "alpha": 0.8},
     lambda: lookahead(lambda base: pytorch_optimizer.Lookahead(base, k=3, alpha=0.8), kozistr_slow)),
    ("lookahead", "timm", {}, lambda: lookahead(timm.optim.Lookahead, timm_slow)),
]


def main():
    torch.set_num_threads(1)
    arrays = {"initial": INITIAL, "weights": WEIGHTS, "gradients": GRADIENTS}
    metadata = {}
    for kind, preset, hyper, make in CASES:
        case = f"{kind}-{sum(key.startswith(kind) for key in metadata)}"
        metadata[case] = " ".join([f"kind={kind}", f"preset={preset}", *(f"{k}={v}" for k, v in hyper.items())])
        arrays.update({f"{case}.{name}": np.ascontiguousarray(a, np.float32) for name, a in make().items()})
    write("averages.safetensors", arrays, metadata)


if __name__ == "__main__":
    main()
