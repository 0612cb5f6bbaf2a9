"""All metadata is in setup.cfg; here is only what must run: the wheel carries configs and tools.

``mim`` looks for them in ``mmgan_lite/.mim``. A wheel gets copies there, made in the build folder;
an editable install gets links beside the code.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

REPO = Path(__file__).resolve().parent
CARRIED = ('configs', 'tools', 'model-index.yml')


class BuildWithConfigs(build_py):
    """Build the package, and put what ``mim`` needs into its folder ``.mim``."""

    def run(self) -> None:
        """Build, then copy or link."""
        super().run()
        package = REPO if self.editable_mode else Path(self.build_lib)
        folder = package / 'mmgan_lite' / '.mim'
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in CARRIED:
            source, target = REPO / name, folder / name
            if self.editable_mode:
                target.symlink_to(source, target_is_directory=source.is_dir())
            elif source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns('__pycache__'))
            else:
                shutil.copyfile(source, target)


setup(cmdclass={'build_py': BuildWithConfigs})
