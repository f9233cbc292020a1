"""What can't be run here: knitr, which is for R. Each answer has the document that it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.features.scene import Word

TOOL = "knitr"

_BOOK = "https://bookdown.org/yihui/rmarkdown-cookbook/cache.html"
_OPTIONS = "https://github.com/quarto-dev/quarto-cli/blob/main/src/resources/schema/cell-cache.yml"
_AUTODEP = "https://rdrr.io/cran/knitr/man/dep_auto.html"
_CHAPTER = "https://www.taylorfrancis.com/chapters/mono/10.1201/9781315382487-8/cache-yihui-xie"

_CHUNKS = "a chunk that depends on another cached chunk runs again with it, where `autodep` or `dependson` says so"


@dataclass(frozen=True)
class Citation:
    """An answer, and where it stands."""

    word: Word
    why: str
    source: str


ANSWERS: dict[str, Citation] = {
    "restart": Citation("yes", "objects are loaded from the databases of the previous run", _BOOK),
    "both": Citation("partly", "keeps chunks of a document", _BOOK),
    "own-code": Citation("yes", "an edit of the chunk's code or options runs it again", _BOOK),
    "helper": Citation("partly", _CHUNKS, _AUTODEP),
    "global-value": Citation("partly", _CHUNKS, _AUTODEP),
    "file-read": Citation("partly", "where a chunk option such as `cache.extra` holds the file's checksum", _BOOK),
    "comment": Citation(
        "partly", "the option `cache.comments` says whether a comment counts; any other edit does", _OPTIONS
    ),
    "taken-back": Citation("no", "the old files of a chunk are replaced by the new ones", _CHAPTER),
    "printed": Citation("yes", "the output of the chunk is loaded as if it were executed again", _BOOK),
}
