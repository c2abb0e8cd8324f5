"""Who is measured: one row each, with the adapter that drives it and the modules it needs."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Contender:
    """One library under measurement.

    adapter:  module of ``benchmarks.peers`` that defines ``open_session(contender, task, threads)``.
    imports:  what a user's program imports.
    requires: every module that must be installed.
    cache:    environment variables that move the library's compilation cache; their value is a folder.
    options:  for the adapter.
    tasks:    the only ones that the library can do; none named: all.
    starts:   whether it starts otherwise than another row does.
    """

    name: str
    adapter: str
    imports: str
    requires: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    cache: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    trains: bool = True
    tasks: tuple[str, ...] = ()
    starts: bool = True


OURS = "kcompile"

# JAX keeps no cache on disk unless told to; with it, its second start is the best that it can be.
_JAX_CACHE = {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}


def _ours(adapter: str) -> Contender:
    return Contender(OURS, adapter, "kcompile", ("kcompile", "numba", "h5py"), cache=("KCOMPILE_CACHE_DIR",))


def _keras(backend: str, cache: tuple[str, ...] = (), **environment: str) -> Contender:
    environment["KERAS_BACKEND"] = backend
    return Contender(f"keras-{backend}", "keras_api", "keras", ("keras", backend), environment, cache)


def _jax(name: str, options: tuple[str, ...] = (), starts: bool = True) -> Contender:
    cache = ("JAX_COMPILATION_CACHE_DIR",)
    return Contender(name, "jax_loop", "jax", ("jax",), _JAX_CACHE, cache, options, starts=starts)


MODELS = (
    _ours("keras_api"),
    _keras("tensorflow"),
    _keras("jax", ("JAX_COMPILATION_CACHE_DIR",), **_JAX_CACHE),
    _keras("torch"),
    Contender("torch", "torch_loop", "torch", ("torch",)),
    Contender(
        "torch-compile",
        "torch_loop",
        "torch",
        ("torch",),
        cache=("TORCHINDUCTOR_CACHE_DIR",),
        options=("compile",),
    ),
    _jax("jax"),
    _jax("jax-scan", ("scan",), starts=False),
    Contender("onnxruntime", "onnx_session", "onnxruntime", ("onnxruntime", "onnx"), trains=False),
)

KERNELS = (
    _ours("kernel_kcompile"),
    Contender("numpy", "kernel_numpy", "numpy", ("numpy",), tasks=("matmul",)),
    Contender("torch", "kernel_torch", "torch", ("torch",)),
)

LAYERS = (
    _ours("layer_kcompile"),
    Contender("torch", "layer_torch", "torch", ("torch",)),
    Contender(
        "torch-compile",
        "layer_torch",
        "torch",
        ("torch",),
        cache=("TORCHINDUCTOR_CACHE_DIR",),
        options=("compile",),
    ),
)

CONTENDERS = {
    "model": {one.name: one for one in MODELS},
    "kernel": {one.name: one for one in KERNELS},
    "layer": {one.name: one for one in LAYERS},
}

KERAS_PEERS = tuple(one.name for one in MODELS if one.name.startswith("keras-"))
