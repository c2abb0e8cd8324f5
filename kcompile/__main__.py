"""``python -m kcompile``: the command line, where the `kcompile` script is not on the path."""

from kcompile.cli import main

if __name__ == "__main__":
    main(prog_name="python -m kcompile")
