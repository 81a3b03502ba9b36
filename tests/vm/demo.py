#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Shows the main job on a throw-away virtual terminal.

    demo.py --deb FILE [--lang ja|en]

Boots Debian with the package installed, plugs things in, kills the agent, logs a person in with a code, and prints the
records as a person reads them.
Ends with 0 only if everything that it shows was seen to happen.
"""
from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import login                                    # noqa: E402
from image import ImageError, ensure_image      # noqa: E402
from terminal import AGENT, Terminal            # noqa: E402
from waiting import wait_for                    # noqa: E402

TEXTS = {
    "ja": {"boot": "仮想端末を起動しています（1～3分）", "ready": "端末が起動し、関守が動いています",
           "keyboard": "キーボードを接続", "works": "使えます",
           "stick": "USBメモリを接続", "refused": "遮断（ディスクは現れません）",
           "composite": "ディスクを隠したキーボードを接続", "partial": "キーボードは使え、ディスクは現れません",
           "kill": "エージェントを強制終了し、別のUSBメモリを接続", "back": "エージェントが戻り、見つけたものを記録しました",
           "enable": "太郎さんを登録し、ログインで確認コードを求めるようにしました", "screen": "コンソールの画面:",
           "wrong": "正しいパスワード、違うコード", "denied": "ログインできません",
           "right": "正しいパスワードと、スマートフォンのコード", "in": "ログインできました",
           "again": "同じコードをもう一度", "auth_records": "記録（sekimori log show --stream auth）",
           "records": "記録（sekimori log show）", "done": "すべて実際のカーネルで起きたことです。端末は破棄しました。",
           "failed": "思ったとおりになりませんでした", "stopped": "中断しました。端末は破棄しました。"},
    "en": {"boot": "booting a virtual terminal (1 to 3 minutes)", "ready": "the terminal is up, Sekimori is running",
           "keyboard": "keyboard plugged in", "works": "works",
           "stick": "USB stick plugged in", "refused": "refused: no disk appeared",
           "composite": "keyboard with a hidden disk plugged in", "partial": "keyboard works, no disk appeared",
           "kill": "agent killed, another stick plugged in", "back": "the agent came back and recorded what it found",
           "enable": "taro is enrolled, the login now asks for codes", "screen": "the console's screen:",
           "wrong": "right password, wrong code", "denied": "not logged in",
           "right": "right password, the phone's code", "in": "logged in",
           "again": "the same code once more", "auth_records": "the records (sekimori log show --stream auth)",
           "records": "the records (sekimori log show)", "done": "All of this happened on a real kernel. The terminal is gone.",
           "failed": "this did not go as it should", "stopped": "Stopped. The terminal is gone."},
}


def width(text: str) -> int:
    """Columns on a terminal: Japanese characters take two."""
    return sum(2 if ord(character) >= 0x1100 else 1 for character in text)


@contextmanager
def progress(text: str):
    """A running clock while something takes long; nothing of it when nobody watches."""
    if not sys.stderr.isatty():
        print(f"{text} ...", flush=True)
        yield
        return
    over, began = threading.Event(), time.monotonic()

    def tick() -> None:
        while not over.wait(1.0):
            print(f"\r  {text} ... {time.monotonic() - began:.0f} s ", end="", file=sys.stderr, flush=True)
    ticker = threading.Thread(target=tick, daemon=True)
    ticker.start()
    try:
        yield
    finally:
        over.set()
        ticker.join()
        print("\r\033[K", end="", file=sys.stderr, flush=True)


def tell(what: str, result: str) -> None:
    print(f"  {what}{' ' * max(1, 52 - width(what))}{result}", flush=True)


def expect_no_disk(t: Terminal) -> None:
    t.settle()
    assert t.state()["block"] == [], t.state()["block"]


def show(t: Terminal, texts: dict[str, str]) -> None:
    with t.usb.gadget("keyboard", serial=None, product_name="Office keyboard", port=0) as keyboard:
        wait_for(lambda: keyboard.press("keyboard"), "a key press that arrives")
        tell(texts["keyboard"], texts["works"])
    with t.watch_devices() as seen:
        with t.usb.stick(serial="4C530001", port="1"):
            t.wait_record(event="EXPORT_DENIED", serial="4C530001")
            expect_no_disk(t)
            tell(texts["stick"], texts["refused"])
        with t.usb.gadget("keyboard", "storage", serial="BAD-1", product_name="Gift keyboard", port=1) as composite:
            t.wait_record(event="DEVICE_PARTIAL", serial="BAD-1")
            wait_for(lambda: composite.press("keyboard"), "a key press that arrives")
            expect_no_disk(t)
            tell(texts["composite"], texts["partial"])
        old = t.check("systemctl show -P MainPID sekimorid").strip()
        t.check(f"kill -9 {old}")
        with t.usb.stick(serial="4C530002", port="2"):
            assert t.wait_usb(serial="4C530002")["authorized"] == 0
            expect_no_disk(t)
            tell(texts["kill"], texts["refused"])
            t.wait_record(event="EXPORT_DENIED", serial="4C530002", deadline=120.0)
            tell("", texts["back"])
    assert seen.block == [], seen.block


def show_login(t: Terminal, texts: dict[str, str]) -> None:
    """A person at a virtual console; what is typed is typed on its keyboard."""
    t.check(login.SWITCH_ON)
    print(f"\n{texts['enable']}")
    phone, console = login.taros_phone(t), login.Console(t, 2).show()
    assert "Login incorrect" in console.login("taro", ["taro", phone.wrong(t)])
    tell(texts["wrong"], texts["denied"])
    code = phone.fresh(t)
    text = console.login("taro", ["taro", code])
    assert "taro@terminal:" in text, text
    tell(texts["right"], texts["in"])
    console.logout()
    assert "Login incorrect" in console.login("taro", ["taro", code])
    tell(texts["again"], texts["denied"])
    print(f"\n{texts['screen']}\n\n" + "\n".join(f"    {line}" for line in console.text().splitlines() if line))


def preferred_language() -> str:
    """SEKIMORI_LANG, as for the command sekimori; else the locale, where an empty variable counts as none."""
    for name in ("SEKIMORI_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if os.environ.get(name):
            return "ja" if os.environ[name].startswith("ja") else "en"
    return "en"


def run(deb: Path, logs: Path, language: str) -> None:
    texts = TEXTS[language]
    ensure_image(deb)               # it says what it does, so not below a running clock
    with ExitStack() as stack:
        with progress(texts["boot"]):
            t = stack.enter_context(Terminal.running(AGENT, deb, logs))
        print(texts["ready"], flush=True)
        try:
            show(t, texts)
            show_login(t, texts)
            print(f"\n{texts['records']}\n")
            print(t.check(f"sekimori --lang {language} log show --last 12"))
            print(f"{texts['auth_records']}\n")
            print(t.check(f"sekimori --lang {language} log show --stream auth --last 5"))
        except Exception:
            print(t.what_it_saw(), file=sys.stderr)
            raise
    print(texts["done"])


def main() -> int:
    parser = argparse.ArgumentParser(description="Shows Sekimori at work on a throw-away virtual terminal.")
    parser.add_argument("--deb", type=Path, required=True, help="the package to show")
    parser.add_argument("--lang", choices=("ja", "en"), default=preferred_language())
    parser.add_argument("--logs", type=Path, default=HERE.parents[1] / "out" / "demo")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))     # so that the VM is cleared away
    options.logs.mkdir(parents=True, exist_ok=True)
    try:
        run(options.deb.resolve(), options.logs.resolve(), options.lang)
        return 0
    except ImageError as error:
        print(f"cannot run: {error}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        print(f"\n{TEXTS[options.lang]['stopped']}", file=sys.stderr)
        return 130
    except Exception as error:
        print(f"{TEXTS[options.lang]['failed']}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
