"""All engines in one process of their own: a worker's memory."""

import subprocess
import sys
from pathlib import Path

from tests.support.models import installed

SCRIPT = """
import sys
from pathlib import Path
import numpy as np, psutil
from octavia.engines import load
from octavia.engines.cache import EngineCache

now = [0.0]
whisper, spanish, joe, kokoro = map(Path, sys.argv[1:])
cache = EngineCache(10**10, 1000, clock=lambda: now[0])
rate = 16_000

def work():
    voice = cache.get("joe", lambda: load.voice("piper", joe, voice="en_US-joe-medium", language="en", threads=1), 1)
    said = voice.synthesize("It rained all day, so we stayed at home and played cards until it was late. " * 4)
    heard = np.interp(np.arange(0, said.duration, 1 / rate), np.arange(len(said.samples)) / said.rate, said.samples)
    recognizer = cache.get("whisper", lambda: load.recognizer(whisper, threads=1), 1)
    segments = list(recognizer.transcribe(heard.astype(np.float32), language="en"))
    translator = cache.get(
        "spanish", lambda: load.translator(spanish, source="en", target="es", threads=1), 1
    )
    texts = translator.translate([segment.text for segment in segments])
    dora = cache.get("dora", lambda: load.voice("kokoro", kokoro, voice="ef_dora", language="es", threads=1), 1)
    assert dora.synthesize(texts[0]).duration > 1

work()
# Of this program alone: ru_maxrss also tells what the process that started it had, whose other tests are large.
print(int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) // 1024)
now[0] = 2000
cache.sweep()
print(psutil.Process().memory_info().rss // 2**20)
"""


def test_a_worker_with_every_engine_stays_small_and_gives_memory_back() -> None:
    # Given a process that has heard, translated and spoken with each engine
    models = [installed(name) for name in ("whisper-tiny.en", "en-es", "en_US-joe-medium", "kokoro")]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, models)],
        cwd=Path(__file__).parents[3],
        check=True,
        capture_output=True,
        text=True,
    )
    peak, idle = (int(line) for line in done.stdout.splitlines() if line.isdecimal())
    # Then it never needed more than a worker may, and little is left when they have been idle
    assert peak <= 1200
    assert idle <= 350
