"""What the doctor says of the layers that confine the process that decodes."""

from dataclasses import fields, replace

import pytest

from octavia.cli.doctor.findings import Verdict
from octavia.cli.doctor.sandbox_checks import findings
from octavia.media.sandbox.layers import Layers

ALL = Layers(network_left=True, root_left=True, landlock=7, seccomp=True)


def test_each_layer_has_a_line() -> None:
    found = findings(ALL)
    assert len(found) == len(fields(Layers))
    assert {(finding.verdict, finding.remedy) for finding in found} == {(Verdict.GOOD, "")}
    assert "Landlock, version 7" in found[1].detail


@pytest.mark.parametrize("missing", [field.name for field in fields(Layers)])
def test_a_missing_layer_is_told_with_a_remedy(missing: str) -> None:
    # Given a system that lacks one layer
    found = findings(replace(ALL, **{missing: type(getattr(ALL, missing))()}))
    # Then one line says so, and how to have it
    (note,) = [finding for finding in found if finding.verdict is Verdict.NOTE]
    assert "docs/security.md" in note.remedy
