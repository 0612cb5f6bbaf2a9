import re

import pytest

from mmgan_lite.checkpoints.foreign import convert_checkpoint


def test_name_of_the_project_can_be_given(goldens):
    path = goldens / 'checkpoints' / 'mmagic_dcgan.pth'
    checkpoint = convert_checkpoint(path, 'mmagic', 'bgr')
    assert checkpoint['meta']['converted']['source'] == 'mmagic'
    message = re.escape(f'{str(path)!r} is no file of mmgeneration: it looks like one of mmagic')
    with pytest.raises(ValueError, match=message):
        convert_checkpoint(path, 'mmgeneration', 'bgr')
