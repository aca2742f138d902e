"""peer.py LIBRARY X Y OUT COUNT PLATFORM DEVICE THREADS: PyTorch, NumPy, PyOpenCL, tinygrad or VkFFT as a peer of
cliv-bench; the protocol is in bench/peers.h.

A library's class has `version`, `operations` (a method for each name, or none) and `finish`. A method gets arrays of
shape (rows, columns) and the axis (None for all) and returns a function that does the work once and gives the result.
"""

import os
import sys
import time

import numpy as np


class Cannot(Exception):
    pass


def device_of(cl, platform, device):
    for p in cl.get_platforms():
        for d in p.get_devices():
            if p.name.strip("\0") == platform and d.name.strip("\0") == device:
                return d
    raise Cannot(f"there is no device {device} of {platform}")


class NumPy:
    """As its users write it, with as few temporary arrays as that allows."""

    def __init__(self, platform, device, threads):
        self.version = np.__version__

    def put(self, array):
        return array

    def finish(self):
        pass

    def get(self, result):
        return np.asarray(result)

    def sum(self, x, y, axis):
        return lambda: x.sum(axis)

    def min(self, x, y, axis):
        return lambda: x.min(axis)

    def max(self, x, y, axis):
        return lambda: x.max(axis)

    def argmax(self, x, y, axis):
        return lambda: x.argmax(axis)

    def asum(self, x, y, axis):
        return lambda: np.abs(x).sum(axis)

    def nrm2(self, x, y, axis):
        if axis is None:
            return lambda: np.linalg.norm(x.reshape(-1))
        return lambda: np.linalg.norm(x, axis=axis)

    def dot(self, x, y, axis):
        if axis is not None:
            raise Cannot("no dot of rows")
        x, y = x.reshape(-1), y.reshape(-1)
        return lambda: np.dot(x, y)

    def all_finite(self, x, y, axis):
        return lambda: np.isfinite(x).all(axis)

    def var(self, x, y, axis):
        return lambda: x.var(axis)

    def stats(self, x, y, axis):
        x = x.reshape(-1)
        return lambda: [x.min(), x.max(), x.mean(), x.var(), np.abs(x).sum(), np.linalg.norm(x)]

    def logsumexp(self, x, y, axis):
        def run():
            m = x.max(axis, keepdims=True)
            return np.log(np.exp(x - m).sum(axis, keepdims=True)) + m
        return run

    def softmax(self, x, y, axis):
        out = np.empty_like(x)

        def run():
            np.subtract(x, x.max(-1, keepdims=True), out=out)
            np.exp(out, out=out)
            return np.divide(out, out.sum(-1, keepdims=True), out=out)
        return run

    def scan(self, x, y, axis):
        out = np.empty_like(x)
        return lambda: np.cumsum(x, -1 if axis is None else axis, out=out)

    def sort(self, x, y, axis):
        return lambda: np.sort(x, -1)

    def argsort(self, x, y, axis):
        return lambda: np.argsort(x, -1, kind="stable")

    def fft(self, x, y, axis):
        x = x.view(np.complex64)
        out = np.empty_like(x)
        return lambda: np.fft.fft(x, out=out).view(np.float32)

    def fft2(self, x, y, axis):
        x = x.view(np.complex64)
        out = np.empty_like(x)
        return lambda: np.fft.fft2(x, out=out).view(np.float32)

    def into(self, f, *inputs):
        out = np.empty_like(inputs[0])
        return lambda: f(*inputs, out=out)

    def add(self, x, y, axis):
        return self.into(np.add, x, y)

    def div(self, x, y, axis):
        return self.into(np.divide, x, y)

    def exp(self, x, y, axis):
        return self.into(np.exp, x)

    def sin(self, x, y, axis):
        return self.into(np.sin, x)

    def tanh(self, x, y, axis):
        return self.into(np.tanh, x)

    def uniform(self, x, y, axis):
        generator = np.random.Generator(np.random.Philox(1))
        out = np.empty_like(x)
        return lambda: generator.random(dtype=np.float32, out=out)

    def normal(self, x, y, axis):
        generator = np.random.Generator(np.random.Philox(1))
        out = np.empty_like(x)
        return lambda: generator.standard_normal(dtype=np.float32, out=out)


