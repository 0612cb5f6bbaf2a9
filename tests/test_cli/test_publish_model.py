"""Publishing from the command line, and drawing from what was published."""

import hashlib

import numpy as np
from safetensors.numpy import load_file


def draw(tool, *files):
    """Images and labels that ``sample`` writes."""
    out = tool.cwd / 'drawn'
    options = ('--num', 5, '--labels', 'all', '--format', 'npz', '--out', out)
    tool('sample', *files, *options)
    with np.load(out / 'samples.npz') as arrays:
        return arrays['images'], arrays['labels']


def test_published_generator_draws_the_same(tool, trained, tmp_path):
    checkpoint = trained / 'iter_2.pth'
    result = tool('publish_model', checkpoint, tmp_path)
    (path,) = tmp_path.iterdir()
    assert f'{path}: the average of the weights' in result.stdout
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert path.name == f'gan_mlp_digits-28x28_conditional_iter-2-{digest[:8]}.safetensors'
    assert all(name.startswith('generator.') for name in load_file(path))
    for found, expected in zip(draw(tool, path), draw(tool, checkpoint), strict=True):
        assert np.array_equal(found, expected)


def test_bad_arguments(tool, trained, tmp_path):
    result = tool('publish_model', trained / 'iter_2.pth', check=False)
    assert 'error: pass CHECKPOINT OUT_DIR' in result.stderr
    result = tool('publish_model', tmp_path / 'no.pth', tmp_path, check=False)
    assert "no.pth' is none. Check the path." in result.stderr
    assert list(tmp_path.iterdir()) == []
