"""Chosen messages of one logger are left out, for a while."""

import logging

import pytest
from mmengine.optim import OptimWrapper
from mmengine.runner import IterBasedTrainLoop

from mmgan_lite.utils.log_filters import BATCHES_LOADED, GRADIENTS_LOST, UntrueWarnings


@pytest.fixture
def logger(caplog):
    logger = logging.getLogger('test_untrue_warnings')
    caplog.set_level(logging.WARNING, logger=logger.name)
    return logger


def test_only_these_and_only_for_a_while(logger, caplog):
    silenced = UntrueWarnings()
    silenced.begin(logger, [BATCHES_LOADED])
    silenced.begin(logger, [GRADIENTS_LOST])  # a second time begins anew
    assert logger.filters == [silenced]
    logger.warning(f'{GRADIENTS_LOST} and so on')
    logger.warning(f'not at the beginning: {GRADIENTS_LOST}')
    logger.warning(f'{BATCHES_LOADED}5 steps')
    logging.getLogger('another').warning(f'{GRADIENTS_LOST} of another')
    silenced.end()
    silenced.end()
    logger.warning(f'{GRADIENTS_LOST} again')
    assert caplog.messages == [
        f'not at the beginning: {GRADIENTS_LOST}',
        f'{BATCHES_LOADED}5 steps',
        f'{GRADIENTS_LOST} of another',
        f'{GRADIENTS_LOST} again',
    ]


@pytest.mark.parametrize(
    ('function', 'text'),
    [
        (OptimWrapper.initialize_count_status, GRADIENTS_LOST),
        (IterBasedTrainLoop.run, BATCHES_LOADED),
    ],
)
def test_mmengine_says_these_words(function, text):
    constants = [c for c in function.__code__.co_consts if isinstance(c, str)]
    assert any(constant.startswith(text) for constant in constants)
