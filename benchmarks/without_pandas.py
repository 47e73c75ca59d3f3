"""`arttl` as it runs where pandas is not installed: pyarrow loads it where it is, arttl does not need it, tests do."""

WITHOUT_PANDAS = """import sys
from importlib.machinery import ModuleSpec
class NotInstalled:
    def find_spec(self, name, *rest):
        return ModuleSpec(name, self, origin="none") if name == "pandas" else None
    def create_module(self, spec):
        raise ModuleNotFoundError(spec.name)
    def exec_module(self, module):
        pass
sys.meta_path.insert(0, NotInstalled())
from arttl.cli import main
main()"""
"""Code for `python -c`, before the arguments of `arttl`."""
