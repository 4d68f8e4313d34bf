"""What browsers get: libraries that nobody changed, small, and modules of ours that load nothing from elsewhere."""

import gzip
import re
from hashlib import sha256
from posixpath import dirname, join, normpath

import pytest

from octavia.api.pages.assets import FOLDER, assets, version

VENDORED = {
    "LICENSE.htm": "740725f7252e750af735d0028cc534970772f513331e9f68150fede8fb3ce00f",
    "LICENSE.preact": "1fe6958409c8c257a70c587a18b6f7f412b179b456630790d30b2ec9a8e4b7d4",
    "LICENSE.uPlot": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
    "preact-htm.js": "72284e8e9079c87817145df1110f74e8a2aa040b2fc384922e18dfcb46fc1fd7",
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
}
MOST_OF_LIBRARIES = 60_000
MOST_OF_A_PAGE = 75_000
OURS = sorted(name for name in assets() if not name.startswith("vendored/"))


def test_the_libraries_are_as_they_were_published() -> None:
    found = {path.name: sha256(path.read_bytes()).hexdigest() for path in (FOLDER / "vendored").iterdir()}
    found.pop("README.md")
    assert found == VENDORED


def test_a_page_is_small() -> None:
    # Given what goes over the wire
    libraries = sum(len(asset.compressed) for name, asset in assets().items() if name.startswith("vendored/"))
    everything = sum(len(asset.compressed) for asset in assets().values())
    # Then libraries, and all that there is, fit
    assert libraries <= MOST_OF_LIBRARIES
    assert everything <= MOST_OF_A_PAGE


def test_a_file_is_the_same_compressed() -> None:
    for name, asset in assets().items():
        assert gzip.decompress(asset.compressed) == asset.plain == (FOLDER / name).read_bytes()
    # And the same in every process: the name of them all is made of their contents
    assert re.fullmatch("[0-9a-f]{16}", version())


@pytest.mark.parametrize("name", OURS)
def test_a_module_imports_what_is_there(name: str) -> None:
    text = (FOLDER / name).read_text()
    for target in re.findall(r'(?:from|import) "([^"]+)"', text):
        assert normpath(join(dirname(name), target)) in assets(), target
    # A name that is imported and not used, or used and not imported, shows only in a browser
    for names in re.findall(r"^import \{([^}]+)\} from", text, re.MULTILINE):
        for imported in names.split(","):
            assert len(re.findall(rf"\b{re.escape(imported.strip())}\b", text)) > 1, imported


@pytest.mark.parametrize("name", OURS)
def test_a_module_names_no_other_host_and_never_reads_text_as_markup(name: str) -> None:
    text = (FOLDER / name).read_text()
    assert re.findall(r"https?://|//\w+\.\w+/", text) == []
    assert re.findall(r"(?:inner|outer|Adjacent)HTML|dangerouslySet|document\.write|\beval\(|new Function", text) == []
