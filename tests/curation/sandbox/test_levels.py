"""The same attacks at every level that this machine has, also as an unprivileged user, run by the system's Python."""

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent.parent
PYTHON = "/usr/bin/python3"
NOBODY = 1_900_000_000
ATTACKS = {
    "fine": "import fractions; print(fractions.Fraction(1, 2))",
    "ids": "import os; print(os.getuid())",
    "fork": "import os\\nif os.fork() == 0: os._exit(0)\\nos.wait()",
    "parent": "import os\\nos.kill(os.getppid(), 9)\\nimport time; time.sleep(600)",
    "memory": "x = [0] * (10 ** 9)",
    "disk": "file = open('a', 'w')\\nwhile True: file.write('x' * 100_000)",
    "files": "for number in range(10 ** 4):\\n    open(str(number), 'w').write('x' * 300_000)",
    "output": "while True: print('x' * 1000)",
    "sleep": "import time; time.sleep(600)",
    "closed": "import os; os.mkdir('a'); os.chmod('a', 0); os.chmod('.', 0)",
    "gone": "import os; os.rmdir(os.getcwd())",
    "refusal": "import os; os._exit(219)",
    "report": "import os\\nfor n in range(30):\\n"
    "    try: open(f'/proc/{os.getppid()}/fd/{n}', 'w').write('refused x\\\\n')\\n"
    "    except OSError: pass",
    "orphan": "import ctypes, os, time\\nctypes.CDLL(None).prctl(15, b'NAME', 0, 0, 0)\\n"
    "ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)\\nos.kill(os.getppid(), 9)\\ntime.sleep(600)",
    "survivor": "import ctypes, os, time\\nctypes.CDLL(None).prctl(15, b'NAME', 0, 0, 0)\\n"
    "if os.fork() == 0:\\n    os.setsid()\\n    if os.fork() == 0: time.sleep(600)\\n    os._exit(0)\\nos.wait()",
}
ENDLESS = ("parent", "files", "sleep", "orphan")
"""What may have to be ended by the clock; all else may take as long as a slow machine does."""
PROGRAM = f"""
import json, sys
sys.path.insert(0, {str(ROOT)!r})
from curation.sandbox import sandbox
from curation.sandbox.limits import Limits
found = {{}}
for name, source in json.loads(sys.argv[2]).items():
    seconds = 0.7 if name in {ENDLESS} else 60.0
    limits = Limits(seconds=seconds, memory_mb=128, disk_mb=2, output_bytes=10_000, processes=8)
    try:
        found[name] = sandbox.run_once((source,), "", limits, sys.argv[1])._asdict()
    except sandbox.SandboxUnavailableError as error:
        found[name] = {{"outcome": "refused", "error": str(error)}}
print(json.dumps(found))
"""


def attack(level: str, name: str, *, is_root: bool) -> dict[str, dict[str, Any]]:
    sources = json.dumps({key: source.replace("\\n", "\n").replace("NAME", name) for key, source in ATTACKS.items()})
    ids: dict[str, Any] = {} if is_root else {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    done = subprocess.run(
        [PYTHON, "-c", PROGRAM, level, sources],
        env={},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        **ids,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    if found["fine"]["outcome"] == "refused":
        pytest.skip(found["fine"]["error"])
    return found


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="changes its user id")
needs_python = pytest.mark.skipif(
    sys.platform != "linux" or not os.access(PYTHON, os.X_OK), reason=f"there is no {PYTHON} that everybody may use"
)


@pytest.mark.slow
@needs_root
@needs_python
@pytest.mark.parametrize(("level", "is_root"), [("strict", True), ("strict", False), ("own_user", True), ("plain", False)])
def test_every_attack_is_contained_and_named(level: str, is_root: bool) -> None:
    name = f"tw{os.getpid()}{level[0]}{is_root:d}"
    found = attack(level, name, is_root=is_root)
    outcomes = {name: run["outcome"] for name, run in found.items()}
    assert found["fine"]["stdout"] == "1/2\n", found
    assert outcomes["sleep"] == "timeout"
    assert outcomes["memory"] == "memory"
    assert outcomes["output"] == "output"
    assert outcomes["disk"] == "disk"
    assert outcomes["refusal"] == "failed"
    assert outcomes["gone"] in ("finished", "failed")
    assert outcomes["report"] == "finished"
    assert outcomes["survivor"] == ("processes" if level == "plain" else "finished")
    assert outcomes["orphan"] in ({"broke_out"} if level == "plain" else {"failed", "timeout"})
    assert outcomes["fork"] == ("processes" if level == "plain" else "finished")
    assert outcomes["files"] in ("disk", "timeout")
    assert outcomes["parent"] in ({"broke_out"} if level == "plain" else {"failed", "timeout"})
    assert found["ids"]["stdout"].strip() != "0"
    deadline = time.monotonic() + 60
    while alive(name) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert alive(name) == []


def alive(name: str) -> list[str]:
    names = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            names[entry.name] = (entry / "comm").read_text().strip()
    return [process for process, found in names.items() if found == name]
