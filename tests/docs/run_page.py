"""Runs the Python blocks of one page in order, as one module: ``run_page.py <page>``. Owns nothing but that order.

It imports nothing that a page's own ``monkey.patch_all()`` would come too late for. A traceback names the page and its
line.
"""

import sys
import types
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.docs.pages import Page, prelude


def main(path):
    page = Page(Path(path).resolve())
    module = types.ModuleType("page")
    module.__file__ = str(Path("page.py").resolve())
    sys.modules["page"] = module
    sys.path.insert(0, str(Path.cwd()))
    if page.has_prelude:
        exec(compile(prelude(), "prelude", "exec"), vars(module))
    for block in page.python():
        if block.marker != "serve":
            exec(compile("\n" * (block.line - 1) + block.text, page.name, "exec"), vars(module))


if __name__ == "__main__":
    main(sys.argv[1])
