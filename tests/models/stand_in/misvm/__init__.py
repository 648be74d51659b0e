"""A stand-in for the package misvm: its interface, its matrices, its bias and its hidden errors.

Not its code. It keeps what our backend meets: `MISVM(kernel, C, scale_C, max_iters, restarts,
verbose)`, `fit(bags, y)` and `predict(bags)`; a bias that is `float` of a 1x1 matrix; a loop that
catches every error, prints it where `verbose` is true, and returns no model.
"""

from misvm.mi_svm import MISVM

__all__ = ["MISVM"]