class PyTorch(NumPy):
    def __init__(self, platform, device, threads):
        import torch
        self.torch = torch
        torch.set_num_threads(threads)
        torch.set_grad_enabled(False)
        self.version = torch.__version__

    def put(self, array):
        return self.torch.from_numpy(array)

    def get(self, result):
        return result.numpy()

    def along(self, f, x, axis):
        return (lambda: f(x)) if axis is None else (lambda: f(x, dim=axis))

    def gemm(self, x, y):
        out = self.torch.empty((*x.shape[:-1], y.shape[-1]))
        return lambda: self.torch.matmul(x, y, out=out)

    def sum(self, x, y, axis):
        return self.along(self.torch.sum, x, axis)

    def min(self, x, y, axis):
        return self.along(self.torch.amin, x, axis) if axis is not None else lambda: self.torch.min(x)

    def max(self, x, y, axis):
        return self.along(self.torch.amax, x, axis) if axis is not None else lambda: self.torch.max(x)

    def argmax(self, x, y, axis):
        return self.along(self.torch.argmax, x, axis)

    def asum(self, x, y, axis):
        return lambda: self.torch.linalg.vector_norm(x, 1, dim=axis)

    def nrm2(self, x, y, axis):
        return lambda: self.torch.linalg.vector_norm(x, 2, dim=axis)

    def dot(self, x, y, axis):
        if axis is not None:
            return lambda: self.torch.linalg.vecdot(x, y, dim=axis)
        x, y = x.reshape(-1), y.reshape(-1)
        return lambda: self.torch.dot(x, y)

    def all_finite(self, x, y, axis):
        return lambda: self.torch.isfinite(x).all()

    def var(self, x, y, axis):
        return lambda: self.torch.var(x, dim=axis, correction=0)

    def stats(self, x, y, axis):
        norm = self.torch.linalg.vector_norm
        return lambda: self.torch.stack([x.min(), x.max(), x.mean(), x.var(correction=0), norm(x, 1), norm(x, 2)])

    def logsumexp(self, x, y, axis):
        return lambda: self.torch.logsumexp(x, dim=(0, 1) if axis is None else axis)

    def softmax(self, x, y, axis):
        out = self.torch.empty_like(x)
        return lambda: self.torch.softmax(x, -1, out=out)

    def scan(self, x, y, axis):
        out = self.torch.empty_like(x)
        return lambda: self.torch.cumsum(x, -1 if axis is None else axis, out=out)

    def sort(self, x, y, axis):
        return lambda: self.torch.sort(x, dim=-1).values

    def argsort(self, x, y, axis):
        return lambda: self.torch.argsort(x, dim=-1, stable=True)

    def fft(self, x, y, axis, transform=None):
        x = self.torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2))
        out = self.torch.empty_like(x)
        transform = transform or self.torch.fft.fft
        return lambda: self.torch.view_as_real(transform(x, out=out))

    def fft2(self, x, y, axis):
        return self.fft(x, y, axis, self.torch.fft.fft2)

    def into(self, f, *inputs):
        out = self.torch.empty_like(inputs[0])
        return lambda: f(*inputs, out=out)

    def add(self, x, y, axis):
        return self.into(self.torch.add, x, y)

    def div(self, x, y, axis):
        return self.into(self.torch.div, x, y)

    def exp(self, x, y, axis):
        return self.into(self.torch.exp, x)

    def sin(self, x, y, axis):
        return self.into(self.torch.sin, x)

    def tanh(self, x, y, axis):
        return self.into(self.torch.tanh, x)

    def uniform(self, x, y, axis):
        out = self.torch.empty_like(x)
        return lambda: out.uniform_()

    def normal(self, x, y, axis):
        out = self.torch.empty_like(x)
        return lambda: out.normal_()

    def adamw(self, x, y, axis):
        weights = x.clone()
        parameters = [self.torch.nn.Parameter(row) for row in weights]
        for parameter, gradient in zip(parameters, y):
            parameter.grad = gradient
        optimizer = self.torch.optim.AdamW(parameters, lr=1e-3, weight_decay=1e-2, fused=True)

        def run():
            optimizer.step()
            return weights
        return run


