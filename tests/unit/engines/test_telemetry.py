import subprocess
import sys
from pathlib import Path

from octavia import programs


def test_no_engine_writes_into_the_home_folder_or_tells_others_what_it_does(tmp_path: Path) -> None:
    # Given a user with an empty home folder, on a machine that is no build server
    spared = ("ORT_DISABLE_TELEMETRY", "CI", "XDG_CACHE_HOME", "ORT_RUNNING_UNIT_TESTS")
    environment = {name: value for name, value in programs.environment().items() if name not in spared}
    # When the library that runs voices is loaded as our engines load it
    code = "import octavia.engines.voices.session, onnxruntime; onnxruntime.SessionOptions()"
    command = [sys.executable, "-c", code]
    subprocess.run(command, env=environment | {"HOME": str(tmp_path)}, cwd=programs.FOLDER, check=True)
    # Then nothing is there
    assert list(tmp_path.rglob("*")) == []
