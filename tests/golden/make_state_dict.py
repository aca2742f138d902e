"""Makes state_dict*.safetensors: PyTorch's optimizers halfway, for tests/test_state_dict.c.

    python3 -m venv V && V/bin/pip install torch safetensors && V/bin/python make_state_dict.py

Three parameters in two groups take 20 steps by each RULE. state_dict_RULE.safetensors is its state_dict then, by the
lines that docs/optim.md shows. state_dict.safetensors holds for parameter I

    RULE.I.before, RULE.I.after   it after 20 and after 30 steps
    gradient.I                    (10, *S) the gradients of the last ten
"""
import json
import os

import torch
from safetensors.torch import save_file

FOLDER = os.path.dirname(os.path.abspath(__file__))
SHAPES = [(3, 4), (5,), ()]
RULES = {
    "sgd": lambda groups: torch.optim.SGD(groups, lr=0.1, momentum=0.9, weight_decay=0.01),
    "adam": lambda groups: torch.optim.Adam(groups, lr=0.01, weight_decay=0.1, foreach=False),
    "adamw": lambda groups: torch.optim.AdamW(groups, lr=0.01, betas=(0.8, 0.95), foreach=False),
    "adafactor": lambda groups: torch.optim.Adafactor(groups, lr=0.05, weight_decay=0.1, eps=(2.0**-23, 1e-3),
                                                      foreach=False),
}


def save_state(optimizer, path):
    state = optimizer.state_dict()
    tensors = {f"state.{i}.{name}": torch.as_tensor(value).contiguous()
               for i, entry in state["state"].items() for name, value in entry.items() if value is not None}
    save_file(tensors, path, metadata={"param_groups": json.dumps(state["param_groups"])})


def main():
    torch.manual_seed(3)
    initial = [torch.randn(shape) for shape in SHAPES]
    gradients = [torch.randn(30, *shape) for shape in SHAPES]
    arrays = {f"gradient.{i}": g[20:].contiguous() for i, g in enumerate(gradients)}
    for rule, make in RULES.items():
        parameters = [p.clone().requires_grad_() for p in initial]
        optimizer = make([{"params": parameters[:2]}, {"params": parameters[2:], "lr": 0.05}])
        for t in range(30):
            if t == 20:
                save_state(optimizer, os.path.join(FOLDER, f"state_dict_{rule}.safetensors"))
                arrays |= {f"{rule}.{i}.before": p.detach().clone() for i, p in enumerate(parameters)}
            for p, g in zip(parameters, gradients):
                p.grad = g[t].clone()
            optimizer.step()
        arrays |= {f"{rule}.{i}.after": p.detach().clone() for i, p in enumerate(parameters)}
    save_file(arrays, os.path.join(FOLDER, "state_dict.safetensors"), metadata={"torch": torch.__version__})


if __name__ == "__main__":
    main()
