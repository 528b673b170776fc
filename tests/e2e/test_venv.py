"""tools/venv.sh: when it makes an environment, when it leaves one alone, and what it says when it cannot."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


class Project:
    """A project of four files, and a PATH on which only stand-ins for Python are found first."""

    def __init__(self, directory: Path) -> None:
        self.root = directory / "project"
        self.bin = directory / "bin"
        (self.root / "tools").mkdir(parents=True)
        self.bin.mkdir()
        shutil.copy(ROOT / "tools" / "venv.sh", self.root / "tools")
        (self.root / "pyproject.toml").write_text("[project]\n")
        (self.root / "constraints.txt").write_text("")
        (self.root / "setup.py").write_text("")
        (self.root / "trikv" / "machine").mkdir(parents=True)
        (self.root / "trikv" / "machine" / "_runs.c").write_text("")
        for tool in ("dirname", "cat", "rm", "sh"):
            (self.bin / tool).symlink_to(shutil.which(tool) or tool)

    def python(self, *, pip: str = "exit 0", ensurepip: bool = True) -> None:
        """Put a python3 on the PATH that makes environments whose pip is the shell command `pip`."""
        made = f"#!/bin/sh\n{pip}\n"
        refuse = "" if ensurepip else '*"import ensurepip"*) exit 1 ;;\n'
        script = self.bin / "python3"
        script.write_text(
            f'#!/bin/sh\ncase "$*" in\n{refuse}'
            f"'-m venv --clear .venv') /bin/mkdir -p .venv/bin; printf '%s' '{made}' >.venv/bin/python; "
            f"/bin/chmod +x .venv/bin/python; echo made >>made ;;\n"
            f'*) exec {sys.executable} "$@" ;;\nesac\n'
        )
        script.chmod(0o755)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the script."""
        return subprocess.run(
            [self.root / "tools" / "venv.sh", *arguments],
            env={"PATH": str(self.bin), "HOME": os.environ.get("HOME", "/")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @property
    def times_made(self) -> int:
        """How often an environment was made."""
        file = self.root / "made"
        return file.read_text().count("made") if file.exists() else 0


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project without an environment."""
    return Project(tmp_path)


def test_it_is_made_once(project: Project) -> None:
    """A second run finds it up to date and says nothing."""
    project.python()
    assert project.run("--check").returncode == 3
    assert project.run().returncode == 0
    again = project.run()
    assert (again.returncode, again.stdout + again.stderr) == (0, "")
    assert project.run("--check").returncode == 0
    assert project.times_made == 1


@pytest.mark.parametrize("file", ["pyproject.toml", "constraints.txt", "setup.py", "trikv/machine/_runs.c"])
def test_a_change_of_what_it_is_made_from_makes_it_anew(project: Project, file: str) -> None:
    """The stamp holds the hash of all four files."""
    project.python()
    project.run()
    with (project.root / file).open("a") as changed:
        changed.write("# changed\n")
    assert project.run("--check").returncode == 3
    assert project.run().returncode == 0
    assert project.times_made == 2


def test_a_compiler_that_comes_later_makes_it_anew(project: Project) -> None:
    """The part in C is built then."""
    project.python()
    project.run()
    (project.bin / "cc").symlink_to("/bin/true")
    assert project.run("--check").returncode == 3


def test_it_says_that_the_part_in_c_is_missing(project: Project) -> None:
    """All works without it, and writes are slower: nobody should have to find out. An older one is gone."""
    (project.root / "trikv" / "machine" / "_runs.cpython-311.so").write_text("of an older source")
    project.python(pip='case "$*" in *_runs*) exit 1 ;; esac')
    done = project.run()
    assert done.returncode == 0
    assert done.stderr.rstrip().endswith("all works, writes are slower")
    assert not list((project.root / "trikv" / "machine").glob("*.so"))


def test_one_with_more_serves_for_less(project: Project) -> None:
    """Running the cluster after the tests does not throw the test tools away."""
    project.python()
    project.run()
    project.run("test")
    project.run()
    assert project.times_made == 2
    assert (project.root / ".venv" / "stamp").read_text().endswith(" test\n")


def test_a_failed_installation_is_not_taken_for_a_finished_one(project: Project) -> None:
    """The stamp is written last: the next run starts again."""
    project.python(pip="exit 1")
    done = project.run()
    assert done.returncode == 1
    assert "could not be installed" in done.stderr
    assert not (project.root / ".venv" / "stamp").exists()
    project.python()
    assert project.run().returncode == 0
    assert project.times_made == 2


def test_without_ensurepip_the_apt_line_is_exact(project: Project) -> None:
    """Debian's Python has venv in a package of its own, named by version."""
    project.python(ensurepip=False)
    done = project.run()
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith(f"apt-get install -y python{version}-venv")
    assert done.stderr.count("\n") == 1


def test_without_python_the_apt_line_is_given(project: Project) -> None:
    """A machine with no Python, or one too old, is told what to install."""
    done = project.run()
    assert done.returncode == 1
    assert done.stderr == "trikv: needs Python 3.11 or later: apt-get install -y python3 python3-venv\n"
