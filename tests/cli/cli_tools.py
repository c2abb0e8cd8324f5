"""What the tests of the command line share: calls of it."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner, Result

from kcompile.cli import main


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def fails(*arguments: object) -> str:
    """The error of a call that must fail with a message, not with a traceback."""
    result = call(*arguments)
    assert result.exit_code != 0
    assert isinstance(result.exception, SystemExit), result.exception
    return result.output


def json_of(*arguments: object, code: int = 0) -> Any:
    """What a call prints with --json; nothing else may be on standard output."""
    result = call(*arguments, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)
