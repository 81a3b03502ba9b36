#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a second factor costs on this machine's own processor and disk, beside google-authenticator and pam_oath.

    login.py BUILD          as root: `./run bench login` does it

The virtual terminal shows the same under an emulator, where a processor is ten times slower and the disk is not: there a
module without a service of its own looks faster than it is. Ends with 0 if the claim holds, with 1 if it does not.
"""
from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "pam"))

from host import rig                    # noqa: E402

import bench_mfa                        # noqa: E402

LOGINS = 600                        # of each module: they take milliseconds here


def main() -> int:
    bench_mfa.LOGINS = LOGINS
    with rig(Path(sys.argv[1]).resolve(), ["taro", "saburo"]) as t:
        bench_mfa.prepare(t)            # type: ignore[arg-type]
        claims, table = bench_mfa.show_logins(bench_mfa.measure_logins(t))      # type: ignore[arg-type]
    print(table)
    return 0 if all(claims.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
