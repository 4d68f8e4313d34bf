import subprocess
import sys

import pytest

from octavia.errors import InputError
from octavia.media.formats import FORMATS, chosen


def test_formats_are_chosen_once_each() -> None:
    assert chosen(["WAV, mp3", "wav", " opus "]) == ["wav", "mp3", "opus"]


@pytest.mark.parametrize(("given", "named"), [(["wav,aiff"], "aiff"), ([], "No audio format"), ([" , "], "No audio")])
def test_an_unknown_format_is_named_in_the_error(given: list[str], named: str) -> None:
    with pytest.raises(InputError) as refused:
        chosen(given)
    assert (refused.value.code, refused.value.field) == ("unsupported_format", "formats")
    assert named in refused.value.message
    assert all(name in refused.value.hint for name in FORMATS)


def test_requests_are_checked_without_loading_ffmpeg() -> None:
    code = "import sys, octavia.media.formats, octavia.cli.local.order; sys.exit('av' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
