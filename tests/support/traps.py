"""Files beside a user's recordings that have the names of modules, and leave a mark when a Python runs one of them."""

from pathlib import Path

_NAMES = (
    *("wave", "json", "logging", "typing", "shutil", "socket", "tempfile", "sitecustomize", "usercustomize"),
    *("structlog", "dramatiq", "sqlalchemy", "numpy", "av", "piper", "pip", "migrations", "rabbitmq"),
)


def lay_traps(folder: Path, mark: Path) -> None:
    """Lay them, and a folder called ``octavia``; whichever is run writes its name into ``mark`` and fails."""
    for name in _NAMES:
        code = f"open({str(mark)!r}, 'a').write({name + ' '!r}); raise ImportError('{name} is a trap')\n"
        (folder / f"{name}.py").write_text(code)
    (folder / "octavia").mkdir()
    (folder / "octavia" / "notes.txt").write_text("about the recordings")
    program = folder / "npm"
    program.write_text(f"#!/bin/sh\necho npm >>{mark}\n")
    program.chmod(0o755)
