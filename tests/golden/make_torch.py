"""Makes torch.safetensors: trajectories of PyTorch's optimizers, for tests/test_rules.c.

    python3 -m venv V && V/bin/pip install torch numpy && V/bin/python make_torch.py

All cases start from the same 40 weights and take 50 steps on a CPU, in float32, by the single-tensor code
(foreach=False), which PyTorch documents as the reference of its fused forms. The file holds

    initial            (40)       the weights before the first step
    gradients.KIND     (50, 40)   one gradient a step; kinds: random, constant, zero, tiny, huge, sparse
    CASE.KIND.p20, .p50 (40)      the weights after 20 and after 50 steps
    CASE.KIND.STATE    (40)       each state after 50 steps

and for each CASE the metadata "rule=NAME hyper=value …", with hyper-parameters as Cliv names them.

torch.optim has no Lion, no averaged momentum and no Adam without bias correction. Those three are written here with
PyTorch's tensor operations: Lion as its authors have it (google/automl, lion/lion_pytorch.py), the others as in
torch.optim but for the line in question.
"""
import json
import os
import struct

import numpy as np
import torch

N, STEPS, MIDDLE = 40, 50, 20


class Lion:
    def __init__(self, params, lr, betas, weight_decay, maximize=False):
        self.p, self.lr, self.betas, self.decay = params[0], lr, betas, weight_decay
        self.sign = -1 if maximize else 1
        self.state = {self.p: {"exp_avg": torch.zeros_like(self.p.data)}}

    def step(self):
        p, grad, m = self.p.data, self.sign * self.p.grad, self.state[self.p]["exp_avg"]
        p.mul_(1 - self.lr * self.decay)
        update = m * self.betas[0] + grad * (1 - self.betas[0])
        p.add_(update.sign_(), alpha=-self.lr)
        m.mul_(self.betas[1]).add_(grad, alpha=1 - self.betas[1])


class Averaged:
    def __init__(self, params, lr, momentum, nesterov=False):
        self.p, self.lr, self.momentum, self.nesterov = params[0], lr, momentum, nesterov
        self.state = {self.p: {"momentum_buffer": torch.zeros_like(self.p.data)}}

    def step(self):
        p, grad, v = self.p.data, self.p.grad, self.state[self.p]["momentum_buffer"]
        v.mul_(self.momentum).add_(grad, alpha=1 - self.momentum)
        p.add_((grad * (1 - self.momentum)).add(v, alpha=self.momentum) if self.nesterov else v, alpha=-self.lr)


class Uncorrected:
    def __init__(self, params, lr, betas, eps, weight_decay, decoupled):
        self.p, self.lr, self.betas, self.eps = params[0], lr, betas, eps
        self.decay, self.decoupled = weight_decay, decoupled
        self.state = {self.p: {s: torch.zeros_like(self.p.data) for s in ("exp_avg", "exp_avg_sq")}}

    def step(self):
        p, grad, state = self.p.data, self.p.grad, self.state[self.p]
        if self.decoupled:
            p.mul_(1 - self.lr * self.decay)
        elif self.decay:
            grad = grad.add(p, alpha=self.decay)
        state["exp_avg"].lerp_(grad, 1 - self.betas[0])
        state["exp_avg_sq"].mul_(self.betas[1]).addcmul_(grad, grad, value=1 - self.betas[1])
        p.addcdiv_(state["exp_avg"], state["exp_avg_sq"].sqrt().add_(self.eps), value=-self.lr)


def sgd(**h):
    if h.pop("averaged", 0):
        return Averaged, h
    return torch.optim.SGD, h


def adam(cls, **h):
    h["betas"] = (h.pop("beta1", 0.9), h.pop("beta2", 0.999))
    if not h.pop("bias_correction", 1):
        default = 0.0 if cls is torch.optim.Adam else 1e-2
        return Uncorrected, dict(lr=h.get("lr", 1e-3), betas=h["betas"], eps=h.get("eps", 1e-8),
                                 weight_decay=h.get("weight_decay", default), decoupled=cls is torch.optim.AdamW)
    return cls, h


def lion(**h):
    return Lion, dict(lr=h.get("lr", 1e-4), betas=(h.get("beta1", 0.9), h.get("beta2", 0.99)),
                      weight_decay=h.get("weight_decay", 0.0), maximize=h.get("maximize", False))


