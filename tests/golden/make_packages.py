"""Makes packages.safetensors: trajectories of other packages than PyTorch, for tests/test_rules.c; see trajectories.py.

    python3 -m venv V && V/bin/pip install torch numpy keras 'jax[cpu]' optax timm 'mlx[cpu]' bitsandbytes madgrad \
        adabelief-pytorch pytorch_optimizer qhoptim schedulefree
    V/bin/python make_packages.py

Keras runs on its PyTorch backend, optax operation by operation, MLX and bitsandbytes on their CPU backends. Cases give
hyper-parameters as Cliv names them; what is not given is the package's own default, except lr where a package has none:
the rule's default there.

Where a formula loses digits, packages that round in another order differ by more than test_rules.c allows; cases stay
out of these places. Keras and JAX take 1 - beta^t in float32, which at beta 0.999 and t = 1 is off by 1.3e-5 of
itself, and the first steps by half of that: lr stays at 0.01 or below, or beta2 at 0.9. A centered rmsprop on a
constant gradient is a difference of numbers that become equal: alpha is 0.99. So is the length of radam's window in
its first steps, which JAX has in float32: lr is 1e-4. The cube root of madgrad is pow with 1/3 in float32, off by
6e-7 for the huge gradients' sums of 1e28: lr is 1e-3 where that is not hidden. Where a default weight_decay is to be
seen, lr is such that 1 - lr*weight_decay is a float: the rounding of a small decay, the same in every step, adds up.
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
import madgrad
import numpy as np
import optax
import optax.contrib
import pytorch_optimizer
import qhoptim.pyt
import schedulefree
import timm.optim
import torch
from adabelief_pytorch import AdaBelief
from timm.optim.adamw import AdamWLegacy
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
                   amsgrad="amsgrad", initial_accumulator_value="initial_accumulator_value", beta="beta",
                   l1="l1_regularization_strength", l2="l2_regularization_strength",
                   l2_shrinkage="l2_shrinkage_regularization_strength")


def of_keras(cls):
    return lambda h: keras_step(cls(**renamed(h, KERAS_NAMES)))


# ---- optax ----

OPTAX_NAMES = dict(lr="learning_rate", beta1="b1", beta2="b2", beta3="b3", eps="eps", eps_root="eps_root", rho="rho",
                   alpha="decay", beta="beta", momentum="momentum", nesterov="nesterov", centered="centered",
                   weight_decay="weight_decay", initial_accumulator_value="initial_accumulator_value")


def of_optax(make, lr, **names):
    return lambda h: optax_step(make(**renamed({"lr": lr} | h, OPTAX_NAMES | names)))


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

def of_torch(cls, betas=(), names=None, **fixed):
    """betas: the package's defaults of beta1, beta2, …, which it takes in one. names: those that differ; None where the
    package takes it from another."""
    names = names or {}

    def make(h):
        apart = {f"beta{k}": h.pop(f"beta{k}", beta) for k, beta in enumerate(betas, 1)}
        options = {names.get(name, name): value for name, value in h.items() if names.get(name, name)}
        return torch_step(cls, **fixed, **options, **({"betas": tuple(apart.values())} if apart else {}))
    return make


def corrected_adamw(params, lr, max_lr, **options):
    """timm takes the first lr for the greatest."""
    optimizer = AdamWLegacy(params, lr=max_lr, corrected_weight_decay=True, foreach=False, **options)
    optimizer.param_groups[0]["lr"] = lr
    return optimizer


def qhadam(h):
    nus = (h.pop("nu1", 1.0), h.pop("nu2", 1.0))
    return of_torch(qhoptim.pyt.QHAdam, (0.9, 0.999), {"decoupled_weight_decay": "decouple_weight_decay"}, nus=nus)(h)


def qhm(h):
    h = {"lr": 1e-3, "momentum": 0.999, "nu": 0.7} | h
    decay = "direct" if h.pop("decoupled_weight_decay", 0) else "grad"
    return torch_step(qhoptim.pyt.QHM, weight_decay_type=decay, **h)


def schedule_free(cls, betas=()):
    """What is trained, from package optimizers that must be told that it is."""
    def make(h):
        apart = {f"beta{k}": h.pop(f"beta{k}", beta) for k, beta in enumerate(betas, 1)}
        weights = torch.tensor(start(), requires_grad=True)
        optimizer = cls([weights], **h, **({"betas": tuple(apart.values())} if apart else {}))
        optimizer.train()

        def step(gradient):
            weights.grad = torch.tensor(gradient)
            optimizer.step()
            return weights.detach().numpy()
        return step
    return make


class SophiaG(torch.optim.Optimizer):
    """As its authors have it (Liuhong99/Sophia, sophia.py), with their loop: the Hessian after every k-th step, here
    from that step's gradient."""

    def __init__(self, params, lr=1e-4, beta1=0.965, beta2=0.99, rho=0.04, batch_size=5120, hessian_interval=10,
                 weight_decay=0.1):
        super().__init__(params, dict(lr=lr))
        self.lr, self.beta1, self.beta2, self.scale = lr, beta1, beta2, rho * batch_size
        self.interval, self.decay, self.t = hessian_interval, weight_decay, 0

    @torch.no_grad()
    def step(self):
        p, = self.param_groups[0]["params"]
        state, self.t = self.state[p], self.t + 1
        if not state:
            state["exp_avg"], state["hessian"] = torch.zeros_like(p), torch.zeros_like(p)
        m, h = state["exp_avg"], state["hessian"]
        p.mul_(1 - self.lr * self.decay)
        m.mul_(self.beta1).add_(p.grad, alpha=1 - self.beta1)
        ratio = (m.abs() / (self.scale * h + 1e-15)).clamp(None, 1)
        p.addcmul_(m.sign(), ratio, value=-self.lr)
        if self.t % self.interval == 0:
            h.mul_(self.beta2).addcmul_(p.grad, p.grad, value=1 - self.beta2)


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
    ("adam", "bitsandbytes", of_torch(bitsandbytes.optim.Adam32bit, (0.9, 0.999)), [
        {}, dict(lr=0.01, beta2=0.9, weight_decay=0.1)]),
    ("adagrad", "mlx", of_mlx(mlx.optimizers.Adagrad, 1e-2), [{}]),
    ("adam", "mlx", of_mlx(mlx.optimizers.Adam, 1e-3), [{}, dict(beta2=0.9, bias_correction=True)]),
    ("adamw", "torch", of_torch(corrected_adamw, (0.9, 0.999)), [
        dict(lr=0.01, max_lr=0.1, weight_decay=0.5), dict(lr=0.1, beta1=0.5, max_lr=0.2, weight_decay=0.5)]),
    ("adamw", "mlx", of_mlx(mlx.optimizers.AdamW, 1e-3), [{}, dict(beta1=0.8, weight_decay=0.1)]),
    ("adamax", "mlx", of_mlx(mlx.optimizers.Adamax, 2e-3), [{}, dict(beta2=0.9, eps=1e-3)]),
    ("signum", "optax", of_optax(optax.signum, 1e-4), [{}, dict(lr=0.01, beta=0.5), dict(lr=1e-3, beta=0.99)]),
    ("yogi", "optax", of_optax(optax.yogi, 1e-2), [{}, dict(beta1=0.8, beta2=0.99, eps=1e-2)]),
    ("yogi", "pytorch_optimizer", of_torch(pytorch_optimizer.Yogi, (0.9, 0.999)), [dict(weight_decay=0.1)]),
    ("adabelief", "paper", of_torch(AdaBelief, (0.9, 0.999), {
        "decoupled_weight_decay": "weight_decouple", "eps_root": None}, print_change_log=False), [
        {}, dict(lr=0.01, beta2=0.9, eps=1e-8, eps_root=1e-8, weight_decay=0.1),
        dict(rectify=False, eps=1e-4, eps_root=1e-4, weight_decay=0.1, decoupled_weight_decay=False)]),
    ("adabelief", "optax", of_optax(optax.adabelief, 1e-3), [{}, dict(beta1=0.8, beta2=0.9, eps=1e-4)]),
    ("adan", "timm", of_torch(timm.optim.Adan, (0.98, 0.92, 0.99), foreach=False), [
        {}, dict(lr=0.01, weight_decay=0.1), dict(beta1=0.9, beta2=0.5, beta3=0.9, weight_decay=0.1, no_prox=True)]),
    ("adan", "optax", of_optax(optax.adan, 1e-3), [{}, dict(beta2=0.5, weight_decay=0.1)]),
    ("madgrad", "madgrad", of_torch(madgrad.MADGRAD, names={"decoupled_weight_decay": "decouple_decay"}), [
        {}, dict(momentum=0.0, eps=1e-3), dict(lr=1e-3, momentum=0.5, weight_decay=0.1),
        dict(lr=1e-3, momentum=0.8, weight_decay=0.1, decoupled_weight_decay=True)]),
    ("madgrad", "optax", of_optax(optax.contrib.madgrad, 1e-2), [{}, dict(momentum=0.5, weight_decay=0.1)]),
    ("laprop", "timm", of_torch(timm.optim.LaProp, (0.9, 0.999), foreach=False), [
        {}, dict(lr=0.01, weight_decay=0.1), dict(beta1=0.5, beta2=0.9, eps=1e-3)]),
    ("adopt", "optax", of_optax(optax.contrib.adopt, 1e-3), [{}, dict(beta1=0.8, beta2=0.9)]),
    ("adopt", "timm", of_torch(timm.optim.Adopt, (0.9, 0.9999), {
        "decoupled_weight_decay": "decoupled"}, foreach=False), [
        {}, dict(clip_exp=0.25, weight_decay=0.1), dict(beta2=0.9, weight_decay=0.1, decoupled_weight_decay=True)]),
    ("ademamix", "optax", of_optax(optax.contrib.ademamix, 1e-3, alpha="alpha"), [
        {}, dict(beta3=0.99, alpha=2.0, weight_decay=0.1)]),
    ("ademamix", "bitsandbytes", of_torch(bitsandbytes.optim.AdEMAMix, (0.9, 0.999, 0.9999)), [
        {}, dict(beta2=0.99, beta3=0.999, t_alpha=30, t_beta3=40)]),
    ("qhm", "qhoptim", qhm, [
        {}, dict(lr=0.1, momentum=0.9, nu=0.5, weight_decay=0.1),
        dict(lr=0.1, momentum=0.9, weight_decay=0.1, decoupled_weight_decay=1)]),
    ("qhadam", "qhoptim", qhadam, [
        {}, dict(nu1=0.7, nu2=0.9, weight_decay=0.1),
        dict(beta1=0.99, nu1=0.5, weight_decay=0.1, decoupled_weight_decay=True)]),
    ("ftrl", "keras", of_keras(keras.optimizers.Ftrl), [
        {}, dict(lr=0.1, l1=0.1, l2=0.2), dict(lr=0.1, beta=0.5, l2_shrinkage=0.1, weight_decay=0.1)]),
    ("sophia", "paper", of_torch(SophiaG), [{}, dict(lr=0.01, hessian_interval=3, batch_size=16.0), dict(
        lr=1e-3, hessian_interval=1, rho=0.5, batch_size=4.0, weight_decay=0.2)]),
    ("adabound", "pytorch_optimizer", of_torch(pytorch_optimizer.AdaBound, (0.9, 0.999)), [
        {}, dict(final_lr=0.01, gamma=0.1, weight_decay=0.1)]),
    ("adabound", "paper", of_torch(pytorch_optimizer.AdaBound, (0.9, 0.999), weight_decouple=False), [
        dict(final_lr=0.01, weight_decay=0.1)]),
    ("schedule_free_sgd", "schedulefree", schedule_free(schedulefree.SGDScheduleFree), [
        {}, dict(lr=0.1, momentum=0.5, weight_decay=0.1, warmup_steps=30), dict(lr=0.1, r=1.5, weight_lr_power=0.5)]),
    ("schedule_free_adamw", "schedulefree", schedule_free(schedulefree.AdamWScheduleFree, (0.9, 0.999)), [
        {}, dict(lr=0.01, beta1=0.5, beta2=0.9, weight_decay=0.1, warmup_steps=30), dict(r=1.0, eps=1e-3)]),
    ("schedule_free_sgd", "optax", of_optax(optax.contrib.schedule_free_sgd, 1.0, momentum="b1"), [
        dict(lr=0.1), dict(lr=0.1, momentum=0.5, weight_decay=0.1)]),
    ("schedule_free_adamw", "optax", of_optax(optax.contrib.schedule_free_adamw, 0.0025), [
        {}, dict(beta2=0.9, weight_decay=0.1)]),
    ("rmsprop", "timm", of_torch(timm.optim.RMSpropTF), [{}, dict(lr=1e-3, momentum=0.9, weight_decay=0.1)]),
]


def main():
    mx.set_default_device(mx.cpu)
    torch.set_num_threads(1)
    packages = ("torch", "keras", "jax", "optax", "mlx", "timm", "bitsandbytes", "madgrad", "adabelief-pytorch",
                "pytorch_optimizer", "qhoptim", "schedulefree")
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
