"""Write what `definitions.py` defines as one self-contained record: ``python write.py FILE``.

Each format version and Python has written one into ``data``. Never write these again: what they hold is what
releases of their time have written.
"""

from __future__ import annotations

import linecache
import sys
from pathlib import Path

from ipycheckpoint.digest import digest_bytes
from ipycheckpoint.identity.identity import Ingredient, Key, Part
from ipycheckpoint.record.codec import encode
from ipycheckpoint.record.environment import Environment
from ipycheckpoint.record.format import lay_out, write
from ipycheckpoint.record.record import Header, Output
from ipycheckpoint.record.trust import Keyring

SECRET = b"the secret of the specimens: 32+"


def main(path: Path) -> None:
    """Run the definitions in ``__main__`` as a cell would be, and write them."""
    text = Path(__file__).with_name("definitions.py").read_text("utf-8")
    cell = "<ipython-input-1-specimen>"
    linecache.cache[cell] = (len(text), None, text.splitlines(keepends=True), cell)
    namespace = vars(sys.modules["__main__"])
    exec(compile(text, cell, "exec", dont_inherit=True), namespace)
    sections = encode(namespace["values"])
    layout = lay_out(sections, inline_all=True)
    header = Header(
        kind="savepoint",
        label="specimen",
        key=Key(digest_bytes(b"specimen")),
        created=1700000000.0,
        seconds=float("nan"),
        ingredients=(
            Ingredient("code", "cell", digest_bytes(text.encode()), "…", text, {"['a']": Part(digest_bytes(b""), "p")}),
        ),
        outputs=tuple(
            Output(name, "data", section=index) for index, section in enumerate(sections) for name in section.names
        ),
        sections=layout.sections,
        environment=Environment.current().digest,
        tags=(("tag", "1"), ("date", "2017-01-01")),
        trace={"python": f"{sys.version_info.major}.{sys.version_info.minor}"},
        notes=("a specimen",),
    )
    path.write_bytes(b"".join(write(header, layout.chunks, Keyring(secret=SECRET).sign)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
