"""Makes saga.safetensors: what scikit-learn's SAG and SAGA come to, sample by sample, for tests/test_variance.c.

    python3 -m venv V && V/bin/pip install scikit-learn numpy && V/bin/python make_saga.py

The problem is logistic regression on breast cancer (examples/data), 30 standardised features and a constant, beginning
at 0. scikit-learn's order of samples is drawn here again, and a loop in double makes sure that it is that order.

    order            (steps)   the samples, as float32
    CASE.coef        (31)      after these steps
    CASE.minimum     (31)      after very many

and for each CASE the metadata "method lr l2 l1".
"""
import warnings

import numpy as np
import sklearn
from make_minima import breast_cancer
from sklearn.linear_model._sag import get_auto_step_size, sag_solver
from sklearn.utils.extmath import row_norms
from trajectories import write

PASSES, SEED = 3, 7
CASES = {"sag": (False, 0.01, 0.0), "saga": (True, 0.01, 0.0), "elastic": (True, 0.005, 0.02)}


def drawn(n, count):
    """What scikit-learn's dataset draws: our_rand_r, an xorshift of 32 bits, modulo 2^31, modulo n."""
    seed = int(np.random.RandomState(SEED).randint(1, np.iinfo(np.int32).max))
    out = []
    for _ in range(count):
        seed ^= (seed << 13) & 0xFFFFFFFF
        seed ^= seed >> 17
        seed ^= (seed << 5) & 0xFFFFFFFF
        out.append(seed % (1 << 31) % n)
    return out


def by_hand(x, y, order, saga, lr, l2, l1):
    n = len(x)
    w, table, total, seen = np.zeros(x.shape[1]), np.zeros(x.shape), np.zeros(x.shape[1]), set()
    for i in order:
        seen.add(i)
        g = x[i] * (1 / (1 + np.exp(-x[i] @ w)) - y[i])
        change = g - table[i]
        d = change + total / len(seen) if saga else (total + change) / len(seen)
        table[i], total = g, total + change
        w = (1 - lr * l2) * w - lr * d
        w = np.sign(w) * np.maximum(np.abs(w) - lr * l1, 0)
    assert n == len(table)
    return w


def main():
    x, y = breast_cancer()
    n = len(x)
    order = drawn(n, PASSES * n)
    arrays, metadata = {"order": np.array(order, np.float32)}, {"versions": f"scikit-learn {sklearn.__version__}"}
    warnings.simplefilter("ignore")
    for case, (saga, l2, l1) in CASES.items():
        lr = get_auto_step_size(row_norms(x, squared=True).max(), l2, "log", False, n, saga)

        def solve(passes):
            coef, _, _ = sag_solver(x, y, loss="log", alpha=l2 * n, beta=l1 * n, max_iter=passes, tol=0.0,
                                    random_state=SEED, is_saga=saga)
            return coef

        coef = solve(PASSES)
        hand = by_hand(x, y, order, saga, lr, l2, l1)
        assert np.abs(coef - hand).max() < 1e-12, np.abs(coef - hand).max()
        arrays[f"{case}.coef"] = np.asarray(coef, np.float32)
        arrays[f"{case}.minimum"] = np.asarray(solve(3000), np.float32)
        metadata[case] = f"{'saga' if saga else 'sag'} {float(lr)!r} {l2} {l1}"
        print(case, metadata[case], np.abs(coef).max(), int((arrays[f'{case}.minimum'] == 0).sum()))
    write("saga.safetensors", arrays, metadata)


if __name__ == "__main__":
    main()
