"""What machine this is, in the words that stand beside a measurement. Knows nothing of servers."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path


def describe() -> dict[str, str | int]:
    """Processor, how many cores this process may use, kernel, and whether it is a virtual machine."""
    text = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    flags = re.search(r"^flags\s*:\s*(.+)$", text, re.MULTILINE)
    name = re.sub(r"\((R|TM)\)|\b(CPU|Processor)\b", "", model[1] if model else platform.machine())
    # What a distribution or a provider appends to the version says nothing to a reader.
    kernel = re.match(r"[\d.]+", platform.release())
    return {
        "processor": " ".join(name.split()),
        "kind": "virtual machine" if flags and "hypervisor" in flags[1].split() else "machine",
        "cores": len(os.sched_getaffinity(0)),
        "kernel": f"Linux {kernel[0].rstrip('.') if kernel else platform.release()}",
    }
