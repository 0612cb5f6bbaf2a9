"""Any network as an extractor."""

from torch import Tensor, nn

from mmgan_lite.evaluation.extractors.base import Extracted, FeatureExtractor, state_fingerprint
from mmgan_lite.registry import MODELS, build_part
from mmgan_lite.utils.image_batch import join_columns


@MODELS.register_module()
class ModuleExtractor(FeatureExtractor):
    """Extracts features by a module that returns features, or features and logits.

    Args:
        module: A config or a built module. It is called with float32 images ``(N, C, H, W)`` in
            [-1, 1], and returns features ``(N, F)``, or a pair of them and logits ``(N, K)``. It
            is set to eval mode and float32, without gradients.
        name: Part of the name of each score, as in ``FID[name]``.

    Raises:
        ValueError: If ``module`` is no module, or ``name`` is empty.

    Example:
        >>> import torch
        >>> extractor = ModuleExtractor(nn.Flatten(), name='pixels')
        >>> extractor(torch.tensor([[[[0, 255]]]], dtype=torch.uint8)).features
        tensor([[-1.,  1.]])
    """

    def __init__(self, module: dict | nn.Module, name: str) -> None:
        super().__init__()
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"name must not be empty, got {name!r}. Pass name='my-net'.")
        module = build_part(MODELS, module, 'module')
        if not isinstance(module, nn.Module):
            raise ValueError(f'module must be an nn.Module, got {type(module).__name__}. Wrap it.')
        self.name = name
        self.module = module
        self.freeze()
        self.fingerprint = state_fingerprint(module)

    def forward(self, images: Tensor) -> Extracted:
        """Features, and maybe logits, of images ``(N, C, H, W)`` of 0 to 255.

        Raises:
            ValueError: If the module returns other shapes.
        """
        output = self.module(images.float() / 127.5 - 1)
        extracted = Extracted(output, None) if isinstance(output, Tensor) else Extracted(*output)
        for what, tensor in zip(('features', 'logits'), extracted, strict=True):
            if tensor is not None and (tensor.ndim != 2 or len(tensor) != len(images)):
                raise ValueError(
                    f'module must return {what} of shape ({len(images)}, ...), got '
                    f'{tuple(tensor.shape)}. End its forward with .flatten(1).'
                )
        return Extracted(*join_columns([extracted], lambda column: column[0].float()))
