"""Kernel families: CPU and CUDA generators side by side, installed and imported as ``kcompile.kernels``."""

if __name__ != "kcompile.kernels":
    raise ImportError(
        "import kcompile.kernels, not kernels: the folder lies beside the package only in a source checkout"
    )
