"""tools/venv.sh: when it makes an environment, when it leaves one alone, and what it says when it cannot."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.cluster import START_S, eventually
from tests.tools import needs_of_machine, require_tool

ROOT = Path(__file__).parents[2]
SOURCES = (
    *("pyproject.toml", "constraints.txt", "setup.py"),
    *("trikv/host/_handoff.c", "trikv/machine/_bits.c", "trikv/machine/_runs.c"),
    *("trikv/machine/values/_order.c", "trikv/machine/values/_parts.c", "trikv/rdb/_lzf.c"),
)


class Project:
    """A project of a few files, and a PATH on which only stand-ins for Python are found first."""

    def __init__(self, directory: Path) -> None:
        self.root = directory / "project"
        self.bin = directory / "bin"
        (self.root / "tools").mkdir(parents=True)
        self.bin.mkdir()
        for tool in ("venv.sh", "make_venv.py"):
            shutil.copy(ROOT / "tools" / tool, self.root / "tools")
        for name in SOURCES:
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text("")
        for tool in ("readlink", "sh"):
            (self.bin / tool).symlink_to(shutil.which(tool) or tool)

    def python(self, *, pip: str = "exit 0", runs: str = "exit 0", ensurepip: bool = True) -> None:
        """Put a python3 on the PATH that makes environments with stand-ins of their own in them.

        `pip` and `runs` are shell commands: what installs, and what the import of the part in C does.
        """
        real = shlex.quote(sys.executable)
        self.script("own", f"*'-m pip install'*) {pip} ;;\n*_runs*) {runs} ;;\n*) exec {real} \"$@\" ;;")
        self.script(
            "python3",
            f"*'import ensurepip'*) exit {0 if ensurepip else 1} ;;\n"
            '\'-m venv \'*) for place in "$@"; do :; done; /bin/mkdir -p "$place/bin"; '
            f'/bin/cp {shlex.quote(str(self.bin / "own"))} "$place/bin/python"; echo made >>made ;;\n'
            f'*) exec {real} "$@" ;;',
        )

    def script(self, name: str, cases: str) -> None:
        """Put a shell script on the PATH that looks at its arguments."""
        script = self.bin / name
        script.write_text(f'#!/bin/sh\ncase "$*" in\n{cases}\nesac\n')
        script.chmod(0o755)

    @property
    def environment(self) -> dict[str, str]:
        """The PATH of stand-ins, and nothing else: not even a home."""
        return {"PATH": str(self.bin)}

    def start(self, *arguments: str, root: Path | None = None) -> "subprocess.Popen[str]":
        """Start the script in a process group of its own."""
        return subprocess.Popen(
            [(root or self.root) / "tools" / "venv.sh", *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, root: Path | None = None) -> "subprocess.CompletedProcess[str]":
        """Run the script."""
        process = self.start(*arguments, root=root)
        output, errors = process.communicate(timeout=60)
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)

    def change(self) -> None:
        """Change what the environment is made from."""
        with (self.root / "pyproject.toml").open("a") as changed:
            changed.write("# changed\n")

    @property
    def times_made(self) -> int:
        """How often an environment was begun."""
        file = self.root / "made"
        return file.read_text().count("made") if file.exists() else 0

    @property
    def environments(self) -> set[str]:
        """Names of all that are there, in force or not."""
        return {path.name for path in (self.root / ".venvs").iterdir() if path.is_dir()}

    @property
    def in_force(self) -> str:
        """The name of the one that .venv leads to."""
        return (self.root / ".venv").resolve().name


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project without an environment."""
    return Project(tmp_path)


def test_a_python_that_was_never_tried_is_named(project: Project) -> None:
    """It is taken if there is no other; the person is told, and how to find out."""
    project.python()
    (project.root / "pyproject.toml").write_text('"Programming Language :: Python :: 3.1",\n')
    done = project.run()
    assert done.returncode == 0
    version = ".".join(map(str, sys.version_info[:3]))
    assert f"trikv: it was never tried with Python {version}: './tests/run quick' tells" in done.stderr
    (project.root / "pyproject.toml").write_text(
        '"Programming Language :: Python :: {}.{}",\n'.format(*sys.version_info)
    )
    done = project.run()
    assert done.returncode == 0
    assert "never tried" not in done.stderr


def test_it_is_made_once(project: Project) -> None:
    """A second run finds it up to date and says nothing."""
    project.python()
    assert project.run("--check").returncode == 3
    assert project.run().returncode == 0
    again = project.run()
    assert (again.returncode, again.stdout + again.stderr) == (0, "")
    assert project.run("--check").returncode == 0
    assert project.times_made == 1


@pytest.mark.parametrize("file", SOURCES)
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
    project.python(runs="exit 1")
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
    """Nothing of it stays, and the next run starts again."""
    project.python(pip="exit 1")
    done = project.run()
    assert done.returncode == 1
    assert "could not be installed" in done.stderr
    assert "as it was" not in done.stderr
    assert not (project.root / ".venv").exists()
    assert project.environments == set()
    project.python()
    assert project.run().returncode == 0
    assert project.times_made == 2


