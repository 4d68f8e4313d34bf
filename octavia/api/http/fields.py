"""The fields of a request, of which clients send many that they do not use, empty or null."""

from typing import Any, Final

from pydantic import BaseModel, model_validator

_EMPTY: Final[tuple[Any, ...]] = (None, "", [""])


class Fields(BaseModel, extra="forbid"):
    """A model of fields, of which an empty one counts as not sent, unless it is required."""

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {name: value for name, value in values.items() if value not in _EMPTY or cls.matters(name, values)}

    @classmethod
    def matters(cls, name: str, values: dict[str, Any]) -> bool:
        """Return whether a field of this name counts, though it is empty; ``values``: all fields of the request."""
        field = cls.model_fields.get(name)
        return field is not None and field.is_required()
