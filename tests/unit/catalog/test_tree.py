import hashlib
from pathlib import Path

from octavia.catalog import tree


def test_the_digest_is_over_sorted_names_sizes_and_contents(tmp_path: Path) -> None:
    # Given a folder with files at two levels, a cache and the store's manifest
    (tmp_path / "voices").mkdir()
    (tmp_path / "voices" / "b.bin").write_bytes(b"two")
    (tmp_path / "a.onnx").write_bytes(b"one")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "x.pyc").write_bytes(b"x")
    (tmp_path / tree.MANIFEST).write_text("{}")
    # When it is scanned
    files = tree.scan(tmp_path)
    # Then only the model's own files count, and anyone can compute the digest with sha256sum
    one, two = (hashlib.sha256(text).hexdigest() for text in (b"one", b"two"))
    lines = f"{one}  3  a.onnx\n{two}  3  voices/b.bin\n"
    assert tree.digest(files) == hashlib.sha256(lines.encode()).hexdigest()
    assert tree.digest(reversed(files)) == tree.digest(files)


def test_patterns_choose_the_files(tmp_path: Path) -> None:
    for name in ("model.bin", "README.md", "shared_vocabulary.json"):
        (tmp_path / name).write_text(name)
    assert list(tree.names(tmp_path, ["model.bin", "*vocabulary.*"])) == ["model.bin", "shared_vocabulary.json"]


def test_any_change_changes_the_digest(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    before = tree.digest(tree.scan(tmp_path))
    (tmp_path / "a").write_bytes(b"2")
    changed = tree.digest(tree.scan(tmp_path))
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "a").rename(tmp_path / "b")
    assert len({before, changed, tree.digest(tree.scan(tmp_path))}) == 3
