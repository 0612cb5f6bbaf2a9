"""The state of a training in a checkpoint; tests/test_training resumes complete trainings."""

import logging
from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmengine.runner import IterBasedTrainLoop
from torch import nn

from mmgan_lite.engine.resume import training_state
from mmgan_lite.engine.resume.training_state import (
    BATCHES_LOADED,
    GRADIENTS_LOST,
    fit_weights,
    model_device,
    untrue_warnings,
)
from mmgan_lite.models import AdaptiveAugment


@pytest.fixture
def runner():
    return SimpleNamespace(
        model=nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)),
        logger=logging.getLogger('test'),
        _resume=True,
        _load_from='a.pth',
    )


def test_equal_weights_pass(runner):
    fit_weights(runner, runner.model.state_dict())


def test_a_resumed_training_needs_all(runner):
    found = runner.model.state_dict()
    found['0.weight'] = torch.zeros(4, 2)
    message = r"resume must be given .* 1 weights of 'a.pth' differ in name or shape: 0.weight"
    with pytest.raises(ValueError, match=message):
        fit_weights(runner, found)


def test_a_training_may_begin_with_a_part(runner, caplog):
    runner._resume = False
    own, found = runner.model[0].weight.detach().clone(), runner.model.state_dict()
    found['0.weight'] = torch.arange(8.0).reshape(4, 2)[:, :1]
    del found['1.bias']
    found['2.weight'] = torch.zeros(1)
    fit_weights(runner, found)
    runner.model.load_state_dict(found)
    # The first of two columns is the checkpoint's.
    assert runner.model[0].weight.tolist() == [[0, own[0, 1]], [2, own[1, 1]], [4, own[2, 1]]]
    assert caplog.messages == [
        "5 of 7 weights of this model are taken from 'a.pth'. The others:\n"
        '  partly: 0.weight 3x2 from 4x1\n  new: 1 (1)\n  not used: 2 (1)'
    ]


@pytest.mark.parametrize(('resume', 'expected'), [(True, 0.5), (False, 0.25)])
def test_the_strength_of_an_augmentation_is_that_of_the_config(runner, resume, expected):
    runner._resume = resume
    runner.model = nn.ModuleDict(dict(net=nn.Linear(2, 3), augmentation=AdaptiveAugment(p=0.25)))
    found = runner.model.state_dict() | {'augmentation.p': torch.tensor(0.5)}
    fit_weights(runner, found)
    assert found['augmentation.p'] == expected


def test_a_count_is_no_weight_that_fits(runner):
    runner._resume = False
    found = {'1.num_batches_tracked': torch.tensor(3)}
    with pytest.raises(ValueError, match=r'load_from must be given .* Set it to a checkp'):
        fit_weights(runner, found)


def test_device(runner):
    assert model_device(runner) == torch.device('cpu')


@pytest.mark.parametrize(('world_size', 'lost'), [(1, False), (2, True)])
def test_warnings_of_mmengine_that_are_untrue(runner, monkeypatch, world_size, lost):
    monkeypatch.setattr(training_state, 'get_world_size', lambda: world_size)
    runner.train_dataloader = SimpleNamespace(dataset=[])
    untrue = untrue_warnings(runner, dict(processes=[{}]))
    assert untrue == ([BATCHES_LOADED] if lost else [GRADIENTS_LOST, BATCHES_LOADED])


@pytest.mark.parametrize(
    ('function', 'text'),
    [
        (OptimWrapper.initialize_count_status, GRADIENTS_LOST),
        (IterBasedTrainLoop.run, BATCHES_LOADED),
    ],
)
def test_mmengine_warns_in_these_words(function, text):
    constants = [c for c in function.__code__.co_consts if isinstance(c, str)]
    assert any(constant.startswith(text) for constant in constants)
