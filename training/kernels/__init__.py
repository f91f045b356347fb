"""Kernels that make a training step faster or smaller.

Modules below import torch at their top, since they define autograd functions: import them inside the function that needs
them. Each works on a CPU too, with the same result, so that a machine without a GPU can test it; Triton, Liger and
bitsandbytes are used where they are installed.
"""
