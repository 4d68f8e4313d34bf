"""``octavia dub`` and its kin as a user runs them: a process of its own, real models, no server."""

import io
import json
import os
import signal
import subprocess
import sys
import wave
from pathlib import Path

import av
import numpy as np
import psutil
import pysubs2
import pytest

from octavia.media.decode import decode
from tests.e2e.service import SAMPLE, clip
from tests.support.film import film, packets_of
from tests.support.subtitle_rules import check_demuxed, check_hard, read
from tests.support.traps import lay_traps

pytestmark = pytest.mark.timeout(600)  # minutes, where the machine is slow and has more to do than this

# One worker: these recordings have one chunk, and each process imports for a second or two.
ALONE = {"PYTHONPATH": str(SAMPLE.parents[1]), "OCTAVIA_WORKER_SLOTS": "1"}
TEXTS = {f"{name}.{kind}" for name in ("transcript", "translation") for kind in ("txt", "json", "srt", "vtt")}

SUBTITLES = {f"{name}.{kind}" for name in ("transcript", "translation") for kind in ("ass", "ttml")} | {
    f"bilingual.{kind}" for kind in ("srt", "vtt", "ass", "ttml")
}


def octavia(
    *arguments: str | Path, cwd: Path, strict: bool = False, **options: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "octavia", *arguments],
        cwd=cwd,
        env=os.environ | ALONE | ({"PYTHONIOENCODING": "utf-8:strict"} if strict else {}),
        capture_output=True,
        text=True,
        timeout=570,
        **options,
    )


