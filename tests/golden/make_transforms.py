"""Makes transforms.safetensors: cosine and sine transforms, convolutions and correlations by SciPy, and the extraction
of DeMo (arXiv 2411.19870: momentum, cosine transforms of chunks, the greatest k of each, what is left stays) by SciPy
and NumPy; for tests/test_dct.c and tests/test_spectral.c.

    python3 -m venv V && V/bin/pip install numpy scipy safetensors && V/bin/python make_transforms.py

Inputs are float32, everything is computed in float64.
"""
import pathlib

import numpy as np
import scipy.fft
import scipy.signal
from safetensors.numpy import save_file

LENGTHS = [1, 2, 3, 4, 5, 8, 15, 16, 17, 31, 60]
MODES = ["full", "same", "valid"]
PAIRS = [((7,), (3,)), ((40,), (40,)), ((6, 9), (3, 4)), ((5, 6, 7), (2, 3, 3))]
CHUNKS, CHUNK, KEPT, STEPS, DECAY, RATE = 6, 16, 3, 4, 0.75, 0.5


def normal(seed, *shape):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def transforms(made):
    for n in LENGTHS:
        x = normal(1, n)
        made[f"x.{n}"] = x
        for name, function in ("dct", scipy.fft.dct), ("dst", scipy.fft.dst):
            for kind in 2, 3:
                rows = [function(x.astype(float), type=kind, norm=norm) for norm in ("backward", "ortho", "forward")]
                made[f"{name}{kind}.{n}"] = np.stack(rows)
    x = normal(2, 4, 6, 5)
    made["x.all"] = x
    made["dct2.all"] = scipy.fft.dctn(x.astype(float), type=2, norm="ortho", axes=(0, 2))
    made["dst3.all"] = scipy.fft.dstn(x.astype(float), type=3, norm="forward", axes=(1, 0))


def convolutions(made):
    for i, (shape, other) in enumerate(PAIRS):
        x, y = normal(3, *shape), normal(4, *other)
        made[f"conv.{i}.x"], made[f"conv.{i}.y"] = x, y
        for mode in MODES:
            made[f"conv.{i}.{mode}"] = scipy.signal.convolve(x.astype(float), y.astype(float), mode, "direct")
            made[f"corr.{i}.{mode}"] = scipy.signal.correlate(x.astype(float), y.astype(float), mode, "direct")


def extraction(made):
    momentum = np.zeros((CHUNKS, CHUNK))
    for step in range(STEPS):
        gradient = normal(5 + step, CHUNKS, CHUNK)
        momentum = DECAY * momentum + RATE * gradient.astype(float)
        frequencies = scipy.fft.dct(momentum, norm="ortho")
        places = np.argsort(-np.abs(frequencies), axis=1, kind="stable")[:, :KEPT]
        values = np.take_along_axis(frequencies, places, 1)
        sent = np.zeros_like(frequencies)
        np.put_along_axis(sent, places, values, 1)
        momentum = momentum - scipy.fft.idct(sent, norm="ortho")
        made[f"demo.{step}.gradient"], made[f"demo.{step}.places"] = gradient, places.astype(np.int64)
        made[f"demo.{step}.values"], made[f"demo.{step}.momentum"] = values, momentum.copy()


def main():
    made = {}
    transforms(made)
    convolutions(made)
    extraction(made)
    save_file({name: np.ascontiguousarray(array) for name, array in made.items()},
              pathlib.Path(__file__).with_name("transforms.safetensors"),
              {"versions": f"scipy {scipy.__version__}, numpy {np.__version__}"})


if __name__ == "__main__":
    main()
