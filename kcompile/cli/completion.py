"""``kcompile completion SHELL``."""

from __future__ import annotations

import click

from kcompile.cli.reporting import examples

PROGRAM = "kcompile"


@click.command(
    epilog=examples(
        'eval "$(kcompile completion bash)"                     # in ~/.bashrc',
        'eval "$(kcompile completion zsh)"                      # in ~/.zshrc',
        "kcompile completion fish > ~/.config/fish/completions/kcompile.fish",
    )
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the script that makes SHELL complete commands, options and files."""
    from click.shell_completion import get_completion_class

    from kcompile.cli import main

    found = get_completion_class(shell)
    assert found is not None, shell
    variable = f"_{PROGRAM}_complete".upper()  # what click looks for
    click.echo(found(main, {}, PROGRAM, variable).source())
