default_scope = 'mmgan_lite'
randomness = dict(seed=0)
model_wrapper_cfg = dict(type='mmgan_lite.GANDistributedDataParallel')  # distributed training
log_processor = dict(by_epoch=False, window_size=50)
visualizer = dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')])
default_hooks = dict(
    runtime_info=dict(type='DeferredLogHook'),
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=500, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    checkpoint=dict(type='GANCheckpointHook', interval=5000, by_epoch=False, max_keep_ckpts=2),
    setup_check=dict(type='SetupCheckHook'),
    health=dict(type='GANHealthHook', guard=dict()),
    samples=dict(type='SampleVisualizationHook', interval=1000),
    progress_bar=dict(type='ProgressBarHook'),
)