def test_a_film_becomes_text_subtitles_speech_and_a_film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a folder with files that have the names of modules, and the system's folder for temporary files
    mark, system = tmp_path / "mark", tmp_path / "system"
    lay_traps(tmp_path, mark)
    system.mkdir()
    monkeypatch.setenv("TMPDIR", str(system))
    untouched = system.stat().st_mtime_ns
    # And a film with the sample's sound
    said = np.concatenate(list(decode(SAMPLE, rate=24_000)))
    talk = tmp_path / "talk.mp4"
    talk.write_bytes(film("mp4", said=said, rate=24_000))

    # When it is dubbed into Spanish, with the original under the voice and all subtitles, and the summary asked for
    subtitles = ("--subtitles", "ass,ttml", "--bilingual", "--word-times")
    options = ("--formats", "wav,mp3", "--background", "duck", *subtitles, "--json")
    done = octavia("dub", talk, "--to", "es", "--out", "out", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr

    # Then stdout is the summary and nothing else
    summary = json.loads(done.stdout)
    assert summary["status"] == "completed"
    assert (summary["source_language"], summary["target_language"]) == ("en", "es")
    assert summary["models"]["voice"]["language"] == "es"
    assert summary["stages"]["synthesize"]["real_time_factor"] > 0

    # And the folder holds what it names, and no trace of the run
    out = tmp_path / "out"
    sounds = {"dub.wav", "dub.mp3", "dub.json"}
    assert {path.name for path in out.iterdir()} == TEXTS | SUBTITLES | sounds | {"talk.es.mp4"}
    assert {Path(file["path"]).name: file["size"] for file in summary["files"]} == {
        path.name: path.stat().st_size for path in out.iterdir()
    }

    # And the files say what was said
    assert "dashwood" in (out / "transcript.txt").read_text().lower()
    assert len(pysubs2.load(str(out / "translation.srt"))) >= 4
    assert "><c>" in (out / "transcript.vtt").read_text()
    # And the subtitles say it by the rules, in all formats and to FFmpeg too
    rows = json.loads((out / "translation.json").read_text())["utterances"]
    said = {"transcript": [row["text"] for row in rows], "translation": [row["translation"] for row in rows]}
    for format in ("srt", "vtt", "ass", "ttml"):
        for kind, texts in said.items():
            check_hard(read(format, (out / f"{kind}.{format}").read_text()), texts)
        both = read(format, (out / f"bilingual.{format}").read_text())
        check_hard(both, [line for cue in both for line in cue.lines])
        if format != "ttml":  # which FFmpeg only writes
            for kind in (*said, "bilingual"):
                check_demuxed(format, (out / f"{kind}.{format}").read_text(), tmp_path)
    with wave.open(str(out / "dub.wav")) as dub:
        assert dub.getnframes() / dub.getframerate() == pytest.approx(26.7, abs=6)

    # And the film shows the same pictures, with the dub as the first of its sounds
    result = (out / "talk.es.mp4").read_bytes()
    assert packets_of(result, 0) == packets_of(talk.read_bytes(), 0)
    with av.open(io.BytesIO(result)) as container:
        assert [stream.language for stream in container.streams.audio] == ["spa", "eng"]
        assert [stream.language for stream in container.streams.subtitles] == ["spa", "eng"]

    # And nothing beside it was run, and the system's folder is as it was
    assert not mark.exists(), mark.read_text()
    assert system.stat().st_mtime_ns == untouched


def test_workers_that_cannot_start_end_the_command_with_their_last_words(tmp_path: Path) -> None:
    # Given an installation whose workers die before they do anything
    broken = tmp_path / "lib"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(
        "import faulthandler, os\n"
        "def fail():\n"
        "    os.write(2, b'libfoo.so.3 is missing\\n')\n"
        "    os._exit(127)\n"
        "# It is the first that a worker process does.\n"
        "faulthandler.enable = fail\n"
    )
    command = [sys.executable, "-m", "octavia", "transcribe", clip(tmp_path), "--from", "en"]
    path = os.pathsep.join([str(SAMPLE.parents[1]), str(broken)])
    # When a recording is to be transcribed
    done = subprocess.run(
        [*command, "--out", "out"], cwd=tmp_path, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True
    )
    # Then the command ends, and says why
    assert done.returncode == 1, done.stderr
    assert "(workers_failing)" in done.stderr
    assert "exit code 127" in done.stderr
    assert "libfoo.so.3 is missing" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_killed_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    # Given a run in the middle of its work: what it has yet to speak takes longer than a machine stalls
    command = [sys.executable, "-m", "octavia", "dub", clip(tmp_path), "--from", "en", "--to", "es", "--out", "out"]
    environment = os.environ | {"PYTHONPATH": str(SAMPLE.parents[1])}
    running = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    assert running.stderr is not None
    seen = []
    for line in running.stderr:
        seen.append(line)
        if line.startswith("Transcribing: done"):
            break
    workers = psutil.Process(running.pid).children(recursive=True)

    # When it is killed, its workers die with it
    running.kill()
    running.wait()
    running.stderr.close()
    assert seen[-1].startswith("Transcribing: done"), seen
    assert psutil.wait_procs(workers, timeout=30)[1] == []
    assert (tmp_path / "out" / ".octavia").is_dir()
    assert not (tmp_path / "out" / "transcript.txt").exists()

    # Then the same command says that it goes on, and completes
    done = octavia(*command[3:], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Going on where the last run stopped" in done.stderr
    assert "dub.wav" in done.stdout
    assert {"transcript.srt", "dub.wav"} <= {path.name for path in (tmp_path / "out").iterdir()}
    assert not (tmp_path / "out" / ".octavia").exists()


def test_an_interrupted_run_says_how_to_go_on(tmp_path: Path) -> None:
    # Given a run that has just begun to work, and has minutes to go through
    recording = clip(tmp_path, 180)
    command = [sys.executable, "-m", "octavia", "transcribe", recording, "--out", "out"]
    environment = os.environ | {"PYTHONPATH": str(SAMPLE.parents[1])}
    running = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    assert running.stderr is not None
    assert running.stderr.readline().startswith("Preparing: done")

    # When Ctrl-C is pressed
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)

    # Then it ends in good order, with the command that goes on
    assert running.returncode == 130, said
    assert "Stopped. What is done is kept" in said
    assert f"octavia transcribe {recording} --out out" in said
    assert "Traceback" not in said


def test_what_is_no_recording_fails_and_leaves_nothing(tmp_path: Path) -> None:
    # Given a file that claims to be a video
    (tmp_path / "noise.mp4").write_bytes(bytes(range(256)) * 100)

    # When it is to be dubbed
    failed = octavia("dub", "noise.mp4", "--to", "es", "--out", "out", cwd=tmp_path)

    # Then the job fails, in two lines and with a stable code, and no folder is left
    assert failed.returncode == 1
    assert "(not_media)" in failed.stderr
    assert "hint: " in failed.stderr
    assert "Traceback" not in failed.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"noise.mp4"}


