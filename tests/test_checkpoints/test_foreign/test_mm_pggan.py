import pytest

from mmgan_lite.checkpoints.foreign.mm_pggan import channel_limits
from mmgan_lite.models import PGGANGenerator


@pytest.mark.parametrize(('base', 'most'), [(8192, 512), (128, 16), (100, 12), (64, 64)])
def test_limits_of_channels_give_the_same_network(base, most):
    widths = PGGANGenerator(4, (3, 64, 64), base, most).widths
    found = channel_limits(widths, [2 << stage for stage in range(len(widths))])
    assert PGGANGenerator(4, (3, 64, 64), *found).widths == widths
