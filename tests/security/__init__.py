"""What nobody who gives a checkpoint, data, a recipe or a run can do. Tests begin with the number of a line.

1. Only safetensors and JSON are read and written; nothing is unpickled (`test_calls`, `test_code`).
2. Code is refused literally; of `.bin` files only weights are read (`test_calls`, `test_code`).
3. A configuration, also that of an adapter, cannot choose code, an adapter or quantization (`test_calls`,
   `test_code`, `tests/test_adapters.py`).
4. Versions with known holes cannot be installed (`test_calls`).
5. A run tells which weights it began from (`test_origin`).
6. Recipes hold no bombs (`tests/recipe/test_reading.py`, `tests/test_bad_input.py`).
7. Recipes hold no tokens, and none is shown or written (`test_secrets`).
8. What is pushed is private unless asked otherwise: to be tested where pushing is.
9. User strings are escaped in the card, which names no folder (`test_places`, `tests/test_run.py`).
10. Files go into the run, under names that data cannot choose (`test_places`).
11. Pictures and fields have bounds (`test_places`, `tests/data/test_images.py`).
12. Offline means that no connection is tried (`test_network`).
13. No telemetry (`test_network`).
"""
