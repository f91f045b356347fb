"""A worker without a model, for the tests of the process around it: python fake_worker.py FOLDER THREADS

The name of the folder says how it behaves.
"""

import json
import os
import sys
import threading
import time
from pathlib import Path

from curation.embedding.frames import write_frame
from curation.embedding.worker import leave_with_parent

behaviour = Path(sys.argv[1]).name
threading.Thread(target=leave_with_parent, args=(os.getppid(),), daemon=True).start()
out = sys.stdout.buffer
if behaviour == "refuses":
    write_frame(out, {"error": "ValueError: no such weights"})
    sys.exit(0)
if behaviour == "dies":
    print("first line\nKilled by nobody", file=sys.stderr)
    sys.exit(3)
if behaviour == "noise":
    out.write(b"Loading weights 100 %\n")
    out.flush()
write_frame(out, {"dimension": 2})
for line in sys.stdin.buffer:
    texts = json.loads(line)["texts"]
    if behaviour == "crashes" and "boom" in texts:
        os._exit(9)
    if behaviour == "sleeps":
        time.sleep(600)
    import numpy as np

    rows = np.array([[len(text), 1.0] for text in texts], dtype="<f4")
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    if behaviour == "nan":
        rows[:] = np.nan
    write_frame(out, {"rows": len(rows), "dimension": 2}, rows.astype("<f4").tobytes())
