"""The rules of :func:`mmgan_lite.apis.check_config`, one module a subject."""
