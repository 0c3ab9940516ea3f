"""The training of a trial, as a script: MODE TRACKERS FIRST COUNT PACE RUN (a folder to resume, or "new")."""

import sys
import time

import trackhub

mode, trackers, first, count, pace, run_path = sys.argv[1:]
if run_path == "new":
    run = trackhub.start(trackers=trackers, config={"lr": 1e-4, "nested": {"a": [1, 2]}}, finish_timeout=3)
else:
    run = trackhub.resume(run_path, step=int(first) - 1, finish_timeout=3)
print(run.path, flush=True)
for step in range(int(first), int(first) + int(count)):
    run.log_metrics({"a": step * 0.1, "b": float("nan") if step % 7 == 0 else step}, step=step)
    if step % 40 == 3:
        run.log_metrics({f"late/{step % 3}": -step}, step=step)
    if step % 100 == 50:
        run.log_message(f"at step {step}")
    time.sleep(float(pace))
if mode == "raise":
    raise RuntimeError("the end of this trial")
if mode == "hang":
    time.sleep(60)
run.finish()
