"""Checks of the project itself: its lock, its documents and what is in the repository."""

import re
import stat
import subprocess
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from octavia.settings import Settings
from scripts import lock, metrics_table, settings_table

ROOT = Path(__file__).parents[2]
# Spelled so that this file does not hold them.
REGISTRY_HOSTS = [
    ".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("npmjs", "com"))
]


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


def test_the_lock_holds() -> None:
    assert list(lock.problems(lock.project_requirements(), lock.read())) == []


def test_a_lock_that_does_not_hold_says_why() -> None:
    # Given a lock with an old version of one package, and without another
    locked = lock.read()
    locked["typer"] = "0.1"
    del locked["rich"]

    # Then each is named
    found = "\n".join(lock.problems(lock.project_requirements(), locked))
    assert "typer is locked at 0.1" in found
    assert "asks for typer" in found
    assert "rich is in pyproject.toml and not in the lock" in found


@pytest.mark.parametrize("line", ["typer", "typer>=1", "--index-url=x", "typer==1 --hash=y"])
def test_the_lock_has_names_and_versions_only(tmp_path: Path, line: str) -> None:
    path = tmp_path / "requirements.lock"
    path.write_text(f"{line}\n")
    with pytest.raises(ValueError, match="name==version"):
        lock.read(path)


def test_every_import_is_declared() -> None:
    # Given what the package and its neighbours import from elsewhere
    imported = set()
    for folder in ("octavia", "migrations", "rabbitmq"):
        for path in (ROOT / folder).rglob("*.py"):
            imported |= set(re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(), re.MULTILINE))
    distributions = packages_distributions()
    needed = {canonicalize_name(name) for module in imported for name in distributions.get(module, [])[:1]}

    # Then pyproject.toml asks for each by name, and does not rely on others to bring it
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = project["dependencies"] + [line for lines in project["optional-dependencies"].values() for line in lines]
    declared = {canonicalize_name(Requirement(line).name) for line in lines}
    assert needed - declared == set()


@pytest.mark.parametrize("package", ["octavia", "rabbitmq"])
def test_an_installed_package_has_all_its_files(package: str) -> None:
    # Given what setuptools is told to take beside the modules
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"][package]
    taken = {path for pattern in patterns for path in (ROOT / package).glob(pattern)}

    # Then no file of the repository is left out
    files = {path for path in tracked() if path.is_relative_to(ROOT / package) and path.suffix != ".py"}
    assert files - taken == set()


def test_nothing_was_committed_by_mistake() -> None:
    assert [path.name for path in tracked() if path.suffix in (".log", ".tgz", ".whl", ".part", ".db")] == []


def test_no_registry_is_named_in_the_repository() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {host}"
        for path in tracked()
        if path.stat().st_size < 1_000_000
        for host in REGISTRY_HOSTS
        if host.encode() in path.read_bytes()
    ]
    assert found == []


def test_every_setting_is_documented() -> None:
    # Given the page of settings, then its table is the one that the settings give today
    text = settings_table.PAGE.read_text()
    assert settings_table.page(text) == text, "run `make docs`"
    assert all(field.description for field in Settings.model_fields.values())


def test_every_metric_is_documented() -> None:
    # Given the page of metrics, then its table is the one that the declarations give today
    text = metrics_table.PAGE.read_text()
    assert metrics_table.page(text) == text, "run `make docs`"


def documents() -> list[Path]:
    return [path for path in tracked() if path.suffix == ".md"]


def text_lines(page: Path) -> list[tuple[int, str]]:
    """The lines of a page outside tables and code blocks, with their numbers."""
    found, in_code = [], False
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if line.lstrip().startswith("```"):
            in_code = not in_code
        elif not in_code and not line.lstrip().startswith("|"):
            found.append((number, line))
    return found


def anchors(page: Path) -> set[str]:
    """The names by which links reach the headings of a page."""
    headings = [line.lstrip("#").strip() for _, line in text_lines(page) if line.startswith("#")]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for page in documents():
        for link in re.findall(r"\]\(([^):]+)\)", page.read_text()):
            target, _, anchor = link.partition("#")
            path = page.parent / target if target else page
            if not path.exists() or (anchor and anchor not in anchors(path)):
                broken.append(f"{page.relative_to(ROOT)}: {link}")
    assert broken == []


def test_modules_and_tests_that_documents_name_exist() -> None:
    # Given the paths below octavia/, and the tests, which some pages name without the first folders
    files = [str(path.relative_to(ROOT)) for path in tracked()]
    named = re.compile(r"(?<![\w/.])octavia/[\w./-]*\w|\b(?:\w+/)+test_\w+\.py")

    # Then each is the path of a file or a folder, or the end of one
    missing = [
        f"{page.relative_to(ROOT)}: {name}"
        for page in documents()
        for name in named.findall(page.read_text())
        if not (ROOT / name).exists() and not any(file.endswith(f"/{name}") for file in files)
    ]
    assert missing == []


def test_lines_of_documents_are_short() -> None:
    pages = [page for page in documents() if not page.is_relative_to(ROOT / "octavia")]
    long = [
        f"{page.relative_to(ROOT)}:{number} has {len(line)} columns"
        for page in pages
        for number, line in text_lines(page)
        if len(line) > 120
    ]
    assert long == []


def test_make_lists_every_target() -> None:
    # When make is run without a target
    shown = subprocess.run(["make"], cwd=ROOT, check=True, capture_output=True, text=True).stdout

    # Then the targets that the project promises are listed, each with what it does
    listed = dict(re.findall(r"^  make (\S+) +(\S.*)$", shown, re.MULTILINE))
    workers = {"worker", "worker-transcribe", "worker-translate", "worker-synthesize"}
    assert {"help", "demo", "test", "lint", "serve", "scheduler", "rabbitmq", "up", "down", "bench"} <= listed.keys()
    assert workers <= listed.keys()


def test_scripts_can_be_run() -> None:
    for name in (".ci/run", "scripts/demo", "scripts/step", "scripts/system-packages", "scripts/venv"):
        assert (ROOT / name).stat().st_mode & stat.S_IXUSR, name
        subprocess.run(["bash", "-n", ROOT / name], check=True)


def test_a_step_says_what_failed(tmp_path: Path) -> None:
    # When a step fails
    step = [ROOT / "scripts" / "step", tmp_path / "step.log", "Trying"]
    failed = subprocess.run([*step, "sh", "-c", "echo the reason; exit 3"], capture_output=True, text=True)

    # Then its exit code and the end of its output are shown
    assert failed.returncode == 3
    assert failed.stdout.startswith("Trying … failed (exit 3)")
    assert "the reason" in failed.stdout

    # And when it does not, one line is all
    done = subprocess.run([*step, "echo", "chatter"], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"Trying … done in \d+ s\n", done.stdout)
