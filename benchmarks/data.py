"""The values of the workloads, made from a seed: equal seeds give equal values, and never the same objects."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def array(seed: int, nbytes: int) -> np.ndarray[Any, Any]:
    """Floats that don't compress."""
    import numpy as np

    return np.random.default_rng(seed).random(nbytes // 8)


def frame(seed: int, rows: int) -> pd.DataFrame:
    """Numbers, truth values, words, objects, times and categories."""
    import numpy as np
    import pandas as pd

    chance = np.random.default_rng(seed)
    words = np.array([f"word-{number:05}" for number in range(5000)])
    return pd.DataFrame(
        {
            "number": chance.integers(0, 1 << 40, rows),
            "small": chance.integers(0, 100, rows).astype(np.int16),
            "weight": chance.random(rows),
            "height": chance.normal(170, 10, rows),
            "is_kept": chance.random(rows) < 0.5,
            "word": pd.Series(words[chance.integers(0, len(words), rows)].tolist()),
            "when": pd.Timestamp("2026-01-01") + pd.to_timedelta(chance.integers(0, 10**7, rows), unit="s"),
            "name": pd.Series([f"name {number}" for number in chance.integers(0, 10**6, rows).tolist()], dtype=object),
            "group": pd.Categorical.from_codes(chance.integers(0, 4, rows), ["a", "b", "c", "d"]),
        }
    )


def rebuilt(original: pd.DataFrame) -> pd.DataFrame:
    """An equal frame, made column by column: other blocks, and other objects."""
    import pandas as pd

    copy = pd.DataFrame(index=original.index)
    for name in original.columns:
        copy[name] = original[name].copy()
    return copy


def nested(seed: int, leaves: int) -> dict[str, Any]:
    """Dicts and lists of numbers and strings, as they come from JSON; no string is the same object as another."""
    chance = random.Random(seed)
    return {
        f"group-{group}": [
            {
                "id": chance.randrange(1 << 40),
                "name": f"name-{chance.randrange(10**6)}",
                "score": chance.random(),
                "tags": [f"tag-{chance.randrange(100)}", f"tag-{chance.randrange(100)}"],
                "is_kept": chance.random() < 0.5,
                "sizes": [chance.randrange(1000), chance.randrange(1000), None],
                "note": "",
            }
            for _ in range(10)
        ]
        for group in range(leaves // 100)
    }


def strings(seed: int, count: int) -> dict[str, str]:
    """A dict of strings by strings."""
    chance = random.Random(seed)
    return {f"key-{number}": f"{chance.getrandbits(200):x}" for number in range(count)}


def entry(number: int) -> dict[str, Any]:
    """One of many small dicts."""
    return {"id": number, "name": str(number), "half": number / 2, "tags": None}
