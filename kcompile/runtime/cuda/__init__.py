"""Programs on CUDA devices: launch plans, device memory, a real device by numba-cuda, and an emulated one."""
