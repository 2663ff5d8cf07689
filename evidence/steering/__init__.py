"""Negative prompts inside attention, for models without classifier-free guidance: VSF and NAG."""
