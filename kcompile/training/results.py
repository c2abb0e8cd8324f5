"""What an epoch tells: the results of its metrics, or the logs of its last step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kcompile.callbacks.callback_list import pythonify_logs


def results_of(metrics: Iterable[Any]) -> dict[str, Any]:
    """Results by name; those of a metric that has several, each by its own."""
    results: dict[str, Any] = {}
    for metric in metrics:
        value = metric.result()
        results.update(value if isinstance(value, dict) else {metric.name: value})
    return results


def results_or_logs(model: Any, run: Any) -> dict[str, Any]:
    """The results of the metrics after the last step where they have the names of its logs, else these.

    A metric with variables that no step has assigned says nothing: its log stays what the step returned.
    Those of `compile` that no step has asked for are not there yet.
    """
    metrics = [m for m in model.metrics if getattr(m, "built", True)]
    results = model.get_metrics_result() if metrics == model.metrics else results_of(metrics)
    if results.keys() != run.logs.keys():
        return run.logs
    silent = [m for m in metrics if m.variables and not any(map(run.assigns, m.variables))]
    updated = [m for m in metrics if m not in silent]
    kept = results_of(silent).keys() - results_of(updated).keys()
    return pythonify_logs({k: run.logs[k] if k in kept else value for k, value in results.items()})
