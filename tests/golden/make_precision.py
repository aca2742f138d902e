"""Makes precision.safetensors: AdamW of bitsandbytes and torch-optimi with narrow states, for tests/test_precision.c.

    python3 -m venv V && V/bin/pip install torch safetensors bitsandbytes torch-optimi && V/bin/python make_precision.py

bitsandbytes' optimizer on a CPU, with the quantizer that its devices without kernels of their own have: its library for
CPUs looks numbers up in steps of 2^-15, so that small ones get other codes than on its GPUs; how many is printed.
torch-optimi computes in bfloat16 throughout here, Cliv in float32; how far it is from AdamW in double is in the file.

    gradients.N, initial.N        (10, N) and (N): N elements, a last block that is not full
    codes.p, codes.state1, …      after these steps: the parameter, and bitsandbytes' bytes
    kahan.p, kahan.sum            bfloat16's bits of torch-optimi's parameter; as float32, it and its compensation
    exact.p                       float32: AdamW of the same bfloat16 weights and gradients, rounded at the end
"""
import os

import torch

KERNELS = {}
register_kernel = torch.library.register_kernel


def remember(name, device, *args, **kwargs):
    """Also notes what a kernel is registered with, so that one may be called by itself."""
    def note(function):
        KERNELS[name, device] = function
        return register_kernel(name, device, *args, **kwargs)(function)
    return note


torch.library.register_kernel = remember
import bitsandbytes  # noqa: E402
import bitsandbytes.backends.cpu.ops as cpu_ops  # noqa: E402
from bitsandbytes.functional import create_dynamic_map  # noqa: E402
import optimi  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

FOLDER = os.path.dirname(os.path.abspath(__file__))
N, STEPS = 5003, 10
OPTIONS = {"lr": 1e-2, "betas": (0.9, 0.999), "eps": 1e-8}


def nearest(x, code, blocksize):
    return KERNELS["bitsandbytes::quantize_blockwise", "default"](x, code, blocksize)


def quantize(x, code, absmax, out, blocksize):
    codes, greatest = nearest(x, code, blocksize)
    out.copy_(codes)
    absmax.copy_(greatest)


def codes(initial, gradients):
    cpu_ops._quant_blockwise_fp32_direct = quantize
    p = torch.nn.Parameter(initial.clone())
    optimizer = bitsandbytes.optim.AdamW8bit([p], weight_decay=0.1, **OPTIONS)
    for g in gradients:
        p.grad = g.clone()
        optimizer.step()
    state = optimizer.state[p]
    arrays = {f"codes.{k}": state[k] for k in ["state1", "state2", "absmax1", "absmax2", "qmap1", "qmap2"]}
    library, _ = torch.ops.bitsandbytes.quantize_blockwise(initial ** 2, create_dynamic_map(False), 256)
    exact, _ = nearest(initial ** 2, create_dynamic_map(False), 256)
    print(f"bitsandbytes' library for CPUs has another code for {(library != exact).float().mean():.3%} of squares")
    return {"codes.p": p.detach()} | arrays


def kahan(initial, gradients):
    p = torch.nn.Parameter(initial.bfloat16())
    optimizer = optimi.AdamW([p], weight_decay=0, kahan_sum=True, foreach=False, triton=False, **OPTIONS)
    w, m, v = p.detach().double(), torch.zeros(N).double(), torch.zeros(N).double()
    for t, g in enumerate(gradients, 1):
        p.grad = g.bfloat16()
        g = p.grad.double()
        optimizer.step()
        m = 0.9 * m + (1 - 0.9) * g
        v = 0.999 * v + (1 - 0.999) * g * g
        w = w - 1e-2 / (1 - 0.9 ** t) * m / ((v / (1 - 0.999 ** t)).sqrt() + 1e-8)
    total = p.detach().double() + optimizer.state[p]["kahan_comp"].double()
    print(f"torch-optimi is within {(total - w).abs().max():.3g} of AdamW in double")
    return {"kahan.p": p.detach().view(torch.int16).to(torch.int32), "kahan.sum": total.float(), "exact.p": w.float()}


def main():
    torch.manual_seed(11)
    initial, gradients = torch.randn(N), torch.randn(STEPS, N) * torch.logspace(-3, 0, N)
    arrays = {f"initial.{N}": initial, f"gradients.{N}": gradients} | codes(initial, gradients)
    arrays |= kahan(initial, gradients)
    save_file({k: a.contiguous() for k, a in arrays.items()}, f"{FOLDER}/precision.safetensors")


if __name__ == "__main__":
    main()
