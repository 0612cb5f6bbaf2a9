"""Settings that are right by themselves and do not go together."""

AVERAGE = dict(type='HalfLifeMovingAverage', half_life=1e3)


def test_images_of_another_shape(mistakes):
    assert mistakes({'train_dataloader.dataset.image_size': 32}) == {
        'train_dataloader.dataset': 'has images of (1, 32, 32), but image_shape of the networks is '
        '(1, 28, 28). Build both networks with image_shape=(1, 32, 32).'
    }


def test_classes_that_the_networks_lack(mistakes):
    networks = ('generator', 'discriminator')
    assert mistakes({f'model.{name}.num_classes': 5 for name in networks}) == {
        'model.generator.num_classes': 'must be at least 10, the number of classes in the data, '
        'got 5. Build both networks with num_classes=10.'
    }
    assert mistakes({f'model.{name}.num_classes': 12 for name in networks}) == {}


def test_an_average_over_other_images_than_the_batches_have(mistakes):
    assert mistakes({'model.ema': dict(AVERAGE, images_per_update=32)}) == {
        'model.ema': 'images_per_update must be the real images from one step of the generator to '
        'the next, 64 with batch_size=64, got 32. Set images_per_update=64.'
    }
    settings = {'model.ema.images_per_update': 256, 'model.discriminator_steps': 2}
    assert mistakes({**settings, 'optim_wrapper.generator.accumulative_counts': 2}) == {}
