"""Makes torch.safetensors: trajectories of PyTorch's optimizers, for tests/test_rules.c; see trajectories.py.

    python3 -m venv V && V/bin/pip install torch numpy && V/bin/python make_torch.py

By the single-tensor code (foreach=False), which PyTorch documents as the reference of its fused forms.

torch.optim has no Lion, no averaged momentum and no Adam without bias correction. Those three are written here with
PyTorch's tensor operations: Lion as its authors have it (google/automl, lion/lion_pytorch.py), the others as in
torch.optim but for the line in question.
"""
import torch
from trajectories import KINDS, describe, follow, initial, start, write


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


def betas(h):
    h["betas"] = (h.pop("beta1", 0.9), h.pop("beta2", 0.999))
    return h


def rprop(**h):
    h["etas"] = (h.pop("etaminus", 0.5), h.pop("etaplus", 1.2))
    h["step_sizes"] = (h.pop("step_size_min", 1e-6), h.pop("step_size_max", 50))
    return torch.optim.Rprop, h


def sgd(**h):
    if h.pop("averaged", 0):
        return Averaged, h
    return torch.optim.SGD, h


def adam(cls, **h):
    h = betas(h)
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
    "adadelta": lambda **h: (torch.optim.Adadelta, h),
    "adamax": lambda **h: (torch.optim.Adamax, betas(h)),
    "nadam": lambda **h: (torch.optim.NAdam, betas(h)),
    "radam": lambda **h: (torch.optim.RAdam, betas(h)),
    "rprop": rprop,
    "asgd": lambda **h: (torch.optim.ASGD, h),
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
        dict(lr=0.01, beta2=0.8, amsgrad=1), dict(lr=0.01, weight_decay=0.1, decoupled_weight_decay=1),
    ],
    "adamw": [{}, dict(lr=0.01, weight_decay=0.5), dict(lr=0.1, beta1=0.8, beta2=0.9, weight_decay=0.0, maximize=1),
              dict(lr=0.01, bias_correction=0), dict(lr=0.01, beta2=0.9, amsgrad=1)],
    "lion": [{}, dict(lr=0.01, weight_decay=0.3), dict(lr=1e-3, beta1=0.5, beta2=0.7, maximize=1)],
    "adadelta": [{}, dict(rho=0.5, eps=1e-3, weight_decay=0.1), dict(lr=0.1, rho=0.95, maximize=1)],
    "adamax": [{}, dict(lr=0.01, beta1=0.5, beta2=0.9, weight_decay=0.1), dict(eps=0.1, maximize=1)],
    # A short memory and only weight decay for a gradient let a weight that comes near zero forget its past: with beta2
    # 0.9 PyTorch in float32 differs from PyTorch in float64 by 4e-4 of the largest weight, with 0.99 by 4e-7.
    "nadam": [{}, dict(lr=0.01, beta1=0.8, beta2=0.99, weight_decay=0.1), dict(momentum_decay=0.5, maximize=1),
              dict(lr=0.01, weight_decay=0.2, decoupled_weight_decay=1)],
    "radam": [{}, dict(lr=0.01, beta1=0.8, beta2=0.9, weight_decay=0.1), dict(beta2=0.5, eps=1e-3, maximize=1),
              dict(lr=0.01, weight_decay=0.2, decoupled_weight_decay=1)],
    "rprop": [{}, dict(lr=0.1, etaminus=0.3, etaplus=1.5), dict(step_size_min=0.005, step_size_max=0.05, maximize=1)],
    "asgd": [{}, dict(lr=0.1, lambd=0.05, alpha=0.6, weight_decay=0.1), dict(t0=10.0, maximize=1)],
}


FLAGS = ("maximize", "nesterov", "centered", "amsgrad", "decoupled_weight_decay")


def run(rule, hyper):
    options = {name: bool(value) if name in FLAGS else value for name, value in hyper.items()}
    cls, options = RULES[rule](**options)
    if cls.__module__.startswith("torch."):
        options["foreach"] = False
    options.setdefault("lr", 1e-3) if cls is Averaged else None
    p = torch.tensor(start(), requires_grad=True)
    optimizer = cls([p], **options)

    def step(gradient):
        p.grad = torch.tensor(gradient)
        optimizer.step()
        return p.detach().numpy()

    out = follow(step)
    for name, state in optimizer.state[p].items():
        if state is not None and state.shape == p.shape:
            out[name] = state.numpy().copy()
    return out


def main():
    torch.set_num_threads(1)
    arrays = {"initial": initial()} | {f"gradients.{kind}": g for kind, g in KINDS.items()}
    metadata = {"torch": torch.__version__}
    for rule, cases in CASES.items():
        for number, hyper in enumerate(cases):
            case = f"{rule}-{number}"
            metadata[case] = describe(rule, "paper" if rule == "lion" else "torch", hyper)
            for name, array in run(rule, hyper).items():
                arrays[f"{case}.{name}"] = array
    write("torch.safetensors", arrays, metadata)


if __name__ == "__main__":
    main()
