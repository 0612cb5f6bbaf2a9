"""The standard deviation over a batch as a channel."""

import torch

from mmgan_lite.models.layers import MinibatchStddev


def test_matches_hand_computation():
    # Over the batch: pixel one has 0 and 2, deviation 1; pixel two has 5 and 11, deviation 3.
    features = torch.tensor([[0.0, 5.0], [2.0, 11.0]]).reshape(2, 1, 1, 2)
    out = MinibatchStddev()(features)
    torch.testing.assert_close(out[:, :1], features)
    torch.testing.assert_close(out[:, 1:], torch.full((2, 1, 1, 2), 2.0))


def test_same_images_give_0_and_a_finite_gradient():
    for num in (1, 3):
        features = torch.ones(num, 2, 4, 4, requires_grad=True)
        out = MinibatchStddev()(features)
        assert out[:, 2].max() < 1e-3
        (grad,) = torch.autograd.grad(out.square().sum(), features, create_graph=True)
        grad.square().sum().backward()
        assert features.grad.isfinite().all()


def test_bfloat16_goes_through_float32():
    features = torch.randn(8, 4, 4, 4).bfloat16()
    out = MinibatchStddev()(features)
    assert out.dtype == torch.bfloat16
    expected = features.float().std(0, unbiased=False).mean()
    torch.testing.assert_close(out[0, -1, 0, 0].float(), expected, rtol=4e-3, atol=0)


def test_groups_match_a_loop():
    """Image i is in group i mod (N / group_size); the features are averaged in two parts."""
    features = torch.randn(6, 4, 3, 2)
    out = MinibatchStddev(group_size=3, num_channels=2)(features)
    assert out.shape == (6, 6, 3, 2)
    torch.testing.assert_close(out[:, :4], features)
    for index in range(6):
        group = features[index % 2 :: 2]
        deviation = group.std(0, unbiased=False)
        expected = torch.stack([deviation[:2].mean(), deviation[2:].mean()])
        torch.testing.assert_close(out[index, 4:], expected[:, None, None].expand(2, 3, 2))


def test_group_is_the_largest_divisor_of_the_batch():
    features = torch.randn(6, 4, 3, 2)
    four, three = (MinibatchStddev(group_size=size)(features) for size in (4, 3))
    assert torch.equal(four, three)
    whole = MinibatchStddev(group_size=8)(features)
    torch.testing.assert_close(whole, MinibatchStddev()(features))
