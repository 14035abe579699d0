"""Learners compiled with Cython: exact test-then-train loops over rows that hold no lock.

The same bits on every system and processor: no fast-math, no fused multiply-add, own elementary
functions. Build them with ``python packaging/build_hook.py`` or by installing the package.
"""
