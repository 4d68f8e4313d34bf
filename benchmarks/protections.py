"""Count how often each protection of the translator is needed: it translates real text with and without them.

The text is Octavia's own documentation, English prose with many numbers, file names and signs, or the files named.
"""

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import ctranslate2

from octavia.catalog import Catalog, Store
from octavia.engines import load
from octavia.engines.characters import plain
from octavia.engines.literals import literals
from octavia.engines.repetition import loops
from octavia.engines.translation import names, packages, spelling
from octavia.engines.translation.numbers import numbers, survive
from octavia.engines.types import Translator
from octavia.settings import Settings
from octavia.text.sentences import segment

ROOT = Path(__file__).parents[1]
SHORTEST, LONGEST = 4, 40
"""The fewest and the most words of a sentence."""

_BLOCK = re.compile(r"^```.*?^```|<!--.*?-->", re.MULTILINE | re.DOTALL)
_NO_PROSE = re.compile(r"\s*(?:[|#>]|---)")
_MARKUP = re.compile(r"\[([^\]]*)\]\([^)]*\)|(?<!\w)[`*_]{1,3}|[`*_]{1,3}(?!\w)|^\s*(?:[-*]|\d+\.)\s+", re.MULTILINE)


def sentences(paths: Sequence[Path], most: int) -> list[str]:
    """Return up to ``most`` different sentences of Markdown or plain text, evenly from the whole."""
    found: dict[str, None] = {}
    for path in paths:
        text = _BLOCK.sub("\n\n", path.read_text(encoding="utf-8"))
        lines = ("" if _NO_PROSE.match(line) else line for line in text.splitlines())
        for paragraph in re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.)\s)", "\n".join(lines)):
            prose = " ".join(_MARKUP.sub(r"\1", paragraph).split())
            found |= {one.strip(): None for one in segment(prose, "en") if SHORTEST <= len(one.split()) <= LONGEST}
    step = max(1, len(found) // most)
    return list(found)[::step][:most]


def unprotected(path: Path, texts: Sequence[str]) -> list[str]:
    """Return the model's likeliest translations and nothing else."""
    package = packages.find(path, source="en", target="es")
    model = ctranslate2.Translator(package.location, device="cpu", compute_type="int8", intra_threads=1)
    results = model.translate_batch(
        [package.tokens.encode(plain(text)) for text in texts],
        beam_size=2,
        max_decoding_length=256,
        max_batch_size=2048,
        batch_type="tokens",
    )
    return [package.tokens.decode(result.hypotheses[0]) for result in results]


def wrong_names(translator: Translator) -> Callable[[str, str], bool | None]:
    """Return a check for names: True if one is neither copied nor translated, None if the text has none."""

    def check(text: str, translation: str) -> bool | None:
        spans = names.candidates(text, "en")
        words = [text[slice(*span)] for span in spans]
        lost = names.absent(words, translation)
        alone = translator.translate(list(lost))
        garbled = [one for one in alone if names.roots(one).isdisjoint(names.roots(translation))]
        return bool(garbled) if words else None

    return check


def wrong_numbers(text: str, translation: str) -> bool | None:
    """Return True if a number is wrong, None if the text has none."""
    return not survive(text, translation) if numbers(text) else None


def wrong_literals(text: str, translation: str) -> bool | None:
    """Return True if an address, file name, handle or tag is not there, None if the text has none."""
    found = literals(text)
    return any(translation.count(one.text) < text.count(one.text) for one in found) if found else None


def wrong_signs(translator: Translator) -> Callable[[str, str], bool | None]:
    """Return a check for signs that the vocabularies cannot spell, and words with them."""

    def check(text: str, translation: str) -> bool | None:
        spans = [*spelling.unread(text, translator), *spelling.marks(text, translator)]
        signs = {sign for span in spans for sign in text[slice(*span)] if not sign.isspace() and not sign.isascii()}
        signs |= {sign for sign in text if sign in "#&*+<=>@[]\\_{|}~"}
        return any(translation.count(sign) < text.count(sign) for sign in signs) if signs else None

    return check


def wrong_loops(text: str, translation: str) -> bool | None:
    """Return True if the translation repeats a phrase over and over."""
    return loops(translation) and not loops(text)


def main() -> None:
    """Translate the text with and without protections, and print how often each was needed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="English text; the default is the documentation")
    parser.add_argument("--most", type=int, default=600, help="The most sentences.")
    arguments = parser.parse_args()
    files = arguments.files or [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
    texts = sentences(files, arguments.most)
    path = Store.of(Settings()).path(Catalog.load(Settings()).get("en-es"))
    translator = load.translator(path, source="en", target="es", threads=1)
    alone = unprotected(path, texts)
    kept = load.keeping(translator, {}, source="en").translate(texts)
    checks: dict[str, Callable[[str, str], bool | None]] = {
        "numbers": wrong_numbers,
        "names": wrong_names(translator),
        "addresses, files, handles, tags": wrong_literals,
        "signs and foreign words": wrong_signs(translator),
        "no loops": wrong_loops,
    }
    print(f"{len(texts)} sentences")
    for name, check in checks.items():
        before = [check(text, one) for text, one in zip(texts, alone, strict=True)]
        after = [check(text, one) for text, one in zip(texts, kept, strict=True)]
        have = sum(one is not None for one in before)
        print(f"{name}: {have} have one, wrong alone {before.count(True)}, protected {after.count(True)}")


if __name__ == "__main__":
    main()