def test_a_failed_installation_leaves_the_old_one(project: Project) -> None:
    """Without network for good one goes on with what there was; the person is told so."""
    project.python()
    project.run()
    before = project.in_force
    project.change()
    project.python(pip="echo no network >&2; exit 1")
    done = project.run()
    assert done.returncode == 1
    assert "no network\n" in done.stderr
    assert ".venv is left as it was; start again when they can" in done.stderr
    assert (project.in_force, project.environments) == (before, {before})
    assert (project.root / ".venv" / "bin" / "python").exists()


def test_the_first_python_on_the_path_decides_nothing(project: Project) -> None:
    """An environment whose own Python still fits is kept, and so is one whose compiler has gone since."""
    project.python()
    (project.bin / "cc").symlink_to("/bin/true")
    project.run()
    (project.bin / "cc").unlink()
    project.script("python3", "*) exit 1 ;;")
    done = project.run()
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert project.times_made == 1


def test_one_whose_own_python_is_gone_is_made_anew(project: Project) -> None:
    """After an upgrade of the system nothing in it would start."""
    project.python()
    project.run()
    (project.root / ".venv" / "bin" / "python").unlink()
    assert project.run("--check").returncode == 3
    assert project.run().returncode == 0
    assert project.times_made == 2


@pytest.mark.parametrize("moved", [False, True])
def test_a_copied_or_moved_checkout_gets_its_own(project: Project, moved: bool) -> None:  # noqa: FBT001 - drawn
    """What came along runs the code of the original, or nothing; the original keeps its own."""
    project.python()
    project.run()
    other = project.root.with_name("other place")
    if moved:
        project.root.rename(other)
    else:
        shutil.copytree(project.root, other, symlinks=True)
    assert project.run("--check", root=other).returncode == 3
    assert project.run(root=other).returncode == 0
    assert project.run("--check", root=other).returncode == 0
    assert (other / ".venv").resolve().parent == other / ".venvs"
    assert (other / "made").read_text().count("made") == 2
    if not moved:
        assert project.run("--check").returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_installation_leaves_the_old_one(project: Project, number: signal.Signals) -> None:
    """Whenever it ends and however; the next run removes what lies about."""
    project.python()
    project.run()
    before = project.in_force
    project.change()
    project.python(pip="echo >installing; exec /bin/sleep 60")
    process = project.start()
    eventually((project.root / "installing").exists, within_s=START_S, what="pip")
    os.killpg(process.pid, number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGKILL)
    if number is not signal.SIGKILL:
        assert errors.endswith("trikv: interrupted; .venv is as it was\n")
        assert project.environments == {before}
    assert project.in_force == before
    project.python()
    assert project.run().returncode == 0
    assert project.in_force != before
    assert project.environments == {project.in_force}


def test_two_runs_at_once_make_one(project: Project) -> None:
    """The second waits and says so."""
    project.python(pip="echo >installing; until [ -e go ]; do /bin/sleep 0.1; done")
    first = project.start()
    eventually((project.root / "installing").exists, within_s=START_S, what="pip")
    second = project.start()
    assert second.stderr is not None
    assert second.stderr.readline() == "trikv: another run is making .venv: waiting for it\n"
    (project.root / "go").touch()
    assert first.communicate(timeout=60)[1].count("\n") == 1
    assert second.communicate(timeout=60) == ("", "")
    assert (first.returncode, second.returncode, project.times_made) == (0, 0, 1)


