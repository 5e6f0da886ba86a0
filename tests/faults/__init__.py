"""Faults, by real processes that are really killed.

Which test shows what (names beside these files are in `tests/`):

- kills inside an epoch, at its end, in an evaluation, in the first and the last step, twice in one epoch,
  inside a save, between its rename and the deletion of others, in the export: `test_kills`, `test_resume`
- SIGTERM, SIGINT, SIGUSR1, a second SIGINT, a requeue loop, a finished run: `test_signals`, `test_resume`
- a full disk, a folder that cannot be written, two processes in one folder, a stale lock: `test_disk`
- damaged checkpoints, foreign files, clocks that go back: `test_damage`, `test_checkpoint`
- weights and files of others that would run code: `security/`
- a loss or gradient that is not finite, memory that runs out: `test_numbers`, `test_engine`
- a dead worker: `test_workers`
- the best model, the schedule and the log after a kill: `test_kills`, `test_engine`
- recipe, rows, seed or versions changed between runs; other processes, other micro-batch: `test_changes`
"""