class PyOpenCL:
    def __init__(self, platform, device, threads):
        import pyopencl
        import pyopencl.array
        import pyopencl.clmath
        import pyopencl.reduction
        import pyopencl.scan
        self.cl = pyopencl
        self.context = pyopencl.Context([device_of(pyopencl, platform, device)])
        self.queue = pyopencl.CommandQueue(self.context)
        self.version = pyopencl.VERSION_TEXT

    def put(self, array):
        return self.cl.array.to_device(self.queue, array)

    def finish(self):
        self.queue.finish()

    def get(self, result):
        return result.get()

    def everything(self, axis):
        if axis is not None:
            raise Cannot("it reduces everything, not rows")

    def sum(self, x, y, axis):
        self.everything(axis)
        return lambda: self.cl.array.sum(x)

    def min(self, x, y, axis):
        self.everything(axis)
        return lambda: self.cl.array.min(x)

    def max(self, x, y, axis):
        self.everything(axis)
        return lambda: self.cl.array.max(x)

    def dot(self, x, y, axis):
        self.everything(axis)
        return lambda: self.cl.array.dot(x, y)

    def reduction(self, axis, x, neutral, expression, mapped, dtype=np.float32):
        self.everything(axis)
        kernel = self.cl.reduction.ReductionKernel(self.context, dtype, neutral=neutral, reduce_expr=expression,
                                                   map_expr=mapped, arguments="__global const float *x")
        return lambda: kernel(x)

    def asum(self, x, y, axis):
        return self.reduction(axis, x, "0", "a+b", "fabs(x[i])")

    def nrm2(self, x, y, axis):
        squares = self.reduction(axis, x, "0", "a+b", "x[i]*x[i]")
        return lambda: self.cl.clmath.sqrt(squares())

    def all_finite(self, x, y, axis):
        return self.reduction(axis, x, "1", "a&&b", "isfinite(x[i])", np.int32)

    def scan(self, x, y, axis):
        if x.shape[0] != 1:
            raise Cannot("it scans everything, not rows")
        out = self.cl.array.empty_like(x)
        kernel = self.cl.scan.GenericScanKernel(
            self.context, np.float32, arguments="__global const float *x, __global float *out", input_expr="x[i]",
            scan_expr="a+b", neutral="0", output_statement="out[i] = item;")

        def run():
            kernel(x, out, size=x.size, queue=self.queue)
            return out
        return run

    def elementwise(self, statement, x, y):
        from pyopencl.elementwise import ElementwiseKernel
        out = self.cl.array.empty_like(x)
        arguments = "__global const float *x, __global const float *y, __global float *out"
        kernel = ElementwiseKernel(self.context, arguments, statement)

        def run():
            kernel(x, y, out)
            return out
        return run

    def add(self, x, y, axis):
        return self.elementwise("out[i] = x[i] + y[i]", x, y)

    def div(self, x, y, axis):
        return self.elementwise("out[i] = x[i] / y[i]", x, y)

    def exp(self, x, y, axis):
        return self.elementwise("out[i] = exp(x[i])", x, y)

    def sin(self, x, y, axis):
        return self.elementwise("out[i] = sin(x[i])", x, y)

    def tanh(self, x, y, axis):
        return self.elementwise("out[i] = tanh(x[i])", x, y)


class Tinygrad:
    """Its kernels, recorded once and replayed (TinyJit), so that its own planning is not timed."""

    def __init__(self, platform, device, threads):
        import importlib.metadata
        import pyopencl
        import tinygrad
        # It takes the first platform, whatever that is.
        first = pyopencl.get_platforms()[0]
        if first.name.strip("\0") != platform:
            raise Cannot(f"it uses the first OpenCL platform only, and that is {first.name}")
        self.tinygrad = tinygrad
        self.device = tinygrad.Device["CL"]
        if self.device.device_name.strip("\0") != device:
            raise Cannot(f"it uses the device {self.device.device_name}")
        self.version = importlib.metadata.version("tinygrad")

    def put(self, array):
        return self.tinygrad.Tensor(array, device="CL").contiguous().realize()

    def finish(self):
        self.device.synchronize()

    def get(self, result):
        return result.numpy()

    def jit(self, f, *inputs):
        run = self.tinygrad.TinyJit(lambda *tensors: f(*tensors).realize())
        for _ in range(2):  # the first runs, the second records
            run(*inputs)
        return lambda: run(*inputs)

    def sum(self, x, y, axis):
        return self.jit(lambda x: x.sum(axis), x)

    def min(self, x, y, axis):
        return self.jit(lambda x: x.min(axis), x)

    def max(self, x, y, axis):
        return self.jit(lambda x: x.max(axis), x)

    def argmax(self, x, y, axis):
        return self.jit(lambda x: x.argmax(axis), x)

    def asum(self, x, y, axis):
        return self.jit(lambda x: x.abs().sum(axis), x)

    def nrm2(self, x, y, axis):
        return self.jit(lambda x: x.square().sum(axis).sqrt(), x)

    def dot(self, x, y, axis):
        return self.jit(lambda x, y: (x * y).sum(axis), x, y)

    def all_finite(self, x, y, axis):
        return self.jit(lambda x: x.isfinite().all(axis), x)

    def var(self, x, y, axis):
        return self.jit(lambda x: x.var(axis, correction=0), x)

    def stats(self, x, y, axis):
        stack = self.tinygrad.Tensor.stack
        return self.jit(lambda x: stack(x.min(), x.max(), x.mean(), x.var(correction=0), x.abs().sum(),
                                        x.square().sum().sqrt()), x)

    def logsumexp(self, x, y, axis):
        return self.jit(lambda x: x.logsumexp(axis), x)

    def softmax(self, x, y, axis):
        return self.jit(lambda x: x.softmax(-1), x)

    def scan(self, x, y, axis):
        return self.jit(lambda x: x.cumsum(-1 if axis is None else axis), x)

    def add(self, x, y, axis):
        return self.jit(lambda x, y: x + y, x, y)

    def div(self, x, y, axis):
        return self.jit(lambda x, y: x / y, x, y)

    def exp(self, x, y, axis):
        return self.jit(lambda x: x.exp(), x)

    def sin(self, x, y, axis):
        return self.jit(lambda x: x.sin(), x)

    def tanh(self, x, y, axis):
        return self.jit(lambda x: x.tanh(), x)


