# SPDX-License-Identifier: Apache-2.0
"""The audit stream under power cuts and a failing disk, as a terminal's ext4 has them: what the device mapper drops, fails or
leaves unflushed. A virtual terminal's own reset tests little of it: what its kernel has sent is kept by QEMU."""
from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

from image import cache_dir
from terminal import Setup, Terminal
from usb import GUEST_DIR

FLAKEY_CUTS, REPLAYED_CUTS, AGENT_CUTS = 40, 60, 4      # a hundred, each with another state of the disk, and some under the agent
SEED = 4
SETUP = Setup("power", second_disk_mb=256)
TREE = Path(__file__).resolve().parents[3]


def writer() -> Path:
    """tests/net/chain_writer.c, compiled on this machine: the terminal has no compiler."""
    sources = [TREE / "tests/net/chain_writer.c", TREE / "tests/support/sample_record.c",
               # the one with libconfig, which is not needed: the linker leaves out what nobody calls
               *(path for path in sorted(TREE.glob("lib/*.c")) if path.name != "config_tree.c")]
    read = [*sources, *sorted(TREE.glob("lib/*.h")), *sorted(TREE.glob("include/sekimori/*.h"))]
    target = cache_dir() / f"chain-writer-{hashlib.sha256(b''.join(path.read_bytes() for path in read)).hexdigest()[:12]}"
    if not target.exists():
        subprocess.run(["cc", "-std=gnu17", "-O2", "-D_GNU_SOURCE", '-DSKM_VERSION="test"', f"-I{TREE}/include",
                        f"-I{TREE}/tests/support", "-ffunction-sections", "-Wl,--gc-sections", "-o", str(target),
                        *map(str, sources), "-lsodium"], check=True)
    return target


def cut(t: Terminal, how: str, cuts: int) -> dict:
    t.vm.put_file(writer(), f"{GUEST_DIR}/chain_writer", 0o755)
    found = json.loads(t.usb.helper(f"power_cuts.py {how} /dev/vdb {cuts} {SEED}", deadline=600.0))
    print(f"     {how}: {json.dumps(found)}", flush=True)
    return found


def test_a_disk_that_drops_or_fails_writes(t: Terminal) -> None:
    found = cut(t, "flakey", FLAKEY_CUTS)
    assert found["cuts"]["drop_writes"] + found["cuts"]["error_writes"] == FLAKEY_CUTS and min(found["cuts"].values()) > 5, found


def test_a_cut_between_any_two_writes(t: Terminal) -> None:
    """Also when the disk's cache had kept any part of what was not flushed."""
    found = cut(t, "replay", REPLAYED_CUTS)
    assert found["cuts"] == REPLAYED_CUTS and found["with_unflushed"] > REPLAYED_CUTS // 4, found


def test_cuts_under_the_installed_agent(t: Terminal) -> None:
    found = cut(t, "agent", AGENT_CUTS)
    assert found["cuts"] == AGENT_CUTS, found