def test_what_a_process_runs_from_stays(project: Project) -> None:
    """A node goes on while another environment is made and put in force, and afterwards; then it goes."""
    project.python()
    project.run()
    before = project.root / ".venvs" / project.in_force
    node = before / "bin" / "node"
    node.write_text('#!/bin/sh\nread -r line\n. "$1"\n')
    node.chmod(0o755)
    (before / "late").write_text("echo late import\n")
    running = subprocess.Popen(
        [node, before / "late"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    project.change()
    assert project.run().returncode == 0
    assert project.environments == {before.name, project.in_force}
    assert running.communicate("go\n", timeout=60)[0] == "late import\n"
    project.change()
    assert project.run().returncode == 0
    assert project.environments == {project.in_force}


@needs_of_machine(os.getuid() == 0, "only root has capabilities to give up")
def test_what_a_stronger_process_may_run_from_stays(project: Project) -> None:
    """Its memory cannot be looked at: the cluster that another user started is not robbed of its files."""
    setpriv = require_tool("setpriv")
    project.python()
    project.run()
    node = project.root / ".venv" / "bin" / "node"
    node.write_text("#!/bin/sh\nread -r line\n")
    node.chmod(0o755)
    probe = (
        "import sys; from pathlib import Path; sys.path.insert(0, 'tools'); import make_venv; "
        f"print(make_venv._is_in_use(Path('.venvs/{project.in_force}').resolve()))"
    )
    command = [setpriv, "--bounding-set=-all", "--inh-caps=-all", sys.executable, "-B", "-c", probe]
    running = subprocess.Popen([".venv/bin/node"], cwd=project.root, stdin=subprocess.PIPE)
    cmdline = Path(f"/proc/{running.pid}/cmdline")
    eventually(lambda: b"node" in cmdline.read_bytes(), within_s=START_S, what="it runs")
    try:
        answer = subprocess.run(command, cwd=project.root, stdout=subprocess.PIPE, text=True, check=True)
    finally:
        running.communicate(b"\n")
    assert answer.stdout == "True\n"


def test_one_made_by_an_earlier_version_is_replaced(project: Project) -> None:
    """That was a directory where the link is now."""
    project.python()
    (project.root / ".venv" / "bin").mkdir(parents=True)
    (project.root / ".venv" / "stamp").write_text("0123abcd test\n")
    assert project.run("--check").returncode == 3
    assert project.run().returncode == 0
    assert (project.root / ".venv").is_symlink()
    assert project.environments == {project.in_force}


@pytest.mark.parametrize("shell", [(), ("sh",), ("sh", "-eux"), ("bash", "-u"), ("bash", "--posix", "-x")])
def test_it_is_found_through_links_and_whatever_the_shell_is_told(
    project: Project, tmp_path: Path, shell: tuple[str, ...]
) -> None:
    """A link to the script, blanks in paths, CDPATH, a strange umask and directory: the checkout is found."""
    project.python()
    root = project.root.rename(tmp_path / "a  b'\"$c")
    (tmp_path / "bin dir").mkdir()
    (tmp_path / "other" / "tools").mkdir(parents=True)
    link = tmp_path / "bin dir" / "link"
    link.symlink_to(Path("..", root.name, "tools", "venv.sh"))
    if shell:
        (project.bin / "bash").symlink_to(shutil.which("bash") or "bash")
    done = subprocess.run(
        [*shell, "../bin dir/link"],
        env=project.environment | {"CDPATH": f"{tmp_path / 'other'}:..", "HOME": "/nonexistent"},
        cwd=tmp_path / "other",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        umask=0o077,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert project.run("--check", root=root).returncode == 0


def test_the_cluster_starts_from_any_path(project: Project, tmp_path: Path) -> None:
    """run_cluster.sh copied to a path with blanks and quotes, called through a link: in its own checkout.

    TRIKV_DATA is relative to where the person is, which is passed on. The environment's own path is used:
    .venv may change.
    """
    project.python()
    for tool in ("bash", "env"):
        (project.bin / tool).symlink_to(shutil.which(tool) or tool)
    shutil.copy(ROOT / "run_cluster.sh", project.root)
    (project.root / "trikv" / "__init__.py").touch()
    (project.root / "trikv" / "__main__.py").write_text(
        "import os, sys\nprint(os.getcwd(), *sys.argv[1:], os.environ['TRIKV_DATA'], sep='|')\n"
    )
    own = project.bin / "own"
    own.write_text(own.read_text().replace("*) exec", "*'-m trikv cluster'*) echo \"$0\"; exec"))
    root = project.root.rename(tmp_path / "a  b'\"$c")
    link = tmp_path / "link"
    link.symlink_to(root / "run_cluster.sh")
    done = subprocess.run(
        [link, "9000", "1 mb"],
        env=project.environment | {"TRIKV_DATA": "d", "CDPATH": "/"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    python, shown = done.stdout.splitlines()
    assert Path(python).parents[2] == root / ".venvs"
    assert shown == f"{root}|cluster|--called-from|{tmp_path}|9000|1 mb|{tmp_path / 'd'}"


@pytest.mark.parametrize("name", ["tests/run", ".ci/run"])
def test_the_checks_find_their_checkout(project: Project, tmp_path: Path, name: str) -> None:
    """Called through a link, with a CDPATH: tests/run, and .ci/run which calls it, begin in the checkout."""
    for script in ("tests/run", ".ci/run"):
        (project.root / script).parent.mkdir()
        shutil.copy(ROOT / script, project.root / script)
    (project.root / "tools" / "venv.sh").write_text('#!/bin/sh\necho "$PWD $1"\nexit 9\n')
    project.script("id", "*) echo 1 ;;")  # no administrator, who would install what is missing
    link = tmp_path / "link"
    link.symlink_to(project.root / name)
    (tmp_path / "tests").mkdir()
    done = subprocess.run(
        [link],
        env=project.environment | {"CDPATH": str(tmp_path)},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (9, f"{project.root} test\n"), done.stderr


def test_where_none_can_be_made_one_line_says_so(project: Project) -> None:
    """A read-only checkout, here a file in the way; and a path that no script could name."""
    project.python()
    (project.root / ".venvs").touch()
    done = project.run()
    assert (done.returncode, done.stderr) == (1, f"trikv: cannot make .venv in {project.root}: File exists\n")
    root = project.root.rename(project.root.with_name("broken\nline"))
    done = project.run(root=root)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "line break" in done.stderr


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
