"""Every kernel of some models through PTX and ptxas, for all supported capabilities; prints a table and what
is wrong.

    python -m venv v && v/bin/pip install -e ".[cuda13]"
    v/bin/python -m tests.cuda.check_ptx

0.8 GB of wheels, no device, a minute.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from kcompile.codegen.cuda_source import CudaKernel
from tests.cuda.models import digits, mnist_cnn, step_kernels, token_classifier, tokens
from tests.cuda.ptx import CAPABILITIES, Figures, faults, figures, missing


def kernels() -> list[CudaKernel]:
    """All different kernels of the MNIST CNN's steps, and of a model with other families."""
    steps = [
        *(step_kernels(mnist_cnn(optimizer=name), digits(2)) for name in ("adam", "adadelta")),
        step_kernels(mnist_cnn(), digits(2), "test"),
        step_kernels(token_classifier(), tokens(2)),
    ]
    return list({k.source.key: k for step in steps for k in step}.values())


def family(kernel: CudaKernel) -> str:
    """What kind of kernel it is, from its text."""
    if "tile = cuda.shared.array" in kernel.source.text:
        return "contraction"
    if "share = index_div" in kernel.source.text:
        return "scatter"
    if "wanted = " in kernel.source.text:
        return "columns"
    return "map" if "if point < " in kernel.source.text else "rows"


def rows(found: list[tuple[CudaKernel, dict[tuple[int, int], Figures]]]) -> Iterator[str]:
    yield (
        "| kernel | layout | threads | registers "
        + " ".join(f"sm_{a}{b}" for a, b in CAPABILITIES)
        + " | shared | barriers |"
    )
    yield "| --- | --- | --- | --- | --- | --- |"
    for kernel, by_cc in found:
        one = next(iter(by_cc.values()))
        registers = " ".join(str(f.registers) for f in by_cc.values())
        name = f"{kernel.name.rpartition('/')[2]}: {', '.join(dict.fromkeys(kernel.fused))}"[:72]
        sizes = f"{kernel.source.threads} | {registers} | {one.shared} | {one.barriers}"
        yield f"| {name} | {family(kernel)} | {sizes} |"


def main() -> int:
    if missing():
        print(missing())
        return 2
    found = [(k, {cc: figures(k, cc) for cc in CAPABILITIES}) for k in kernels()]
    print("\n".join(rows(found)))
    wrong = [
        f"{kernel.name}, sm_{cc[0]}{cc[1]}: {fault}\n{kernel.source.text}"
        for kernel, by_cc in found for cc, one in by_cc.items() for fault in faults(kernel, one)
    ]  # fmt: skip
    print(f"\n{len(found)} kernels, {len(CAPABILITIES)} capabilities each: {len(wrong)} faults")
    print("\n".join(wrong))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
