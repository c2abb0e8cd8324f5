"""``kcompile cache info`` and ``kcompile cache clear``."""

from __future__ import annotations

import click

from kcompile.cli.reporting import examples, json_option, show


@click.group(epilog=examples("kcompile cache info", "kcompile cache info --json", "kcompile cache clear"))
def command() -> None:
    """Show or clear the cache of compiled kernels.

    KCOMPILE_CACHE_DIR moves it, KCOMPILE_CACHE=0 turns it off.
    """


@command.command()
@json_option
def info(as_json: bool) -> None:
    """Show the folder, its files and their size."""
    from kcompile.runtime.cache import default_cache

    found = default_cache().info()
    lines = [
        f"folder  {found.folder}",
        f"files   {found.files}",
        f"size    {found.bytes / 1e6:.1f} MB of at most {found.limit / 1e6:.0f} MB",
    ]
    result = {
        "folder": found.folder or None,
        "files": found.files,
        "bytes": found.bytes,
        "limit": found.limit,
    }
    show(result, lines if found.folder else ["The cache is off."], as_json)


@command.command()
@json_option
def clear(as_json: bool) -> None:
    """Delete every compiled kernel; they are compiled again when needed."""
    from kcompile.runtime.cache import default_cache

    count = default_cache().clear()
    show({"deleted": count}, [f"{count} files deleted."], as_json)
