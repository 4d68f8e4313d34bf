import os
from pathlib import Path
from uuid import uuid4

import pytest

from octavia.cli.local.order import Order
from octavia.cli.local.workspace import Workspace
from octavia.errors import Conflict, InputError
from tests.support.modes import NOBODY


def order(text: str = "Hello.") -> Order:
    return Order.of("translate", text, source="en", target="es")


def test_the_same_command_takes_up_what_it_left(tmp_path: Path) -> None:
    # Given a run that was cut short
    job_id = uuid4()
    with Workspace.opened(tmp_path / "out", order(), restart=False) as workspace:
        assert workspace.job_id is None
        workspace.remember(job_id)

    # When the same command runs again, it finds its job
    with Workspace.opened(tmp_path / "out", order(), restart=False) as workspace:
        assert workspace.job_id == job_id
        workspace.clear()

    # Then, once that is over, nothing is left to take up
    with Workspace.opened(tmp_path / "out", order(), restart=False) as workspace:
        assert workspace.job_id is None
        assert not workspace.state.exists()


def test_another_command_does_not_throw_away_unfinished_work(tmp_path: Path) -> None:
    # Given an unfinished run
    with Workspace.opened(tmp_path, order(), restart=False) as workspace:
        workspace.remember(uuid4())

    # When another command is pointed at the same folder, it is refused
    with pytest.raises(Conflict) as refused, Workspace.opened(tmp_path, order("Bye."), restart=False):
        pass
    assert refused.value.code == "out_unfinished"

    # Unless the user says so
    with Workspace.opened(tmp_path, order("Bye."), restart=True) as workspace:
        assert workspace.job_id is None


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    # Given a run at work
    with Workspace.opened(tmp_path, order(), restart=False):
        # When a second one wants its folder
        with pytest.raises(Conflict) as refused, Workspace.opened(tmp_path, order(), restart=False):
            pass
        assert refused.value.code == "folder_in_use"

    # Then it has it once the first one is gone
    with Workspace.opened(tmp_path, order(), restart=False):
        pass


def test_a_folder_made_for_nothing_does_not_stay(tmp_path: Path) -> None:
    with Workspace.opened(tmp_path / "out", order(), restart=False):
        pass
    assert not (tmp_path / "out").exists()


def test_a_record_that_was_cut_short_is_no_record(tmp_path: Path) -> None:
    # Given a state folder whose record cannot be read
    (tmp_path / ".octavia").mkdir()
    (tmp_path / ".octavia" / "job.json").write_text('{"job_id": "12')

    # Then there is nothing to take up
    with Workspace.opened(tmp_path, order(), restart=False) as workspace:
        assert workspace.job_id is None


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(InputError) as refused, Workspace.opened(tmp_path / "out", order(), restart=False):
        pass
    assert refused.value.code == "folder_unusable"


def test_a_folder_with_a_name_that_is_too_long_is_refused_at_once(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match="File name too long") as refused,
        Workspace.opened(tmp_path / ("a" * 300), order(), restart=False),
    ):
        pass
    assert (refused.value.code, refused.value.hint) == ("folder_unusable", "Choose another.")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize("trap", ["folder", "link"])
def test_a_state_that_somebody_else_has_put_there_is_not_used(tmp_path: Path, trap: str) -> None:
    # Given a folder that all may write to, such as /tmp, and in it what another user hopes to read
    tmp_path.chmod(0o1777)
    state, theirs = tmp_path / ".octavia", tmp_path / "theirs"
    theirs.mkdir()
    if trap == "link":
        state.symlink_to(theirs)
    else:
        state.mkdir()
    os.chown(state, NOBODY, NOBODY, follow_symlinks=False)
    # When a run is to write there, then it does not
    with pytest.raises(InputError) as refused, Workspace.opened(tmp_path, order(), restart=True) as workspace:
        workspace.remember(uuid4())
    assert (refused.value.code, refused.value.hint) == ("folder_unusable", "Choose another folder with --out.")
    assert list(state.iterdir()) == []


def test_the_state_is_private_and_the_folder_of_results_is_the_persons(tmp_path: Path) -> None:
    # Given a umask that takes no right away
    before = os.umask(0)
    try:
        with Workspace.opened(tmp_path / "out", order(), restart=False) as workspace:
            workspace.remember(uuid4())
    finally:
        os.umask(before)
    # Then
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o777
    assert (tmp_path / "out" / ".octavia").stat().st_mode & 0o777 == 0o700
