import torch

from mmgan_lite.utils.precision import without_autocast


def test_autocast_is_off_inside_and_on_again_outside():
    matrix = torch.ones(2, 2)
    with torch.autocast('cpu', torch.bfloat16):
        with without_autocast(matrix.device):
            assert (matrix @ matrix).dtype == torch.float32
        assert (matrix @ matrix).dtype == torch.bfloat16


def test_device_without_autocast_is_left_alone():
    matrix = torch.ones(2, 2, device='meta')
    with without_autocast(matrix.device):
        assert (matrix @ matrix).is_meta
