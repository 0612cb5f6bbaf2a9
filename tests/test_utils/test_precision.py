import pytest
import torch

from mmgan_lite.models.layers import cast_features
from mmgan_lite.utils.precision import full_precision, without_autocast


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


def test_full_precision_ends_with_the_block_and_with_an_error():
    matrix = torch.ones(2, 2)

    def dtypes():
        with torch.autocast('cpu', torch.bfloat16):
            return (matrix @ matrix).dtype, cast_features(matrix, torch.bfloat16).dtype

    def tf32():
        return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32

    lower, before = dtypes(), tf32()
    assert lower == (torch.bfloat16, torch.bfloat16)
    torch.set_float32_matmul_precision('high')
    try:
        with torch.autocast('cpu', torch.bfloat16), full_precision(matrix.device):
            assert (matrix @ matrix).dtype == torch.float32
            assert cast_features(matrix, torch.bfloat16) is matrix
            assert tf32() == ('highest', False)
        with pytest.raises(KeyError), full_precision(matrix.device):
            raise KeyError
        assert torch.get_float32_matmul_precision() == 'high'
    finally:
        torch.set_float32_matmul_precision(before[0])
    assert (dtypes(), tf32()) == (lower, before)
