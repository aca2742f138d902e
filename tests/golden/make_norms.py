"""Makes norms.safetensors: trajectories of rules with norms, for tests/test_norms.c; see trajectories.py.

    python3 -m venv V && V/bin/pip install torch numpy keras 'jax[cpu]' optax timm dog-optimizer \
        dadaptation prodigyopt
    V/bin/python make_norms.py

These rules do not go element by element, so each kind of gradients is a run of its own, over three tensors: the 40
weights are a matrix of 6 x 5, a vector of 7 and one of 3, which begins at 0. "sam" is sgd at what the second gradient
finds, which is the step's and half of the perturbed weights. "tiny" gradients are 1e-15 of the random ones, not 1e-20:
their squares would be below the normal range, where packages take them for 0.

Rules that find their rate by themselves feed what rounding loses back into the rate. optax's dowg in float32 is then
off by 3.1e-6 of the largest weight from the same formula in float64, after 50 steps, Cliv by 2.7e-7: that one runs in
float64 here, and so do prodigy and D-adaptation. Its first distance of 0.01 makes a rounding of the weights by 6e-8 one
of the distance by 6e-6, which constant gradients then carry on (3.6e-6 after 20 steps): cases begin with a distance of
the weights' size. From d0 1e-6 prodigy is as sensitive (5.9e-6 on random gradients): it and D-adaptation begin at 0.01.
Constant gradients take these two to weights of 1e14, which they multiply beyond float32 (their packages keep scalars in
double): growth_rate holds them back, with values that are floats, since an estimate that only grows by it is off by its
rounding in every step.
"""
import os
from importlib.metadata import version

os.environ["KERAS_BACKEND"] = "torch"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import jax.numpy as jnp
import keras
import numpy as np
import optax
import optax.contrib
import dadaptation
import dog
import prodigyopt
import pytorch_optimizer
import timm.optim
import torch
import trajectories
from trajectories import MIDDLE, N, STEPS, describe, write

SHAPES = [(6, 5), (7,), (3,)]
KINDS = dict(trajectories.KINDS)
KINDS["tiny"] = (KINDS["random"] * 1e-15).astype(np.float32)


def initial():
    weights = trajectories.initial()
    weights[-3:] = 0
    return weights


def split(flat):
    at, out = 0, []
    for shape in SHAPES:
        n = int(np.prod(shape))
        out.append(np.array(flat[at:at + n]).reshape(shape))
        at += n
    return out


def join(tensors):
    return np.concatenate([np.asarray(t, np.float32).reshape(-1) for t in tensors])


def follow(make):
    """The weights of each kind after 20 and after 50 steps; make() gives step(gradients), which gives the weights."""
    out = {f"p{t}": [] for t in (MIDDLE, STEPS)}
    for gradients in KINDS.values():
        step = make()
        for t, gradient in enumerate(gradients, 1):
            weights = step(split(gradient))
            if t in (MIDDLE, STEPS):
                out[f"p{t}"].append(join(weights))
    return {name: np.stack(rows) for name, rows in out.items()}


# ---- how a package's optimizer steps ----

def keras_step(optimizer):
    weights = [keras.Variable(w) for w in split(initial())]
    optimizer.build(weights)

    def step(gradients):
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients], weights)
        return [keras.ops.convert_to_numpy(w) for w in weights]
    return step


def optax_step(optimizer, dtype=np.float32):
    with jax.enable_x64(dtype == np.float64):
        at = {"weights": [jnp.asarray(w, dtype) for w in split(initial())]}
        at["state"] = optimizer.init(at["weights"])

    def step(gradients):
        with jax.enable_x64(dtype == np.float64):
            gradients = [jnp.asarray(g, dtype) for g in gradients]
            updates, at["state"] = optimizer.update(gradients, at["state"], at["weights"])
            at["weights"] = optax.apply_updates(at["weights"], updates)
            return at["weights"]
    return step


