"""Sphinx configuration: MyST pages, and the API from docstrings. Builds offline."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mmgan_lite import __version__

project = 'mmgan_lite'
author = 'The mmgan_lite developers'
copyright = author
release = __version__

extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx.ext.napoleon']
exclude_patterns = ['_build', 'examples']
suppress_warnings = ['config.cache']

myst_heading_anchors = 3

autodoc_default_options = {'members': True, 'show-inheritance': True}
autodoc_inherit_docstrings = False  # do not repeat the docstrings of PyTorch and MMEngine
autodoc_member_order = 'bysource'
autodoc_typehints = 'signature'
# Text before a colon in 'Returns' is prose here, not a type.
napoleon_use_rtype = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

html_theme = 'furo'
html_title = f'mmgan_lite {release}'