RULES = {
    "sgd": sgd,
    "adagrad": lambda **h: (torch.optim.Adagrad, h),
    "rmsprop": lambda **h: (torch.optim.RMSprop, h),
    "adam": lambda **h: adam(torch.optim.Adam, **h),
    "adamw": lambda **h: adam(torch.optim.AdamW, **h),
    "lion": lion,
}

CASES = {
    "sgd": [
        {}, dict(lr=0.1, weight_decay=0.05), dict(lr=0.1, maximize=1), dict(lr=0.1, momentum=0.9),
        dict(lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.01),
        dict(lr=0.01, momentum=0.9, nesterov=1, weight_decay=0.1),
        dict(lr=0.1, momentum=0.9, averaged=1), dict(lr=0.1, momentum=0.8, averaged=1, nesterov=1),
    ],
    "adagrad": [{}, dict(lr=0.1, lr_decay=0.1, weight_decay=0.05),
                dict(initial_accumulator_value=0.1, eps=1e-7, maximize=1)],
    "rmsprop": [
        {}, dict(alpha=0.9, eps=1e-4, weight_decay=0.05), dict(lr=1e-3, momentum=0.9), dict(lr=1e-3, centered=1),
        dict(lr=1e-3, alpha=0.97, momentum=0.5, centered=1, weight_decay=0.1, maximize=1),
    ],
    "adam": [
        {}, dict(lr=0.01, weight_decay=0.1), dict(beta1=0.0, beta2=0.9),
        dict(beta1=0.3, beta2=0.5, eps=1e-3, maximize=1),
        dict(bias_correction=0), dict(lr=0.01, beta1=0.95, bias_correction=0, weight_decay=0.05),
    ],
    "adamw": [{}, dict(lr=0.01, weight_decay=0.5), dict(lr=0.1, beta1=0.8, beta2=0.9, weight_decay=0.0, maximize=1),
              dict(lr=0.01, bias_correction=0)],
    "lion": [{}, dict(lr=0.01, weight_decay=0.3), dict(lr=1e-3, beta1=0.5, beta2=0.7, maximize=1)],
}


def gradients():
    rng = np.random.default_rng(2)
    normal = rng.standard_normal((STEPS, N))
    kinds = {
        "random": normal,
        "constant": np.broadcast_to(normal[0], (STEPS, N)),
        "zero": np.zeros((STEPS, N)),
        "tiny": normal * 1e-20,
        "huge": normal * 1e15,
        "sparse": np.where(rng.random((STEPS, N)) < 0.1, normal, 0.0),
    }
    return {kind: np.ascontiguousarray(g, np.float32) for kind, g in kinds.items()}


def run(rule, hyper, initial, gradient):
    options = dict(hyper)
    for flag in ("maximize", "nesterov", "centered"):
        if flag in options:
            options[flag] = bool(options[flag])
    cls, options = RULES[rule](**options)
    if cls.__module__.startswith("torch."):
        options["foreach"] = False
    options.setdefault("lr", 1e-3) if cls is Averaged else None
    p = torch.tensor(initial.copy(), requires_grad=True)
    optimizer = cls([p], **options)
    out = {}
    for t, g in enumerate(gradient, 1):
        p.grad = torch.tensor(g)
        optimizer.step()
        if t in (MIDDLE, STEPS):
            out[f"p{t}"] = p.detach().numpy().copy()
    for name, state in optimizer.state[p].items():
        if name != "step" and state is not None:
            out[name] = state.numpy().copy()
    return out


def write(path, arrays, metadata):
    header, offset = {"__metadata__": metadata}, 0
    for name, array in arrays.items():
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in arrays.values():
            file.write(array.astype("<f4").tobytes())


def main():
    torch.set_num_threads(1)
    initial = np.random.default_rng(1).standard_normal(N).astype(np.float32)
    kinds = gradients()
    arrays = {"initial": initial} | {f"gradients.{kind}": g for kind, g in kinds.items()}
    metadata = {"torch": torch.__version__}
    for rule, cases in CASES.items():
        for number, hyper in enumerate(cases):
            case = f"{rule}-{number}"
            metadata[case] = " ".join([f"rule={rule}"] + [f"{k}={v!r}" for k, v in hyper.items()])
            for kind, g in kinds.items():
                for name, array in run(rule, hyper, initial, g).items():
                    arrays[f"{case}.{kind}.{name}"] = array
    write(os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch.safetensors"), arrays, metadata)


if __name__ == "__main__":
    main()
