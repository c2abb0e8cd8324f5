"""Programs on CUDA devices: launch plans, device memory, a real device through numba-cuda, and an emulated one."""
