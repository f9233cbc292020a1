"""SciPy's sparse matrices and arrays, by the arrays of their format."""

from __future__ import annotations

from typing import Any

from ipycheckpoint.identity.registry import shapes_of
from ipycheckpoint.identity.shapes import Shape, named

_ARRAYS = {
    "csr": ("indptr", "indices", "data"),
    "csc": ("indptr", "indices", "data"),
    "bsr": ("indptr", "indices", "data"),
    "coo": ("coords", "data"),
    "dia": ("offsets", "data"),
    "lil": ("rows", "data"),
}


@shapes_of("scipy.sparse._base._spbase", "scipy.sparse._base.spmatrix", "scipy.sparse.spmatrix")
def _sparse(matrix: Any) -> Shape:
    # Not by its attributes: it keeps there what it has found out about itself (`has_sorted_indices`).
    if matrix.format == "dok":
        entries = sorted(matrix.items())
        return Shape("sparse", (b"dok",), (type(matrix), matrix.shape, matrix.dtype, entries), named(".__class__"))
    names = _ARRAYS[matrix.format]
    if names[0] == "coords" and not hasattr(matrix, "coords"):
        names = ("row", "col", "data")
    arrays = [getattr(matrix, name) for name in names]
    labels = named(".__class__", ".shape", *(f".{name}" for name in names))
    return Shape("sparse", (matrix.format.encode(),), (type(matrix), matrix.shape, *arrays), labels)
