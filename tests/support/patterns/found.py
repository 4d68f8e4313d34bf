"""Every regular expression of the tree: those that its modules hold, and those written inside its functions."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import octavia
import rabbitmq

ROOT = Path(__file__).parents[3]
PACKAGES = (octavia, rabbitmq)

_FUNCTIONS = {"match", "fullmatch", "search", "split", "findall", "finditer", "sub", "subn", "compile"}
_ANCHORED = ("match", "fullmatch")
_ANY_USE = frozenset({"search", "fullmatch"})


@dataclass(frozen=True)
class Found:
    """A pattern, its place (``octavia/urls.py: _PARTS``), and its uses: ``match``, ``fullmatch``, ``search``."""

    place: str
    pattern: re.Pattern[Any]
    uses: frozenset[str] = field(default=_ANY_USE)


@dataclass(frozen=True)
class Built:
    """A call of ``re`` inside a function whose pattern is put together there."""

    place: str


def modules() -> Iterator[ModuleType]:
    """Import and yield every module, but for the programs."""
    for package in PACKAGES:
        yield package
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not info.name.endswith("__main__"):
                yield importlib.import_module(info.name)


def path_of(module: ModuleType) -> str:
    """Return a module's path in the tree."""
    assert module.__file__
    return str(Path(module.__file__).relative_to(ROOT))


def held(module: ModuleType) -> Iterator[Found]:
    """Yield the patterns that a module's values, or its classes, hold, however deep; imported ones are of others."""
    tree = _with_parents(module)
    seen: set[int] = set()
    for name, value in vars(module).items():
        if name.startswith("__") or isinstance(value, ModuleType):
            continue
        if isinstance(value, re.Pattern) and not _assigned(tree, name):
            continue
        if getattr(value, "__module__", module.__name__) != module.__name__ and isinstance(value, type):
            continue
        for where, pattern in _within(value, name, seen):
            yield Found(f"{path_of(module)}: {where}", pattern, _uses(tree, name))


def written(module: ModuleType) -> Iterator[Found | Built]:
    """Yield the patterns that are literals in calls inside functions, and the places of those that are put together."""
    path = path_of(module)
    for function in ast.walk(_with_parents(module)):
        if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        for call in ast.walk(function):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
                continue
            if not isinstance(call.func.value, ast.Name) or call.func.value.id != "re":
                continue
            if call.func.attr not in _FUNCTIONS:
                continue
            given, place = call.args[0], f"{path}: {function.name}"
            flags = [*call.args[2:], *(keyword.value for keyword in call.keywords if keyword.arg == "flags")]
            if not isinstance(given, ast.Constant):
                yield Built(place)
                continue
            flag = eval(ast.unparse(flags[-1]), {"re": re}) if flags and _is_flag(flags[-1]) else 0
            yield Found(f"{place}: {given.value!r}", re.compile(given.value, flag), frozenset({_use(call.func.attr)}))


def top_level_calls(module: ModuleType) -> int:
    """Return the number of ``re.compile`` outside of functions: each leaves a pattern, or several, in a value."""
    return sum(
        isinstance(node, ast.Call) and ast.unparse(node.func) == "re.compile" and not _in_function(node)
        for node in ast.walk(_with_parents(module))
    )


def _in_function(node: Any) -> bool:
    while node := getattr(node, "parent", None):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            return True
    return False


def _is_flag(node: ast.expr) -> bool:
    return re.fullmatch(r"re\.[A-Z]+( \| re\.[A-Z]+)*", ast.unparse(node)) is not None


def _use(function: str) -> str:
    return function if function in _ANCHORED else "search"


def _within(value: Any, where: str, seen: set[int]) -> Iterator[tuple[str, re.Pattern[Any]]]:
    if isinstance(value, re.Pattern):
        yield where, value
        return
    if isinstance(value, (str, bytes, int, float, ModuleType)) or id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _within(one, f"{where}[{key!r:.40}]", seen)
            yield from _within(key, f"{where} key", seen)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for number, one in enumerate(value):
            yield from _within(one, f"{where}[{number}]", seen)
    elif isinstance(value, type) or type(value).__module__.partition(".")[0] in ("octavia", "rabbitmq", "linkify_it"):
        for name, one in list(getattr(value, "__dict__", {}).items()):
            if name not in ("__dict__", "__weakref__"):
                yield from _within(one, f"{where}.{name}", seen)
        for name in getattr(type(value), "__slots__", ()):
            yield from _within(getattr(value, name, None), f"{where}.{name}", seen)


@cache
def _with_parents(module: ModuleType) -> ast.Module:
    assert module.__file__
    tree = ast.parse(Path(module.__file__).read_text())
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            child.parent = node  # type: ignore[attr-defined]
    return tree


def _assigned(tree: ast.Module, name: str) -> bool:
    return any(
        isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store) for node in ast.walk(tree)
    )


def _uses(tree: ast.Module, name: str) -> frozenset[str]:
    """Return how a module uses a name; every use, if it hands the pattern on."""
    if not name.startswith("_"):
        return _ANY_USE
    uses: set[str] = set()
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)):
            continue
        parent: Any = node.parent  # type: ignore[attr-defined]
        if isinstance(parent, ast.Subscript) and parent.value is node:
            parent = parent.parent  # type: ignore[attr-defined]
        if not isinstance(parent, ast.Attribute):
            return _ANY_USE
        if parent.attr in _FUNCTIONS:
            call = parent.parent  # type: ignore[attr-defined]
            # A match from a place in the text is tried at one place after another.
            at_a_place = isinstance(call, ast.Call) and call.func is parent and len(call.args) > 1
            scans = parent.attr == "match" and at_a_place
            uses.add("search" if scans else _use(parent.attr))
        elif parent.attr != "pattern":
            return _ANY_USE
    return frozenset(uses) or _ANY_USE
