"""Makes packages.safetensors: trajectories of other packages than PyTorch, for tests/test_rules.c; see trajectories.py.

    python3 -m venv V && V/bin/pip install torch numpy keras 'jax[cpu]' optax timm 'mlx[cpu]' bitsandbytes
    V/bin/python make_packages.py

Keras runs on its PyTorch backend, optax operation by operation, MLX and
bitsandbytes on their CPU backends. Cases give hyper-parameters as Cliv names them; what is
not given is the package's own default, except lr, which optax does not have: the rule's default there.

Where a formula loses digits, packages that round in another order differ by more than test_rules.c allows; cases stay
out of these places. Keras and JAX take 1 - beta^t in float32, which at beta 0.999 and t = 1 is off by 1.3e-5 of
itself, and the first steps by half of that: lr stays at 0.01 or below, or beta2 at 0.9. A centered rmsprop on a
constant gradient is a difference of numbers that become equal: alpha is 0.99. So is the length of radam's window in
its first steps, which JAX has in float32: lr is 1e-4. Where a default weight_decay is to be seen, lr is such that 1 -
lr*weight_decay is a float: the rounding of a small decay, the same in every step, adds up.
"""
import os
from importlib.metadata import version

os.environ["KERAS_BACKEND"] = "torch"
os.environ["JAX_PLATFORMS"] = "cpu"

import bitsandbytes
import jax.numpy as jnp
import keras
import mlx.core as mx
import mlx.optimizers
import numpy as np
import optax
import timm.optim
import torch
from trajectories import describe, follow, start, write


def renamed(h, names):
    """Hyper-parameters under the package's names; a name without a place there must not be given."""
    return {names[key]: value for key, value in h.items()}


# ---- how a package's optimizer steps ----

def keras_step(optimizer):
    weights = keras.Variable(start())
    optimizer.build([weights])

    def step(gradient):
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [weights])
        return keras.ops.convert_to_numpy(weights)
    return step


def optax_step(optimizer):
    at = {"weights": jnp.asarray(start())}
    at["state"] = optimizer.init(at["weights"])

    def step(gradient):
        updates, at["state"] = optimizer.update(jnp.asarray(gradient), at["state"], at["weights"])
        at["weights"] = optax.apply_updates(at["weights"], updates)
        return at["weights"]
    return step


def mlx_step(optimizer):
    at = {"weights": mx.array(start())}

    def step(gradient):
        at.update(optimizer.apply_gradients({"weights": mx.array(gradient)}, at))
        return np.array(at["weights"])
    return step


def torch_step(cls, **options):
    weights = torch.tensor(start(), requires_grad=True)
    optimizer = cls([weights], **options)

    def step(gradient):
        weights.grad = torch.tensor(gradient)
        optimizer.step()
        return weights.detach().numpy()
    return step


# ---- Keras ----

KERAS_NAMES = dict(lr="learning_rate", beta1="beta_1", beta2="beta_2", eps="epsilon", alpha="rho", rho="rho",
                   momentum="momentum", nesterov="nesterov", centered="centered", weight_decay="weight_decay",
                   amsgrad="amsgrad", initial_accumulator_value="initial_accumulator_value")


def of_keras(cls):
    return lambda h: keras_step(cls(**renamed(h, KERAS_NAMES)))


# ---- optax ----

OPTAX_NAMES = dict(lr="learning_rate", beta1="b1", beta2="b2", beta3="b3", eps="eps", eps_root="eps_root", rho="rho",
                   alpha="decay", momentum="momentum", nesterov="nesterov", centered="centered",
                   weight_decay="weight_decay", initial_accumulator_value="initial_accumulator_value")


def of_optax(make, lr):
    return lambda h: optax_step(make(**renamed({"lr": lr} | h, OPTAX_NAMES)))


def optax_adam(h):
    h = dict(h)
    return of_optax(optax.amsgrad if h.pop("amsgrad", 0) else optax.adam, 1e-3)(h)


# ---- MLX ----

def of_mlx(cls, lr):
    def make(h):
        betas = dict(betas=[h.pop("beta1", 0.9), h.pop("beta2", 0.999)]) if "beta1" in h or "beta2" in h else {}
        return mlx_step(cls(**betas, **({"learning_rate": h.pop("lr", lr)} | h)))
    return make


# ---- packages upon PyTorch ----

def rmsprop_tf(h):
    return torch_step(timm.optim.RMSpropTF, **h)


def bitsandbytes_adam(h):
    betas = (h.pop("beta1", 0.9), h.pop("beta2", 0.999))
    return torch_step(bitsandbytes.optim.Adam32bit, betas=betas, **h)


