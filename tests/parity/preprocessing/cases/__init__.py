"""What is done with the preprocessing of both libraries: functions of `keras` that return plain results.

A case that raises is recorded as the name of the exception; errors of TensorFlow's own count as ValueErrors.
"""

from tests.parity.preprocessing.cases import lookups, numbers, tables, text
from tests.parity.preprocessing.cases.case import CASES, TEXTS, outcome, plain
from tests.parity.preprocessing.cases.tables import TABLE

__all__ = ["CASES", "TABLE", "TEXTS", "lookups", "numbers", "outcome", "plain", "tables", "text"]