@pytest.mark.parametrize("stem", [b"a" * 246, "語".encode() * 82, b"caf\xe9"])
def test_a_name_of_any_kind_gets_results_and_silence_is_said(tmp_path: Path, stem: bytes) -> None:
    # Given a film without speech, whose name leaves no room for more or is no UTF-8, and a stdout that is strict
    talk = tmp_path / os.fsdecode(stem + b".mp4")
    talk.write_bytes(film("mp4", seconds=2.0, said=np.zeros(48_000, dtype=np.float32), rate=24_000))
    # When it is dubbed without --out
    options = ("--from", "en", "--to", "es", "--json", "--fail-on-silence")
    done = octavia("dub", talk, *options, cwd=tmp_path, strict=True)

    # Then all is written, under names that fit and keep their endings, and stdout is JSON
    summary = json.loads(done.stdout.encode())
    assert summary["status"] == "completed"
    written = [Path(file["path"]) for file in summary["files"]]
    assert sorted(tmp_path.glob("*-dub/*")) == sorted(tmp_path / path for path in written)
    assert any(path.name.endswith(".es.mp4") for path in written)
    assert all(len(os.fsencode(part)) <= 255 for path in written for part in path.parts)
    # And what went wrong is said last, and in the exit code
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "No speech was heard in the recording: the files have no words."


def test_text_is_translated_and_spoken(tmp_path: Path) -> None:
    # When a text on stdin is translated with a word of the user's own
    (tmp_path / "terms.csv").write_text("morning,madrugada")
    arguments = ["--from", "en", "--to", "es", "--out", "words", "--glossary", "terms.csv"]
    done = octavia("translate", "-", *arguments, cwd=tmp_path, input="Good morning.")
    assert done.returncode == 0, done.stderr

    # Then the translation is shown, and is in the file
    translation = (tmp_path / "words" / "translation.txt").read_text().strip()
    assert translation
    assert "madrugada" in translation
    assert translation in done.stdout

    # And without a folder, the text alone is printed, and nothing is left behind
    before = set(tmp_path.iterdir())
    done = octavia("translate", "--from", "en", "--to", "es", "--text", "Good morning.\n\nThank you.", cwd=tmp_path)
    assert done.stdout == "Buenos días.\n\nGracias.\n", done.stderr
    assert set(tmp_path.iterdir()) == before
    done = octavia("translate", "-", "--from", "en", "--to", "es", "--json", cwd=tmp_path, input="Thank you.")
    summary = json.loads(done.stdout)
    assert (summary["translation"], summary["files"]) == ("Gracias.", [])
    assert set(tmp_path.iterdir()) == before

    # And when a text is spoken, there is audio of about its length
    done = octavia("synthesize", "--language", "en", "--text", "Good morning.", "--out", "voice", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with wave.open(str(tmp_path / "voice" / "dub.wav")) as spoken:
        assert 0.4 < spoken.getnframes() / spoken.getframerate() < 4


def test_the_doctor_is_content_here(tmp_path: Path) -> None:
    done = octavia("doctor", "--json", cwd=tmp_path)
    findings = json.loads(done.stdout)
    assert done.returncode == 0, findings
    assert {finding["verdict"] for finding in findings} <= {"ok", "note"}
