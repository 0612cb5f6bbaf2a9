"""Checks of a whole config."""

import pytest

from mmgan_lite.apis import check_param_scheduler

WRAPPERS = dict(constructor='MultiOptimWrapperConstructor', generator={}, discriminator={})
STEP = dict(type='StepLR', step_size=10)


@pytest.mark.parametrize(
    'schedulers', [None, [], STEP, [STEP], dict(generator=[STEP], discriminator=STEP)]
)
def test_what_fits_passes(schedulers):
    check_param_scheduler(dict(optim_wrapper=WRAPPERS, param_scheduler=schedulers))


def test_missing_network():
    message = r"param_scheduler has no entry for 'discriminator' \(found: 'generator'\)\. Add"
    with pytest.raises(ValueError, match=message):
        check_param_scheduler(dict(optim_wrapper=WRAPPERS, param_scheduler=dict(generator=[STEP])))


def test_unknown_network():
    schedulers = dict(generator=STEP, discriminator=STEP, critic=STEP)
    message = r"entry for 'critic', but optim_wrapper trains 'generator', 'discriminator'"
    with pytest.raises(ValueError, match=message):
        check_param_scheduler(dict(optim_wrapper=WRAPPERS, param_scheduler=schedulers))
