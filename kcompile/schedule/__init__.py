"""From a graph of primitives to kernels in kernel IR, their order and their memory."""
