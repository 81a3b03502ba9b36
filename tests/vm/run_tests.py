#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs scenarios on virtual terminals.

    run_tests.py --deb FILE [--deb-trixie FILE] [--only PATTERN] [--list] [--logs DIR] [scenario.py ...]

A scenario is a function test_*(t) in scenarios/*.py; t is a terminal.Terminal, fresh from a snapshot. The module may
say which terminal it needs with SETUP = terminal.Setup(...); without it, Sekimori is installed. Scenarios with an equal
setup share one boot. A failure is reported with what the terminal saw, and the rest goes on.

A module that types on a screen says TYPES = True: what is typed while an emulated processor still draws can be lost, so
such a scenario gets a second try, as a person would take it. The first failure is shown all the same, and counted apart.

After each scenario, AppArmor must have refused our services nothing. One that provokes refusals says so:
test_x.provokes_refusals = True.
"""
from __future__ import annotations

import argparse
import fnmatch
import importlib.util
import inspect
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from image import KINDS, ImageError, ensure_image       # noqa: E402
from terminal import AGENT, Setup, Terminal             # noqa: E402


@dataclass(frozen=True)
class Scenario:
    name: str                           # file.function
    function: Callable[[Terminal], None]
    setup: Setup
    tries: int = 1
    provokes_refusals: bool = False


def load(path: Path) -> list[Scenario]:
    """The scenarios of one file, in the order in which they stand there."""
    spec = importlib.util.spec_from_file_location(f"scenario_{path.stem}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    setup = getattr(module, "SETUP", AGENT)
    tries = 2 if getattr(module, "TYPES", False) else 1
    return [Scenario(f"{path.stem}.{name}", function, getattr(function, "setup", setup), tries,
                     getattr(function, "provokes_refusals", False))
            for name, function in vars(module).items()
            if name.startswith("test_") and inspect.isfunction(function) and function.__module__ == spec.name]


def matches(name: str, pattern: str | None) -> bool:
    """A pattern is a part of the name, or has * and ? in it and fits the whole."""
    return pattern is None or pattern in name or fnmatch.fnmatch(name, pattern)


class Runner:
    """Runs scenarios group by group and keeps the count."""

    def __init__(self, debs: dict[str, Path], logs: Path) -> None:
        self.debs, self.logs = debs, logs           # the package for each release
        self.passed = self.failed = self.again = 0

    def run_all(self, scenarios: list[Scenario]) -> None:
        for setup in dict.fromkeys(scenario.setup for scenario in scenarios):
            self.run_group(setup, [scenario for scenario in scenarios if scenario.setup == setup])

    def run_group(self, setup: Setup, scenarios: list[Scenario]) -> None:
        """Boots one terminal for the group, and another one should a scenario leave it beyond restoring."""
        left = list(scenarios)
        deb = self.debs.get(KINDS[setup.image].suite)
        while left:
            began = time.monotonic()
            with ExitStack() as stack:
                try:
                    terminal = stack.enter_context(Terminal.running(setup, deb, self.logs / setup.name))
                except Exception as error:
                    self.report_failure(f"{setup.name}: the terminal did not get ready", began, error, "")
                    self.failed += len(left) - 1
                    return
                print(f"---- {setup.name}: booted in {terminal.vm.boot_seconds:.0f} s, ready for scenarios after "
                      f"{time.monotonic() - began:.0f} s", flush=True)
                while left:
                    scenario = left.pop(0)
                    if not self.run_one(scenario, terminal):
                        left.insert(0, replace(scenario, tries=scenario.tries - 1))
                    if left and not self.restore(terminal):
                        break

    def restore(self, terminal: Terminal) -> bool:
        """Brings the terminal back to its snapshot; False if only a new boot helps."""
        try:
            terminal.restore()
            return True
        except Exception as error:
            print(f"---- the snapshot does not come back ({error}): booting again", flush=True)
            return False

    def run_one(self, scenario: Scenario, terminal: Terminal) -> bool:
        """False if it has to be tried again."""
        began = time.monotonic()
        try:
            scenario.function(terminal)
            if not scenario.provokes_refusals:
                refused = terminal.refused_by_apparmor()
                assert not refused, "\n".join(["AppArmor refused our services something:", *refused])
        except Exception as error:
            self.report_failure(scenario.name, began, error, terminal.what_it_saw())
            try:
                terminal.vm.screenshot(self.logs / f"{scenario.name}.png")
            except Exception:
                pass                    # QEMU may be what failed
            if scenario.tries > 1:
                print(f"---- {scenario.name} types on a screen: it gets a second try", flush=True)
                self.failed -= 1
                self.again += 1
                return False
        else:
            self.passed += 1
            print(f"ok   {scenario.name}  {time.monotonic() - began:.1f} s", flush=True)
        return True

    def report_failure(self, name: str, began: float, error: Exception, saw: str) -> None:
        self.failed += 1
        print(f"FAIL {name}  {time.monotonic() - began:.1f} s", flush=True)
        text = "".join(traceback.format_exception(error)) + saw
        print("\n".join("     | " + line for line in text.splitlines()), flush=True)


def scenario_file(word: str) -> Path:
    """A path, or the name of one of scenarios/: "gate"."""
    named = HERE / "scenarios" / f"{word}.py"
    path = named if named.is_file() else Path(word)
    if path.suffix != ".py" or not path.is_file():
        names = " ".join(sorted(path.stem for path in named.parent.glob("*.py")))
        raise argparse.ArgumentTypeError(f"{word}: no such file of scenarios; there are {names}")
    return path


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Runs scenarios on virtual terminals.")
    parser.add_argument("files", nargs="*", type=scenario_file, metavar="FILE",
                        help="files of scenarios, or their names in scenarios/ (default: all)")
    parser.add_argument("--deb", type=Path, help="the package to test")
    parser.add_argument("--deb-trixie", type=Path, help="the same for terminals with Debian 13 (default: trixie/ beside it)")
    parser.add_argument("--only", metavar="PATTERN", help="only scenarios whose name contains or fits PATTERN")
    parser.add_argument("--list", action="store_true", help="print the names and stop")
    parser.add_argument("--logs", type=Path, default=HERE.parents[1] / "out" / "vm",
                        help="where consoles and screenshots go (default: out/vm)")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = parse_arguments(arguments)
    files = options.files or sorted((HERE / "scenarios").glob("*.py"))
    scenarios = [scenario for path in files for scenario in load(path) if matches(scenario.name, options.only)]
    if options.list:
        for scenario in scenarios:
            print(f"{scenario.name}  [{scenario.setup.name}]")
        return 0
    if not scenarios:
        print("no scenario fits", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))     # so that the VM is cleared away
    options.logs.mkdir(parents=True, exist_ok=True)
    try:
        for kind in {scenario.setup.image for scenario in scenarios}:
            ensure_image(kind_name=kind)
    except ImageError as error:
        print(f"cannot run: {error}", file=sys.stderr)
        return 3
    debs = {}
    if options.deb:
        trixie = options.deb_trixie or options.deb.parent / "trixie" / options.deb.name
        debs = {"bookworm": options.deb.resolve(), "trixie": trixie.resolve()}
    runner = Runner(debs, options.logs.resolve())
    runner.run_all(scenarios)
    print(f"{runner.passed} passed, {runner.failed} failed" + (f", {runner.again} tried again" if runner.again else ""))
    return 1 if runner.failed else 0


if __name__ == "__main__":
    sys.exit(main())
