"""Gardesh: electronic documents that circulate through a government's digital ecosystems."""

import atexit
import gc

# msgspec frees nested type descriptions in whatever order the collector of a dying interpreter picks, and can then
# crash it after all work is done. What lives until the end need not be collected then.
atexit.register(gc.freeze)
