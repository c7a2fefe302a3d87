# SPDX-License-Identifier: Apache-2.0
"""Completion in a real bash, set up and taken away as an operator does it; the manual page through a real troff."""
import re
import shutil
import subprocess

import pytest

from programs import PROGRAMS


def bash(home, script):
    return subprocess.run(
        ["bash", "--norc", "-c", script], capture_output=True, text=True, timeout=30,
        env={"HOME": str(home), "PATH": f"{PROGRAMS}:/usr/bin:/bin"})


def complete(home, line):
    """What bash itself makes of the words it was told to ask for."""
    script = f"""
source ~/.bashrc
COMP_LINE='{line}'
COMP_POINT=${{#COMP_LINE}}
export COMP_LINE COMP_POINT
$(complete -p spire-server | sed -E 's/^complete -C ([^ ]+) .*/\\1/' | tr -d "'")
"""
    return bash(home, script).stdout.split()


def test_bash_completes_after_installing_and_not_after_removing(tmp_path):
    (tmp_path / ".bashrc").write_text("export MINE=1\n")
    installed = bash(tmp_path, "spire-server -autocomplete-install")
    assert installed.returncode == 0, installed.stderr
    assert complete(tmp_path, "spire-server ent") == ["entry"]
    assert complete(tmp_path, "spire-server entry cr") == ["create"]
    assert complete(tmp_path, "spire-server federation create -bundleEndpointProfile ") == ["https_spiffe", "https_web"]
    assert "-authorityID" in complete(tmp_path, "spire-server localauthority jwt taint -")
    again = bash(tmp_path, "spire-server -autocomplete-install")
    assert again.returncode == 1 and "already installed" in again.stderr
    assert bash(tmp_path, "spire-server -autocomplete-uninstall").returncode == 0
    assert (tmp_path / ".bashrc").read_text() == "export MINE=1\n"


def test_the_manual_page_is_sound():
    troff = shutil.which("groff")
    if not troff:
        pytest.skip("groff is not installed")
    page = subprocess.run([PROGRAMS / "spire-server", "-man"], capture_output=True, text=True, check=True).stdout
    checked = subprocess.run(
        [troff, "-man", "-ww", "-Tutf8"], input=page, capture_output=True, text=True, check=True)
    assert checked.stderr == ""
    # A terminal's page strikes bold letters twice.
    plain = re.sub(".\x08|\x1b\\[[0-9]*m", "", checked.stdout).replace("\u2010", "-")
    for text in ["localauthority x509 taint", "-trustDomainBundleFormat", "EXIT STATUS"]:
        assert text in plain
