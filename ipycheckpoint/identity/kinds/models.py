"""pydantic: models by their fields. Dataclasses and attrs classes are objects like any other."""

from __future__ import annotations

from typing import Any

from ipycheckpoint.identity.registry import shapes_of
from ipycheckpoint.identity.shapes import Shape, named, text


@shapes_of("pydantic.main.BaseModel", "pydantic.BaseModel")
def _model(model: Any) -> Shape:
    # Only the fields: `__dict__` also keeps what cached properties have worked out.
    known = type(model).model_fields
    fields = {name: value for name, value in sorted(vars(model).items()) if name in known}
    extra, private = model.__pydantic_extra__, getattr(model, "__pydantic_private__", None)
    parts = [type(model), extra, private, model.__pydantic_fields_set__, *fields.values()]
    labels = (".__class__", ".model_extra", ".<private>", ".model_fields_set", *(f".{name}" for name in fields))
    return Shape("pydantic model", tuple(text(name) for name in fields), parts, named(*labels))
