"""The graph and the kernel IR. No operator is known here."""
