"""Kernels in plain numpy: the same functions and signatures as the compiled ones."""
