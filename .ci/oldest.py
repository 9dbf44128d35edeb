"""Prints the oldest dependencies that pyproject.toml allows, as pip takes them: ``python .ci/oldest.py EXTRA…``.

torch is left as pip finds it, since its older builds for a CPU are not on PyPI.
"""

import re
import sys
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
extras = project["optional-dependencies"]
for requirement in [*project["dependencies"], *(one for name in sys.argv[1:] for one in extras[name])]:
    name, bound = re.fullmatch(r"([\w.-]+)>=([\w.]+).*", requirement).groups()
    sys.stdout.write(f"{requirement if name == 'torch' else f'{name}=={bound}'}\n")
