"""What one does with a config or a trained GAN from Python; the commands are thin shells of it."""

from mmgan_lite.apis.config import check_param_scheduler
from mmgan_lite.apis.model import get_model
from mmgan_lite.apis.sampling import draw_images

__all__ = ['check_param_scheduler', 'draw_images', 'get_model']
