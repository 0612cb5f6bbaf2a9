"""A right config, and what is wrong with it after a change."""

import pytest

import mmgan_lite
from mmgan_lite.config_validation import check_config


@pytest.fixture
def cfg():
    return mmgan_lite.get_config('gan_mlp_digits-28x28')


@pytest.fixture
def mistakes(cfg):
    """Set dotted keys, or with ``...`` delete them; what is wrong then, by where it is."""

    def check(settings):
        for key, value in settings.items():
            *path, last = key.split('.')
            place = cfg
            for name in path:
                place = place[int(name)] if name.isdigit() else place[name]
            if value is ...:
                del place[last]
            else:
                place[last] = value
        return dict(problem.split(': ', 1) for problem in check_config(cfg))

    return check