class VkFFT:
    def __init__(self, platform, device, threads):
        import importlib.metadata
        import pyopencl
        import pyopencl.array
        from pyvkfft.opencl import VkFFTApp
        self.cl, self.app = pyopencl, VkFFTApp
        self.context = pyopencl.Context([device_of(pyopencl, platform, device)])
        self.queue = pyopencl.CommandQueue(self.context)
        self.version = importlib.metadata.version("pyvkfft")

    def put(self, array):
        return self.cl.array.to_device(self.queue, array)

    def finish(self):
        self.queue.finish()

    def get(self, result):
        return result.get()

    def fft(self, x, y, axis, dimensions=1):
        x = x.view(np.complex64)
        out = self.cl.array.empty_like(x)
        app = self.app(x.shape, x.dtype, queue=self.queue, ndim=dimensions, inplace=False)

        def run():
            app.fft(x, out)
            return out.view(np.float32)
        return run

    def fft2(self, x, y, axis):
        return self.fft(x, y, axis, 2)


LIBRARIES = {"NumPy": NumPy, "PyTorch": PyTorch, "PyOpenCL": PyOpenCL, "tinygrad": Tinygrad, "VkFFT": VkFFT}
AXES = {"all": None, "last": -1, "first": 0}


class Peer:
    def __init__(self, library, paths, count):
        self.library, self.run = library, None
        self.x, self.y = (np.fromfile(path, np.float32, count) for path in paths[:2])
        self.out = paths[2]

    def prepare(self, op, axis, rows, columns):
        self.run = None
        if op.startswith("gemm:"):
            return self.prepare_gemm(*(int(n) for n in op.split(":")[1:]))
        make = getattr(self.library, op, None)
        if make is None:
            raise Cannot("it has no such operation")
        shape = int(rows), int(columns)
        x, y = (self.library.put(a[:shape[0] * shape[1]].reshape(shape)) for a in (self.x, self.y))
        run = make(x, y, AXES[axis])
        return self.keep(run)

    def prepare_gemm(self, batch, m, n, k):
        make = getattr(self.library, "gemm", None)
        if make is None:
            raise Cannot("it has no such operation")
        shapes = (batch, m, k), (batch, k, n)
        x, y = (a[:np.prod(shape)].reshape(shape[batch == 1:]) for a, shape in zip((self.x, self.y), shapes))
        return self.keep(make(self.library.put(x), self.library.put(y)))

    def keep(self, run):
        result = np.asarray(self.library.get(run()), np.float32)
        result.tofile(self.out)
        self.run = run
        return "ok"

    def time(self, repeats):
        self.library.finish()
        start = time.perf_counter()
        for _ in range(int(repeats)):
            self.run()
            self.library.finish()
        return f"ok {time.perf_counter() - start:.9f}"


def one_line(error):
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def main():
    # What the libraries print must not get between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(text):
        answers.write(text + "\n")
        answers.flush()

    name, x, y, out, count, platform, device, threads = sys.argv[1:]
    try:
        library = LIBRARIES[name](platform, device, int(threads))
        peer = Peer(library, (x, y, out), int(count))
    except Exception as error:
        answer(f"no {error if isinstance(error, Cannot) else one_line(error)}")
        return
    answer(f"ok {library.version}")
    for line in sys.stdin:
        command, *arguments = line.split()
        try:
            answer({"prepare": peer.prepare, "time": peer.time}[command](*arguments))
        except Exception as error:
            answer(f"no {error if isinstance(error, Cannot) else one_line(error)}")


main()