def torch_step(cls, dtype=torch.float32, **options):
    weights = [torch.tensor(w, dtype=dtype, requires_grad=True) for w in split(initial())]
    optimizer = cls(weights, **options)

    def step(gradients):
        for w, g in zip(weights, gradients):
            w.grad = torch.tensor(g, dtype=dtype)
        optimizer.step()
        return [w.detach().numpy() for w in weights]
    return step


# ---- hyper-parameters under the packages' names ----

def renamed(h, names):
    return {names.get(key, key): value for key, value in h.items()}


def of_keras(cls, **names):
    names = dict(lr="learning_rate", beta1="beta_1", beta2="beta_2", eps="epsilon") | names
    return lambda h: lambda: keras_step(cls(**renamed(h, names)))


def of_optax(make, lr=None, dtype=np.float32, **names):
    names = dict(lr="learning_rate", beta1="b1", beta2="b2") | names
    return lambda h: lambda: optax_step(make(**renamed(({"lr": lr} if lr else {}) | h, names)), dtype)


def of_torch(cls, betas=(), fixed=None, **names):
    """betas: the package's defaults of beta1, beta2, …, which it takes in one."""
    def make(h):
        h = dict(h)
        apart = {f"beta{k}": h.pop(f"beta{k}", beta) for k, beta in enumerate(betas, 1)}
        options = renamed(h, names) | (fixed or {}) | ({"betas": tuple(apart.values())} if apart else {})
        return lambda: torch_step(cls, **options)
    return make


def sam(h):
    """The second gradient of a step depends on where the first one has taken the weights."""
    def make():
        weights = [torch.tensor(w, requires_grad=True) for w in split(initial())]
        optimizer = pytorch_optimizer.SAM(weights, torch.optim.SGD, lr=0.1, momentum=0.9, **h)

        def step(gradients):
            for w, g in zip(weights, gradients):
                w.grad = torch.tensor(g)
            optimizer.first_step()
            for w, g in zip(weights, gradients):
                w.grad = torch.tensor(g) + 0.5 * w.detach()
            optimizer.second_step()
            return [w.detach().numpy() for w in weights]
        return step
    return make


DOUBLE = dict(dtype=torch.float64)

