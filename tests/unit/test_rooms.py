"""The rooms of the house: imports follow the arrows of pyproject.toml, and each room is entered by its face.

The arrows are contracts of import-linter, in ``[tool.importlinter]``. A face is the ``__all__`` of a package.
"""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
OCTAVIA = ROOT / "octavia"
PACKAGES = sorted(path.parent for path in OCTAVIA.rglob("__init__.py"))
# Folders of tests that are named by what they put together, not by a room.
SCENARIOS = {"faults", "chaos", "deploy", "monitoring", "rabbitmq"}


def lint_imports(folder: Path) -> "subprocess.CompletedProcess[str]":
    """Check the contracts of the ``octavia`` that lies in a folder."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "NO_COLOR": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )


def test_imports_follow_the_arrows() -> None:
    checked = lint_imports(ROOT)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the sources and the contracts, to break."""
    shutil.copytree(OCTAVIA, tmp_path / "octavia", ignore=lambda _, names: [n for n in names if not is_source(n)])
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def is_source(name: str) -> bool:
    """True for folders and Python files: nothing else matters to imports."""
    return "." not in name or name.endswith(".py")


def test_imports_against_an_arrow_are_found(house: Path) -> None:
    # Given modules that import others above them or beside them, be it only inside a function
    broken = {
        "engines/types.py": "octavia.jobs.tables.states",
        "engines/recognition/whisper.py": "octavia.engines.voices.piper",
        "media/probe.py": "octavia.settings",
        "media/decode.py": "starlette",
        "text/words.py": "octavia.engines.types",
        "jobs/tables/states.py": "octavia.jobs.protocol.claims",
        "jobs/access/keys.py": "octavia.jobs.lifecycle.submit",
        "api/http/problems.py": "octavia.api.resources.jobs",
        "api/context.py": "octavia.api.http.problems",
        "api/assembly.py": "octavia.worker.supervisor",
        "brokers/rabbit.py": "octavia.broker",
        "client/calls.py": "octavia.settings",
        "cli/console.py": "octavia.cli.local.execute",
        "errors.py": "octavia.settings",
    }
    for module, imported in broken.items():
        path = house / "octavia" / module
        path.write_text(f"{path.read_text()}\n\ndef later():\n    import {imported}\n")
    # When
    checked = lint_imports(house)
    # Then each is named
    assert checked.returncode == 1, checked.stdout + checked.stderr
    arrows = [f"octavia.{m.removesuffix('.py').replace('/', '.')} -> {imported}" for m, imported in broken.items()]
    assert [arrow for arrow in arrows if arrow not in checked.stdout] == []


def test_a_circle_between_neighbours_is_found(house: Path) -> None:
    # Given two modules of one room that import each other
    cues, cueing = house / "octavia" / "subtitles" / "cues.py", house / "octavia" / "subtitles" / "cueing.py"
    assert "octavia.subtitles.cueing" in cues.read_text()
    cueing.write_text(f"{cueing.read_text()}\nimport octavia.subtitles.cues\n")
    # When
    checked = lint_imports(house)
    # Then
    assert checked.returncode == 1
    assert "No cycles are allowed in octavia.subtitles." in checked.stdout


def test_rooms_are_entered_by_their_faces() -> None:
    graph = grimp.build_graph("octavia", cache_dir=None)
    around = sorted(
        complaint
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
        for complaint in entered_elsewhere(importer, imported)
    )
    assert not around, "\n".join(around)


def test_an_entry_that_is_no_face_is_found() -> None:
    # Given a room whose face does not list a module
    hidden = next(
        path for path in (OCTAVIA / "subtitles").glob("[a-z]*.py") if path.stem not in face("octavia.subtitles")
    )
    imported = f"octavia.subtitles.{hidden.stem}"
    # Then others may not import it, and the room itself may
    assert list(entered_elsewhere("octavia.api.resources.results", imported))
    assert not list(entered_elsewhere("octavia.subtitles.cues", imported))


def entered_elsewhere(importer: str, imported: str) -> Iterator[str]:
    """Complaints about each face that an import passes by, on its way into another room from outside of it."""
    here, there = importer.split("."), imported.split(".")
    for depth in range(2, len(there)):
        room = there[:depth]
        if here[:2] == there[:2] or not OCTAVIA.parent.joinpath(*room).is_dir():
            continue
        if there[depth] not in face(".".join(room)):
            yield f"{importer} imports {imported}: __all__ of {'.'.join(room)} does not list {there[depth]}"


def face(package: str) -> list[str]:
    """What a package lists in ``__all__``."""
    tree = ast.parse(OCTAVIA.parent.joinpath(*package.split("."), "__init__.py").read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            names: list[str] = ast.literal_eval(node.value)
            return names
    return []


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_says_what_it_is_for(package: Path) -> None:
    tree = ast.parse((package / "__init__.py").read_text())
    said = [line for line in (ast.get_docstring(tree) or "").splitlines() if line.strip()]
    assert len(said) >= 2 or package == OCTAVIA, "say what the room is for, what it may know and where to begin"
    names = face(".".join(package.relative_to(ROOT).parts))
    assert names or package == OCTAVIA, "list its public names in __all__"
    defined = {name for node in tree.body for name in bound(node)}
    for name in names:
        there = name in defined or (package / f"{name}.py").exists() or (package / name / "__init__.py").exists()
        assert there, f"{name} is listed, and is neither defined nor a module"


def bound(node: ast.stmt) -> Iterator[str]:
    """The names that a statement of a module binds."""
    if isinstance(node, ast.ImportFrom):
        yield from (alias.asname or alias.name for alias in node.names)
    elif isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        yield from (target.id for target in targets if isinstance(target, ast.Name))


@pytest.mark.parametrize("kind", ["unit", "integration"])
def test_tests_mirror_the_rooms(kind: str) -> None:
    folder = ROOT / "tests" / kind
    rooms = {path.parent.relative_to(folder) for path in folder.rglob("test_*.py")}
    unknown = {room for room in rooms if room.parts[:1] != () and room.parts[0] not in SCENARIOS}
    assert not [str(room) for room in unknown if not (OCTAVIA / room).is_dir()]
