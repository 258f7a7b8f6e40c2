"""Fixtures that run a test on every implementation of the kernels."""

import os

import pytest
from hypothesis import settings

from kernels import implementations
from matfact.training import gradient_descent

# Machines that run tests stall: no example has a time limit. A change is judged by the same
# examples everywhere; HYPOTHESIS_PROFILE=default searches for new ones.
settings.register_profile("matfact", deadline=None, derandomize=True)
if "HYPOTHESIS_PROFILE" not in os.environ:
    settings.load_profile("matfact")


@pytest.fixture(params=implementations.ALL)
def gd_kernel(request):
    """The `gd` module: the numpy twin, and the compiled one at each SIMD level of this machine."""
    with implementations.selected(request.param) as kernel:
        yield kernel


@pytest.fixture(params=implementations.COMPILED)
def compiled_gd(request):
    """The compiled `gd` module at each SIMD level of this machine."""
    with implementations.selected(request.param) as kernel:
        yield kernel


@pytest.fixture(params=implementations.ALL)
def sgd_kernel(request):
    """The `sgd` module: the numpy twin, and the compiled one at each SIMD level."""
    with implementations.selected(request.param, "sgd") as kernel:
        yield kernel


@pytest.fixture(params=implementations.COMPILED)
def compiled_sgd(request):
    """The compiled `sgd` module at each SIMD level of this machine."""
    with implementations.selected(request.param, "sgd") as kernel:
        yield kernel


@pytest.fixture(params=implementations.ALL)
def als_kernel(request):
    """The `als` module: the numpy twin, and the compiled one at each SIMD level."""
    with implementations.selected(request.param, "als") as kernel:
        yield kernel


@pytest.fixture(params=implementations.COMPILED)
def compiled_als(request):
    """The compiled `als` module at each SIMD level of this machine."""
    with implementations.selected(request.param, "als") as kernel:
        yield kernel


@pytest.fixture(params=implementations.ALL)
def pairs_kernel(request):
    """The `pairs` module: the numpy twin, and the compiled one at each SIMD level."""
    with implementations.selected(request.param, "pairs") as kernel:
        yield kernel


@pytest.fixture(params=implementations.COMPILED)
def compiled_pairs(request):
    """The compiled `pairs` module at each SIMD level of this machine."""
    with implementations.selected(request.param, "pairs") as kernel:
        yield kernel


@pytest.fixture(params=implementations.ALL)
def topn_kernel(request):
    """The `topn` module: the numpy twin, and the compiled one at each SIMD level."""
    with implementations.selected(request.param, "topn") as kernel:
        yield kernel


@pytest.fixture(params=implementations.COMPILED)
def compiled_topn(request):
    """The compiled `topn` module at each SIMD level of this machine."""
    with implementations.selected(request.param, "topn") as kernel:
        yield kernel


@pytest.fixture(params=implementations.ALL)
def bpr_kernel(request):
    """The `bpr` module: the numpy twin, and the compiled one at each SIMD level."""
    with implementations.selected(request.param, "bpr") as kernel:
        yield kernel


@pytest.fixture(params=implementations.COMPILED)
def compiled_bpr(request):
    """The compiled `bpr` module at each SIMD level of this machine."""
    with implementations.selected(request.param, "bpr") as kernel:
        yield kernel


@pytest.fixture(params=implementations.ALL)
def vb_kernel(request):
    """The `vb` module: the numpy twin, and the compiled one at each SIMD level."""
    with implementations.selected(request.param, "vb") as kernel:
        yield kernel


@pytest.fixture(params=implementations.COMPILED)
def compiled_vb(request):
    """The compiled `vb` module at each SIMD level of this machine."""
    with implementations.selected(request.param, "vb") as kernel:
        yield kernel


@pytest.fixture(params=implementations.ALL)
def products_kernel(request):
    """The `products` module: the numpy twin, and the compiled one at each SIMD level."""
    with implementations.selected(request.param, "products") as kernel:
        yield kernel


@pytest.fixture(params=implementations.COMPILED)
def compiled_products(request):
    """The compiled `products` module at each SIMD level of this machine."""
    with implementations.selected(request.param, "products") as kernel:
        yield kernel


@pytest.fixture(params=implementations.ALL)
def eigen_kernel(request):
    """The `eigen` module: the numpy twin, and the compiled one at each SIMD level."""
    with implementations.selected(request.param, "eigen") as kernel:
        yield kernel


@pytest.fixture(params=implementations.COMPILED)
def compiled_eigen(request):
    """The compiled `eigen` module at each SIMD level of this machine."""
    with implementations.selected(request.param, "eigen") as kernel:
        yield kernel


@pytest.fixture
def backend(gd_kernel, monkeypatch):
    """Make the package train on each implementation, and return its `gd` module.

    The compressed path is allowed for smaller matrices, for which the loops do not take long.
    """
    monkeypatch.setattr(gradient_descent, "gd", gd_kernel)
    monkeypatch.setattr(gradient_descent, "SMALLEST_COMPRESSED", 1 << 13)
    return gd_kernel
