"""``kcompile cache info`` and ``kcompile cache clear``."""

from __future__ import annotations

import click


@click.group()
def command() -> None:
    """Show or clear the cache of compiled kernels.

    KCOMPILE_CACHE_DIR moves it, KCOMPILE_CACHE=0 turns it off.
    """


@command.command()
def info() -> None:
    """Show the folder, its files and their size."""
    from kcompile.runtime.cache import default_cache

    found = default_cache().info()
    if not found.folder:
        click.echo("The cache is off.")
        return
    click.echo(f"folder  {found.folder}")
    click.echo(f"files   {found.files}")
    click.echo(f"size    {found.bytes / 1e6:.1f} MB of at most {found.limit / 1e6:.0f} MB")


@command.command()
def clear() -> None:
    """Delete every compiled kernel; they are compiled again when needed."""
    from kcompile.runtime.cache import default_cache

    click.echo(f"{default_cache().clear()} files deleted.")
