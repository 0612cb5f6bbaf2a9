"""Work dirs with the files that MMEngine writes."""

import json

import pytest
from PIL import Image

LOG_HEAD = """2026/11/25 04:39:09 - mmengine - INFO -{space}
------------------------------------------------------------
System environment:
    sys.platform: linux
    PyTorch compiling details: PyTorch built with:
  - GCC 13.3

    MMEngine: 0.10.7

Runtime environment:
    seed: 0
------------------------------------------------------------

2026/11/25 04:39:10 - mmengine - WARNING - Something is odd.
2026/11/25 04:39:11 - mmengine - WARNING - Something is odd.
2026/11/25 04:39:12 - mmengine - ERROR - It broke:
in two lines
2026/11/25 04:39:13 - mmengine - INFO - {last}
"""

PROTOCOL = dict(
    extractor='pixels',
    extractor_sha256='ab' * 32,
    num_features=4,
    num_fakes=1000,
    weights='EMA',
    real_data='Noise test',
    num_reals=500,
    floor='halves of 250',
)


class WorkDir:
    """Writes files of a training."""

    def __init__(self, path):
        self.path = path
        path.mkdir(exist_ok=True)

    def scalars(self, start, *lines):
        """Lines of ``scalars.json``: dicts, or raw text."""
        path = self.path / start / 'vis_data' / 'scalars.json'
        path.parent.mkdir(parents=True, exist_ok=True)
        raw = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        path.write_text('\n'.join(raw))
        return self

    def train(self, start, steps, **values):
        """Training lines with the same values at each step."""
        return self.scalars(start, *[dict(values, iter=step, step=step) for step in steps])

    def log(self, start, last='end', head=LOG_HEAD):
        (self.path / start).mkdir(parents=True, exist_ok=True)
        text = head.format(space=' ', last=last)
        (self.path / start / f'{start}.log').write_text(text)
        return self

    def config(self, start, text):
        path = self.path / start / 'vis_data' / 'config.py'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return self

    def evaluate(self, start, iteration, value, checkpoint=None, **protocol):
        (self.path / start).mkdir(parents=True, exist_ok=True)
        entry = dict(
            loop='test' if iteration is None else 'val',
            iteration=iteration,
            checkpoint=checkpoint,
            scores={'FID[pixels]': dict(value=value, real_score=0.25, settings=dict(k=3))},
            protocol={**PROTOCOL, **protocol},
        )
        with (self.path / start / 'evaluations.jsonl').open('a') as file:
            file.write(json.dumps(entry) + '\n')
        return self

    def grids(self, *iterations, size=(8, 8)):
        folder = self.path / 'samples'
        folder.mkdir(exist_ok=True)
        Image.new('RGB', size, (200, 10, 10)).save(folder / 'real.png')
        for iteration in iterations:
            image = Image.new('RGB', size, (iteration % 256,) * 3)
            image.save(folder / f'samples_iter-{iteration:08d}.png')
        return self


@pytest.fixture
def work_dir(tmp_path):
    return WorkDir(tmp_path / 'some_run')


@pytest.fixture
def make_work_dir(tmp_path):
    return lambda name: WorkDir(tmp_path / name)
