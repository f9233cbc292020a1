"""Why a goal is missed, by row: what the profiles of a row over its goal have shown."""

from __future__ import annotations

REASONS = {
    "F1": "two looks at files and one at SQLite, by which a record that another process has changed or removed"
    " is noticed, are half of it; a neighbour asks SQLite alone, and looks at no code",
    "F2": "all bytes go through BLAKE3, which nobody can make collide, and the LIMIT takes xxh3, which anybody"
    " can; [identity](identity.md) tells why that matters",
    "F3": "texts are digested one by one through the C pickler, and every column by its content, so that an"
    " equal frame is a hit; the neighbours miss on it",
    "F4": "a first look at nested data also finds out that it is plain; from the second on that is recognized",
    "F5-6": "what writes 200 MB takes what the disk has to do just then: the LIMIT tells how much; in a cold process "
    "the source of what the function reaches is parsed and compiled, to prove that it is what runs, and the touched "
    "bytes come after that; with the page cache dropped, the call itself takes 4 to 8 ms, and the rest is the first "
    "read, which has varied between 87 and 150 ms",
    "F7": "the stream is copied to private memory and verified before it is unpickled, and the columns are"
    " stored one by one, so that a frame that gains one costs only that",
    "F8": "what is loaded is verified first, byte by byte; in a cold process the source of what the function reaches "
    "is parsed besides",
    "F9": "the analysis of code, SQLite, OpenSSL's signature, dataclasses and pathlib are most of what is loaded; "
    "diskcache loads SQLite and pickle",
    "F11": "a record is signed, tells what it depended on and what it touched, and is found by the listing of every "
    "process: three quarters of the time are Python, and a tenth is SQLite's commit; a neighbour writes a pickle into "
    "a row",
    "F12": "four interpreters start on two cores, and load what a first call needs, before one of them can begin",
    "C1-2": "code, inputs and the namespace are looked at before and after, and the process's state (options,"
    " variables of the environment, generators) besides",
    "C3": "as F2",
    "C5": "what was there before is looked at, too, so that changes in place are kept; the objects' sharing"
    " with each other and with the notebook needs a pickler with its memo on",
    "G1": "no goal but growth: each function in the closure is asked for its code",
    "M1": "each item is a record of its own, signed and listed the moment that it is there",
    "M2": "each item is identified, its record's signature verified, and its use written down",
}
