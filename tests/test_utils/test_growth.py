from mmgan_lite.utils.growth import GrowthSchedule


def test_schedule_by_hand():
    """Stage 0 for 20 images; then twice 10 to fade in and 20 without."""
    schedule = GrowthSchedule(fade_images=10, stable_images=20)
    expected = {0: (0, 1), 19: (0, 1), 20: (1, 0), 23: (1, 0.3), 30: (1, 1), 49: (1, 1)}
    expected |= {50: (2, 0), 59: (2, 0.9), 60: (2, 1), 10**6: (2, 1)}
    assert {images: schedule.at(images, last_stage=2) for images in expected} == expected
    assert schedule.images_to_grow(last_stage=2) == 60
    assert schedule.at(0, last_stage=0) == schedule.at(99, last_stage=0) == (0, 1)
