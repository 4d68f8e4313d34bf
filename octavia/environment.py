"""The environment's variables as people and platforms write them: spaces, quotes, empty values, Kubernetes' own."""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

PREFIX: Final = "OCTAVIA_"
"""The beginning of the name of every variable that is a setting."""

# Kubernetes gives each container the addresses of the namespace's Services; those of one called "octavia" look like
# settings: OCTAVIA_PORT=tcp://10.0.0.1:8000, OCTAVIA_SERVICE_HOST, OCTAVIA_PORT_8000_TCP_ADDR …
_LINK: Final = re.compile(r"(tcp|udp|sctp)://(\[[0-9a-f:.]+\]|[0-9.]+):\d+", re.ASCII | re.IGNORECASE)
_LINK_NAME: Final = re.compile(r"(.+_)?(SERVICE_(HOST|PORT(_.+)?)|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)")

# The settings' defaults for a user without a home folder, as containers have.
_WITHOUT_HOME: Final = {
    Path("~/.local/share/octavia"): Path("/var/lib/octavia"),
    Path("~/.cache/octavia/models"): Path("/var/cache/octavia/models"),
}


class Environment(EnvSettingsSource):
    """Reads settings from the environment; a variable that is empty is not set, nor is a port that Kubernetes set."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The variable's value for a field, without spaces and quotes around it; None: it is not set."""
        value, key, is_complex = super().get_field_value(field, field_name)
        text = plain(value or "")
        unset = not text or (field_name == "port" and is_service_link(text))
        return None if unset else text, key, is_complex

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Leave lists to the settings, which read more than JSON."""
        return value


def plain(value: str) -> str:
    """Strip spaces, and the quotes that ``docker run --env-file`` leaves around a value."""
    text = value.strip()
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1].strip() if quoted else text


def parts(text: str) -> list[Any]:
    """The parts of a list: JSON, or separated by commas."""
    try:
        found = json.loads(text) if text.startswith("[") else None
    except (ValueError, RecursionError):  # an IPv6 address in brackets, or what the field's own check will refuse
        found = None
    return found if isinstance(found, list) else [part.strip() for part in text.split(",") if part.strip()]


def folder(path: Path | str) -> Path:
    """The absolute path of a folder; ``~`` at its beginning is the home folder.

    Raises ``ValueError`` if there is no home folder, and the path is no default of the settings.
    """
    path = path if isinstance(path, Path) else Path(plain(path))
    try:
        return path.expanduser().absolute()
    except RuntimeError:
        if path in _WITHOUT_HOME:
            return _WITHOUT_HOME[path]
        raise ValueError("there is no home folder; give a path that begins with /") from None


def is_service_link(value: str) -> bool:
    """Return whether a variable's value is a link of Kubernetes to a Service, such as ``tcp://10.0.0.1:8000``."""
    return _LINK.fullmatch(value.strip()) is not None


def unknown(environ: Mapping[str, str], settings: Iterable[str]) -> dict[str, str]:
    """Find the variables that look like settings and are none, each with the name that is most like it, or "".

    Parameters:
      settings: The names of all settings' variables.
    """
    known = set(settings)
    strange = [name for name in environ if name.upper().startswith(PREFIX) and name.upper() not in known]
    return {name: _nearest(name.upper(), known) for name in sorted(strange) if not _is_of_a_service(name, environ)}


def _is_of_a_service(name: str, environ: Mapping[str, str]) -> bool:
    """Return whether Kubernetes made the variable: each Service has one whose name ends in ``_SERVICE_HOST``."""
    if not _LINK_NAME.fullmatch(name.removeprefix(PREFIX)):
        return False
    return any(name.startswith(host.removesuffix("SERVICE_HOST")) for host in environ if host.endswith("_SERVICE_HOST"))


def _nearest(name: str, known: Collection[str]) -> str:
    return next(iter(get_close_matches(name, known, 1, 0.8)), "")
