"""When networks that grow take their next stage into use."""

from dataclasses import dataclass

from mmgan_lite.utils.validation import check_positive


@dataclass(frozen=True)
class GrowthSchedule:
    """Stages by the images seen, as in Karras et al. 2018 (PGGAN), arXiv:1710.10196.

    The first stage trains on ``stable_images``. Each further one fades in over ``fade_images`` and
    then trains on ``stable_images``; the last one trains on.

    Args:
        fade_images: Real images, of all processes, over which a stage fades in; at least 1.
        stable_images: Real images on which a stage trains before the next fades in; at least 1.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> schedule = GrowthSchedule(fade_images=100, stable_images=200)
        >>> [schedule.at(images, last_stage=2) for images in (0, 225, 350, 5000)]
        [(0, 1.0), (1, 0.25), (1, 1.0), (2, 1.0)]
        >>> schedule.images_to_grow(last_stage=2)
        600
    """

    fade_images: int
    stable_images: int

    def __post_init__(self) -> None:
        check_positive('fade_images', self.fade_images)
        check_positive('stable_images', self.stable_images)

    def at(self, images: int, last_stage: int) -> tuple[int, float]:
        """The stage, from 0 to ``last_stage``, and its share in the image after so many images."""
        if images < self.stable_images or last_stage == 0:
            return 0, 1.0
        phase, seen = divmod(images - self.stable_images, self.fade_images + self.stable_images)
        if phase >= last_stage:
            return last_stage, 1.0
        return phase + 1, min(seen / self.fade_images, 1.0)

    def images_to_grow(self, last_stage: int) -> int:
        """Images before the last stage has faded in completely."""
        return last_stage * (self.stable_images + self.fade_images)