CASES = [
    # rule, preset, optimizer, hyper-parameters
    ("sgd", "keras", of_keras(keras.optimizers.SGD), [
        {}, dict(momentum=0.9, weight_decay=0.1), dict(momentum=0.8, nesterov=1)]),
    ("adagrad", "keras", of_keras(keras.optimizers.Adagrad), [{}, dict(lr=0.1, weight_decay=0.1, eps=1e-3)]),
    ("rmsprop", "keras", of_keras(keras.optimizers.RMSprop), [
        {}, dict(momentum=0.9, weight_decay=0.1), dict(alpha=0.99, centered=1, momentum=0.5, eps=1e-3)]),
    ("adadelta", "keras", of_keras(keras.optimizers.Adadelta), [{}, dict(lr=0.5, eps=1e-4, weight_decay=0.1)]),
    ("adam", "keras", of_keras(keras.optimizers.Adam), [
        {}, dict(lr=0.01, beta2=0.9, eps=1e-3, weight_decay=0.1), dict(beta2=0.9, amsgrad=1)]),
    ("adamw", "keras", of_keras(keras.optimizers.AdamW), [{}, dict(beta1=0.8, beta2=0.9)]),
    ("adamax", "keras", of_keras(keras.optimizers.Adamax), [{}, dict(beta2=0.9, eps=1e-3, weight_decay=0.1)]),
    ("nadam", "keras", of_keras(keras.optimizers.Nadam), [{}, dict(beta1=0.8, beta2=0.9, weight_decay=0.1)]),
    ("lion", "keras", of_keras(keras.optimizers.Lion), [{}, dict(beta1=0.8, weight_decay=0.1)]),
    ("sgd", "optax", of_optax(optax.sgd, 1e-3), [{}, dict(momentum=0.9), dict(momentum=0.8, nesterov=1)]),
    ("adagrad", "optax", of_optax(optax.adagrad, 1e-2), [{}, dict(initial_accumulator_value=0.0, eps=1e-3)]),
    ("rmsprop", "optax", of_optax(optax.rmsprop, 1e-2), [
        {}, dict(lr=1e-3, momentum=0.9), dict(lr=1e-3, alpha=0.99, centered=1, eps=1e-3)]),
    ("adadelta", "optax", of_optax(optax.adadelta, 1.0), [{}, dict(lr=0.5, rho=0.95, weight_decay=0.1)]),
    ("adam", "optax", optax_adam, [{}, dict(beta2=0.9, eps_root=1e-3), dict(lr=1e-3, beta2=0.9, amsgrad=1)]),
    ("adamw", "optax", of_optax(optax.adamw, 1e-3), [
        dict(lr=1e7 * 2**-24, beta2=0.9), dict(beta2=0.9, weight_decay=0.1)]),
    ("adamax", "optax", of_optax(optax.adamax, 2e-3), [{}, dict(beta1=0.8, beta2=0.9)]),
    ("nadam", "optax", of_optax(optax.nadam, 2e-3), [{}, dict(beta1=0.8, beta2=0.9)]),
    ("radam", "optax", of_optax(optax.radam, 1e-3), [dict(lr=1e-4), dict(beta2=0.9, eps=1e-3)]),
    ("lion", "optax", of_optax(optax.lion, 1e-4), [dict(lr=1e6 * 2**-24), dict(lr=0.01, beta1=0.8, weight_decay=0.1)]),
    ("adam", "bitsandbytes", bitsandbytes_adam, [{}, dict(lr=0.01, beta2=0.9, weight_decay=0.1)]),
    ("adagrad", "mlx", of_mlx(mlx.optimizers.Adagrad, 1e-2), [{}]),
    ("adam", "mlx", of_mlx(mlx.optimizers.Adam, 1e-3), [{}, dict(beta2=0.9, bias_correction=True)]),
    ("adamw", "mlx", of_mlx(mlx.optimizers.AdamW, 1e-3), [{}, dict(beta1=0.8, weight_decay=0.1)]),
    ("adamax", "mlx", of_mlx(mlx.optimizers.Adamax, 2e-3), [{}, dict(beta2=0.9, eps=1e-3)]),
    ("rmsprop", "timm", rmsprop_tf, [{}, dict(lr=1e-3, momentum=0.9, weight_decay=0.1)]),
]


def main():
    mx.set_default_device(mx.cpu)
    torch.set_num_threads(1)
    packages = ("torch", "keras", "jax", "optax", "mlx", "timm", "bitsandbytes")
    arrays, metadata = {}, {name: version(name) for name in packages}
    for rule, preset, make, cases in CASES:
        for number, hyper in enumerate(cases):
            case = f"{rule}-{preset}-{number}"
            metadata[case] = describe(rule, preset, hyper)
            for name, array in follow(make(dict(hyper))).items():
                arrays[f"{case}.{name}"] = array
    write("packages.safetensors", arrays, metadata)


if __name__ == "__main__":
    main()
