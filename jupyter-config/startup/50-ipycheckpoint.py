"""Load ipycheckpoint in every kernel of a profile: opt in by copying this file to its ``startup`` folder."""

try:
    get_ipython().run_line_magic("load_ext", "ipycheckpoint")  # noqa: F821 - IPython provides it
except ModuleNotFoundError as missing:
    if missing.name != "ipycheckpoint":  # one profile serves many environments: not all of them have it
        raise
