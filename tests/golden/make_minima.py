"""Makes minima.safetensors: paths of PyTorch's L-BFGS, and what SciPy's minimizers reach in how many evaluations, for
tests/test_minimize.c.

    python3 -m venv V && V/bin/pip install torch scipy numpy && V/bin/python make_minima.py

The problems are those of tests/problems.c, in double. For each PROBLEM

    lbfgs.PROBLEM.float64   (iterations, n)   x after each, with everything in double
    lbfgs.PROBLEM.float32   (iterations, n)   the same with x, gradients and vectors in float32, value in double
    lbfgs3.PROBLEM.…        the same with a history of 3

and the metadata "METHOD PROBLEM" -> "value evaluations", with METHOD one of SciPy's.
"""
import csv
import os

import numpy as np
import scipy
import scipy.optimize
import torch
from trajectories import write

HERE = os.path.dirname(os.path.abspath(__file__))
ITERATIONS = 40
L2 = 0.01


def breast_cancer():
    with open(os.path.join(HERE, "../../examples/data/breast_cancer.csv"), encoding="ascii") as file:
        rows = list(csv.reader(file))[1:]
    x = np.array([row[:-1] for row in rows], np.float64)
    x = (x - x.mean(0)) / x.std(0)
    return np.hstack([x, np.ones((len(x), 1))]), np.array([row[-1] == "malignant" for row in rows], np.float64)


class Quadratic:
    n = 20
    start = np.zeros(n)
    weights = 100.0 ** (np.arange(n) / (n - 1))
    centre = (np.arange(n) % 5 - 2) / 2

    def value(self, x):
        d = x - self.centre
        return 0.5 * (self.weights * d * d).sum(), self.weights * d

    def hessian(self, x):
        return np.diag(self.weights)


class Rosenbrock:
    n = 2
    start = np.array([-1.25, 1.0])

    def value(self, x):
        a, b = x[1] - x[0] ** 2, 1 - x[0]
        return 100 * a * a + b * b, np.array([-400 * a * x[0] - 2 * b, 200 * a])

    def hessian(self, x):
        return np.array([[1200 * x[0] ** 2 - 400 * x[1] + 2, -400 * x[0]], [-400 * x[0], 200.0]])

    def residuals(self, x):
        return np.sqrt(2) * np.array([10 * (x[1] - x[0] ** 2), 1 - x[0]])

    def jacobian(self, x):
        return np.sqrt(2) * np.array([[-20 * x[0], 10], [-1, 0.0]])


class Logistic:
    n = 31
    start = np.zeros(n)
    x, y = breast_cancer()

    def value(self, w):
        z = self.x @ w
        p = 1 / (1 + np.exp(-z))
        f = (np.maximum(z, 0) - z * self.y + np.log1p(np.exp(-np.abs(z)))).mean() + L2 / 2 * w @ w
        return f, self.x.T @ (p - self.y) / len(z) + L2 * w

    def hessian(self, w):
        p = 1 / (1 + np.exp(-self.x @ w))
        return self.x.T @ (self.x * (p * (1 - p))[:, None]) / len(p) + L2 * np.eye(self.n)


class Decay:
    """A sum of an exponential and a constant, and what is not quite one."""

    n = 3
    start = np.array([1.0, 1.0, 0.0])
    t = np.arange(40) / 10
    y = 2.5 * np.exp(-1.3 * t) + 0.5 + 0.05 * np.cos(7 * t)

    def residuals(self, x):
        return x[0] * np.exp(-x[1] * self.t) + x[2] - self.y

    def jacobian(self, x):
        e = np.exp(-x[1] * self.t)
        return np.stack([e, -x[0] * self.t * e, np.ones_like(e)], 1)


def path(problem, dtype, history):
    out = []
    for iterations in range(1, ITERATIONS + 1):
        x = torch.tensor(problem.start, dtype=dtype, requires_grad=True)
        optimizer = torch.optim.LBFGS([x], max_iter=iterations, max_eval=100000, history_size=history,
                                      line_search_fn="strong_wolfe")

        def closure():
            f, g = problem.value(x.detach().double().numpy())
            x.grad = torch.tensor(g).to(dtype)
            return torch.tensor(f, dtype=torch.float64)

        optimizer.step(closure)
        if optimizer.state[x].get("n_iter") != iterations:
            break
        out.append(x.detach().numpy().astype(np.float32).copy())
    return np.stack(out)


def main():
    arrays = {}
    metadata = {"versions": f"torch {torch.__version__}, scipy {scipy.__version__}"}
    for problem in Quadratic(), Rosenbrock(), Logistic():
        name = type(problem).__name__.lower()
        for dtype in torch.float64, torch.float32:
            arrays[f"lbfgs.{name}.{str(dtype)[6:]}"] = path(problem, dtype, 100)
            arrays[f"lbfgs3.{name}.{str(dtype)[6:]}"] = path(problem, dtype, 3)
        f, g = lambda x: problem.value(x)[0], lambda x: problem.value(x)[1]
        for method in "Newton-CG", "L-BFGS-B":
            more = {"hess": problem.hessian} if method == "Newton-CG" else {}
            r = scipy.optimize.minimize(f, problem.start, method=method, jac=g, **more)
            metadata[f"{method} {name}"] = f"{r.fun!r} {r.nfev}".replace("np.float64(", "").replace(")", "")
    for problem in Rosenbrock(), Decay():
        r = scipy.optimize.least_squares(problem.residuals, problem.start, problem.jacobian, method="lm")
        metadata[f"lm {type(problem).__name__.lower()}"] = f"{float(r.cost)!r} {r.nfev}"
    write("minima.safetensors", arrays, metadata)
    for key, value in metadata.items():
        print(key, value)
    for key, value in arrays.items():
        print(key, value.shape)


if __name__ == "__main__":
    main()
