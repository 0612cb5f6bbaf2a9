"""Every shipped config computes the same bits as the code that the recording was made with."""

import importlib.util
import json
import math
from pathlib import Path

import pytest
import torch

_spec = importlib.util.spec_from_file_location(
    'recording_driver', Path(__file__).with_name('recording_driver.py')
)
driver = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(driver)

RECORDED = sorted(path.stem for path in driver.RECORDED.glob('*.json'))
# On a machine that computes other bits: iterations in which differences have not grown yet.
COMPARABLE = 10


@pytest.fixture(scope='session')
def canary():
    return driver.canary()


@pytest.fixture(params=RECORDED)
def name(request):
    return request.param


@pytest.fixture
def recorded(name):
    return json.loads((driver.RECORDED / f'{name}.json').read_text())


@pytest.fixture
def exact(recorded, canary):
    """Whether this machine and this torch compute the same bits as those of the recording."""
    return recorded['canary'] == canary


@pytest.fixture
def workplace(name, tmp_path, request):
    root = request.getfixturevalue('mnist_root') if driver.needs_mnist(name) else None
    with driver.workplace(tmp_path, root):
        yield


def assert_same(found, expected, exact):
    """Compare logs and digests; only the first iterations of the log unless ``exact``."""
    assert found['log'].keys() == expected['log'].keys()
    differing = [
        f'{key} of iteration {index + 1}: {value!r}, recorded {before!r}'
        for key, values in expected['log'].items()
        for index, (before, value) in enumerate(zip(values, found['log'][key], strict=True))
        if not (value == before if exact else is_near(key, index, value, before))
    ]
    assert differing == []
    if exact:
        assert {**found, 'log': None} == {**expected, 'log': None}


def is_near(key, index, value, before):
    if index >= COMPARABLE or key.startswith('health/'):
        return True
    if value is None or before is None:
        return value is before
    return math.isclose(value, before, rel_tol=1e-3, abs_tol=1e-4)


def test_this_machine_computes_the_bits_of_the_recording(canary):
    """Not a test of the package: what is skipped here is compared less strictly below."""
    for name in RECORDED:
        recorded = json.loads((driver.RECORDED / f'{name}.json').read_text())['canary']
        if recorded != canary:
            pytest.skip(
                f'torch {canary["torch"]} computes other bits on this machine than torch '
                f'{recorded["torch"]} did where {name} was recorded. Digests of trained weights '
                f'and of images are not compared, and of the logs the first {COMPARABLE} '
                'iterations, with a relative tolerance of 1e-3.'
            )


def test_every_config_is_recorded():
    """For a new config: python tests/test_training/recording_driver.py --record CONFIG."""
    assert driver.recorded_configs() == RECORDED


def test_fifty_iterations(name, recorded, exact, workplace):
    assert_same(driver.train_anew(name), recorded['training'], exact)


def test_old_checkpoint_gives_the_same_images(name, recorded, exact, tmp_path):
    with driver.workplace(tmp_path):  # needs no data, and one thread
        found = driver.draw(driver.RECORDED / f'{name}.pth')
    expected = recorded['checkpoint']
    if not exact:
        for inexact in (found, expected):
            del inexact['samples'], inexact['inferencer']['images']
        for key, mean in expected.pop('means').items():
            assert found['means'][key] == pytest.approx(mean, rel=1e-3, abs=1e-4)
        del found['means']
    assert found == expected


def test_old_checkpoint_resumes(name, recorded, exact, workplace):
    found = driver.train_on(name, driver.RECORDED / f'{name}.pth')
    assert_same(found, recorded['resumed'], exact)


@pytest.mark.parametrize(
    'other',
    [
        dict(weight=torch.tensor([1.0, -0.0]), steps=[3, (4, None)]),
        dict(weight=torch.tensor([1.0, 0.0]), steps=[3, (5, None)]),
        dict(weight=torch.tensor([[1.0, 0.0]]), steps=[3, (4, None)]),
        dict(bias=torch.tensor([1.0, 0.0]), steps=[3, (4, None)]),
        dict(weight=torch.tensor([1.0, 0.0]).view(torch.int32), steps=[3, (4, None)]),
    ],
)
def test_a_digest_depends_on_every_bit(other):
    state = dict(weight=torch.tensor([1.0, 0.0]), steps=[3, (4, None)])
    assert driver.digest(state) != driver.digest(other)
    # As torch gives a state_dict in another order, or in another memory format.
    assert driver.digest(state) == driver.digest(dict(reversed(state.items())))
    image = torch.arange(24.0).view(1, 2, 3, 4)
    last = image.to(memory_format=torch.channels_last)
    assert driver.digest(image) == driver.digest(last)
