"""The import hook: the process that installs it imports a mutant's modules with their mistake inside."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

from tests.mutants.mutant import Mutant


class _Loader(SourceFileLoader):
    """Compiles the mutated source, and never looks at (or writes) cached bytecode."""

    def __init__(self, fullname: str, path: str, source: str) -> None:
        super().__init__(fullname, path)
        self._source = source

    def get_code(self, fullname: str) -> CodeType:
        """The mutated module, under its own file name: tracebacks stay readable."""
        return compile(self._source, self.get_filename(fullname), "exec")


class _Finder(MetaPathFinder):
    """Finds the mutated modules before anybody else does; leaves all others alone."""

    def __init__(self, mutated: Mutant) -> None:
        self._sources = {module: mutated.source_of(module) for module in mutated.modules}
        self.used: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The usual place with our loader, or None."""
        source = self._sources.get(fullname)
        if source is None:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        assert spec is not None
        assert spec.origin is not None
        spec.loader = _Loader(fullname, spec.origin, source)
        self.used.add(fullname)
        return spec


def install(mutated: Mutant) -> set[str]:
    """Mutate this process, which must not have imported anything of trikv yet; for good.

    The set that is returned fills with the modules that were imported mutated.
    """
    early = [name for name in sys.modules if name.partition(".")[0] == "trikv"]
    assert not early, f"imported before the mutant could be: {early}"
    finder = _Finder(mutated)
    sys.meta_path.insert(0, finder)
    return finder.used
