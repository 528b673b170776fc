"""What pyproject.toml cannot say: the parts in C are optional, so that trikv installs without a compiler."""

from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext


class BuildFresh(build_ext):
    """Leaves no object of an older source behind where the compiler fails: it would be installed."""

    def build_extension(self, extension: Extension) -> None:
        """Build it anew, or have none."""
        Path(self.get_ext_fullpath(extension.name)).unlink(missing_ok=True)
        super().build_extension(extension)


setup(
    ext_modules=[
        Extension(name, [f"{name.replace('.', '/')}.c"], optional=True)
        for name in (
            "trikv.host._handoff",
            "trikv.machine._bits",
            "trikv.machine._runs",
            "trikv.machine.values._order",
            "trikv.machine.values._parts",
            "trikv.rdb._lzf",
        )
    ],
    cmdclass={"build_ext": BuildFresh},
)