CASES = [
    # rule, preset, optimizer, hyper-parameters
    ("lars", "optax", of_optax(optax.lars, 0.1), [
        {}, dict(lr=1.0, weight_decay=0.1, momentum=0.5, trust_coefficient=0.01, eps=1e-3),
        dict(lr=1.0, nesterov=True)]),
    ("lars", "timm", of_torch(timm.optim.Lars, fixed=dict(foreach=False), trust_coefficient="trust_coeff"), [
        dict(lr=0.01), dict(lr=0.5, weight_decay=0.1, momentum=0.9, dampening=0.25),
        dict(lr=0.5, momentum=0.8, nesterov=True, always_adapt=True),
        dict(lr=0.01, weight_decay=0.1, trust_clip=True, trust_coefficient=0.02)]),
    ("lamb", "optax", of_optax(optax.lamb, 1e-3), [
        {}, dict(lr=0.01, beta1=0.8, beta2=0.9, weight_decay=0.1), dict(lr=0.01, beta2=0.9, eps_root=1e-3)]),
    ("lamb", "keras", of_keras(keras.optimizers.Lamb), [{}, dict(lr=0.01, beta2=0.9, eps=1e-3, weight_decay=0.1)]),
    ("lamb", "timm", of_torch(timm.optim.Lamb, (0.9, 0.999), dict(foreach=False, max_grad_norm=None),
                              decoupled_weight_decay="decoupled_decay"), [
        {}, dict(lr=0.01, beta2=0.9, grad_averaging=False, trust_clip=True),
        dict(weight_decay=0.0), dict(weight_decay=0.0, always_adapt=True, bias_correction=False),
        dict(lr=0.01, weight_decay=0.1, decoupled_weight_decay=True)]),
    ("novograd", "optax", of_optax(optax.novograd, 0.01), [
        {}, dict(lr=0.1, beta2=0.98, weight_decay=0.01), dict(beta1=0.5, eps_root=1e-3)]),
    ("novograd", "timm", of_torch(timm.optim.NvNovoGrad, (0.95, 0.98), decoupled_weight_decay="decoupled_decay"), [
        {}, dict(lr=0.01, grad_averaging=True, weight_decay=0.1), dict(amsgrad=True, beta2=0.5),
        dict(lr=0.01, weight_decay=0.1, decoupled_weight_decay=True)]),
    ("dog", "dog", of_torch(dog.DoG), [
        {}, dict(reps_rel=1e-3, weight_decay=0.1, lr=0.5), dict(init_eta=0.01, eps=1e-3)]),
    ("dog", "optax", of_optax(optax.contrib.dog), [{}, dict(weight_decay=0.1, eps=1e-3)]),
    ("ldog", "dog", of_torch(dog.LDoG), [
        {}, dict(reps_rel=1e-3, weight_decay=0.1, lr=0.5), dict(init_eta=0.01, eps=1e-3)]),
    ("dowg", "optax", of_optax(optax.contrib.dowg, dtype=np.float64), [
        dict(init_estim_sq_dist=1.0), dict(init_estim_sq_dist=1.0, weight_decay=0.1, eps=10.0),
        dict(lr=0.5, init_estim_sq_dist=4.0)]),
    ("prodigy", "prodigyopt", of_torch(prodigyopt.Prodigy, (0.9, 0.999), DOUBLE, decoupled_weight_decay="decouple",
                                       bias_correction="use_bias_correction"), [
        dict(d0=0.01, growth_rate=1 + 2**-6), dict(d0=0.01, weight_decay=0.1, beta2=0.9, growth_rate=1 + 2**-6),
        dict(beta1=0.0, d_coef=2.0, growth_rate=1 + 2**-6, d0=0.01),
        dict(d0=0.01, bias_correction=True, safeguard_warmup=True, lr=0.5, beta3=0.9, growth_rate=1 + 2**-6),
        dict(d0=0.02, lr=0.25, weight_decay=0.1, decoupled_weight_decay=False, growth_rate=1 + 2**-10)]),
    ("dadapt_adam", "dadaptation", of_torch(dadaptation.DAdaptAdam, (0.9, 0.999), DOUBLE,
                                            decoupled_weight_decay="decouple",
                                            bias_correction="use_bias_correction"), [
        dict(d0=0.01, growth_rate=1 + 2**-6), dict(d0=0.01, weight_decay=0.1, beta2=0.9, growth_rate=1 + 2**-6),
        dict(d0=0.01, growth_rate=1 + 2**-6, bias_correction=True),
        dict(d0=0.01, weight_decay=0.1, decoupled_weight_decay=True, growth_rate=1 + 2**-6)]),
    ("sam", "pytorch_optimizer", sam, [dict(rho=0.05, adaptive=False), dict(rho=0.5, adaptive=True)]),
]


def main():
    arrays = {"initial": initial()} | {f"gradients.{kind}": g for kind, g in KINDS.items()}
    packages = ("torch", "keras", "jax", "optax", "timm", "dog-optimizer", "dadaptation", "prodigyopt",
                "pytorch_optimizer")
    metadata = {name: version(name) for name in packages}
    for rule, preset, optimizer, variants in CASES:
        for number, hyper in enumerate(variants):
            key = f"{rule}.{preset}.{number}"
            metadata[key] = describe(rule, preset, hyper).replace("rule=sam", "wrapper=sam")
            for name, array in follow(optimizer(hyper)).items():
                arrays[f"{key}.{name}"] = array
    write("norms.safetensors", arrays, metadata)


if __name__ == "__main__":
    main()
