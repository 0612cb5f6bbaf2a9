"""Files of trainings are read whole, or refused."""

import pytest
import torch

from mmgan_lite.checkpoints import read_checkpoint


def test_a_checkpoint_comes_back_whole(tmp_path):
    torch.save(dict(state_dict=dict(weight=torch.ones(2)), meta=dict(iter=3)), tmp_path / 'a.pth')
    checkpoint = read_checkpoint(tmp_path / 'a.pth')
    assert checkpoint['meta'] == dict(iter=3)
    assert torch.equal(checkpoint['state_dict']['weight'], torch.ones(2))


def test_no_file(tmp_path):
    with pytest.raises(ValueError, match=r"checkpoint must be a file, but '.*none.pth' is none"):
        read_checkpoint(tmp_path / 'none.pth')
