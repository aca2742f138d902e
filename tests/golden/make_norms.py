"""Makes norms.safetensors: trajectories of rules with norms, for tests/test_norms.c; see trajectories.py.

    python3 -m venv V && V/bin/pip install torch numpy keras 'jax[cpu]' optax timm dog-optimizer \
        dadaptation prodigyopt
    V/bin/python make_norms.py

The 40 weights are a matrix of 6 x 5, a vector of 7 and one of 3, which begins at 0. "sam" is sgd at what the second
gradient finds, which is the step's and half of the perturbed weights.

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

os.environ["KERAS_BACKEND"] = "torch"
os.environ["JAX_PLATFORMS"] = "cpu"

import keras
import numpy as np
import optax.contrib
import dadaptation
import dog
import prodigyopt
import pytorch_optimizer
import timm.optim
import torch
import trajectories
from trajectories import Runs


def start():
    weights = trajectories.initial()
    weights[-3:] = 0
    return weights


RUNS = Runs([(6, 5), (7,), (3,)], start())


def timm_mars(params, lion=False, **options):
    return timm.optim.Mars(params, mars_type="lion" if lion else "adamw", optimize_1d=True, **options)


CASES = [
    # rule, preset, optimizer, hyper-parameters
    ("lars", "optax", RUNS.of_optax(optax.lars, 0.1), [
        {}, dict(lr=1.0, weight_decay=0.1, momentum=0.5, trust_coefficient=0.01, eps=1e-3),
        dict(lr=1.0, nesterov=True)]),
    ("lars", "timm", RUNS.of_torch(timm.optim.Lars, fixed=dict(foreach=False), trust_coefficient="trust_coeff"), [
        dict(lr=0.01), dict(lr=0.5, weight_decay=0.1, momentum=0.9, dampening=0.25),
        dict(lr=0.5, momentum=0.8, nesterov=True, always_adapt=True),
        dict(lr=0.01, weight_decay=0.1, trust_clip=True, trust_coefficient=0.02)]),
    ("lamb", "optax", RUNS.of_optax(optax.lamb, 1e-3), [
        {}, dict(lr=0.01, beta1=0.8, beta2=0.9, weight_decay=0.1), dict(lr=0.01, beta2=0.9, eps_root=1e-3)]),
    ("lamb", "keras", RUNS.of_keras(keras.optimizers.Lamb), [{}, dict(lr=0.01, beta2=0.9, eps=1e-3, weight_decay=0.1)]),
    ("lamb", "timm", RUNS.of_torch(timm.optim.Lamb, (0.9, 0.999), dict(foreach=False, max_grad_norm=None),
                                   decoupled_weight_decay="decoupled_decay"), [
        {}, dict(lr=0.01, beta2=0.9, grad_averaging=False, trust_clip=True),
        dict(weight_decay=0.0), dict(weight_decay=0.0, always_adapt=True, bias_correction=False),
        dict(lr=0.01, weight_decay=0.1, decoupled_weight_decay=True)]),
    ("novograd", "optax", RUNS.of_optax(optax.novograd, 0.01), [
        {}, dict(lr=0.1, beta2=0.98, weight_decay=0.01), dict(beta1=0.5, eps_root=1e-3)]),
    ("novograd", "timm", RUNS.of_torch(timm.optim.NvNovoGrad, (0.95, 0.98), decoupled_weight_decay="decoupled_decay"), [
        {}, dict(lr=0.01, grad_averaging=True, weight_decay=0.1), dict(amsgrad=True, beta2=0.5),
        dict(lr=0.01, weight_decay=0.1, decoupled_weight_decay=True)]),
    ("mars", "timm", RUNS.of_torch(timm_mars, (0.9, 0.99)), [
        {}, dict(lr=0.01, weight_decay=0.1, gamma=0.5, beta1=0.5), dict(lr=0.01, eps=1e-3, beta2=0.9),
        dict(lr=0.01, lion=True, weight_decay=0.1)]),
    ("mars", "pytorch_optimizer", RUNS.of_torch(pytorch_optimizer.MARS, (0.95, 0.99), fixed=dict(
        optimize_1d=True, foreach=False)), [{}, dict(lr=0.01, weight_decay=0.1, gamma=0.5, beta1=0.5)]),
    ("dog", "dog", RUNS.of_torch(dog.DoG), [
        {}, dict(reps_rel=1e-3, weight_decay=0.1, lr=0.5), dict(init_eta=0.01, eps=1e-3)]),
    ("dog", "optax", RUNS.of_optax(optax.contrib.dog), [{}, dict(weight_decay=0.1, eps=1e-3)]),
    ("ldog", "dog", RUNS.of_torch(dog.LDoG), [
        {}, dict(reps_rel=1e-3, weight_decay=0.1, lr=0.5), dict(init_eta=0.01, eps=1e-3)]),
    ("dowg", "optax", RUNS.of_optax(optax.contrib.dowg, dtype=np.float64), [
        dict(init_estim_sq_dist=1.0), dict(init_estim_sq_dist=1.0, weight_decay=0.1, eps=10.0),
        dict(lr=0.5, init_estim_sq_dist=4.0)]),
    ("prodigy", "prodigyopt", RUNS.of_torch(prodigyopt.Prodigy, (0.9, 0.999), dtype=torch.float64,
                                            decoupled_weight_decay="decouple", bias_correction="use_bias_correction"), [
        dict(d0=0.01, growth_rate=1 + 2**-6), dict(d0=0.01, weight_decay=0.1, beta2=0.9, growth_rate=1 + 2**-6),
        dict(beta1=0.0, d_coef=2.0, growth_rate=1 + 2**-6, d0=0.01),
        dict(d0=0.01, bias_correction=True, safeguard_warmup=True, lr=0.5, beta3=0.9, growth_rate=1 + 2**-6),
        dict(d0=0.02, lr=0.25, weight_decay=0.1, decoupled_weight_decay=False, growth_rate=1 + 2**-10)]),
    ("dadapt_adam", "dadaptation", RUNS.of_torch(dadaptation.DAdaptAdam, (0.9, 0.999), dtype=torch.float64,
                                                 decoupled_weight_decay="decouple",
                                                 bias_correction="use_bias_correction"), [
        dict(d0=0.01, growth_rate=1 + 2**-6), dict(d0=0.01, weight_decay=0.1, beta2=0.9, growth_rate=1 + 2**-6),
        dict(d0=0.01, growth_rate=1 + 2**-6, bias_correction=True),
        dict(d0=0.01, weight_decay=0.1, decoupled_weight_decay=True, growth_rate=1 + 2**-6)]),
    ("sam", "pytorch_optimizer", RUNS.of_torch(
        pytorch_optimizer.SAM, fixed=dict(base_optimizer=torch.optim.SGD, lr=0.1, momentum=0.9),
        second=lambda w, g: g + 0.5 * w), [dict(rho=0.05, adaptive=False), dict(rho=0.5, adaptive=True)]),
]


def main():
    RUNS.write("norms.safetensors", CASES, ("torch", "keras", "jax", "optax", "timm", "dog-optimizer", "dadaptation",
                                            "prodigyopt", "pytorch_optimizer"))


if __name__ == "__main__":
    main()
