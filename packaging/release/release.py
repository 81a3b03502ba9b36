#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a release of the commit that is checked out: tarball, bill of materials, checksums, signature.

Two people who release the same commit get the same bytes, so that anybody can prove that a tarball is what the repository says.
Hence everything comes from git's objects: modes, dates and line ends of the files on disk are the machine's. git archive was
rejected, because its bytes follow the configuration (tar.umask, attributes) and changed between versions; zlib, because some
distributions have another one behind the same name, whereas gzip's own code is one and the same everywhere.
"""
import argparse
import base64
import datetime
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

sys.dont_write_bytecode = True  # nothing is left in the tree
import components  # noqa: E402
import sbom  # noqa: E402

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
OUT = os.path.join(ROOT, "out", "release")
LATEST = 8 ** 11 - 1  # the last date that a tar header holds
SHOWN = 20
# Set by git for its hooks: they would lead to another repository than the one that this file is in.
LED_ASTRAY = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
              "GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_PREFIX")


class Refused(Exception):
    """Why there is no release."""


def git(*words, text=None):
    env = {name: value for name, value in os.environ.items() if name not in LED_ASTRAY}
    # A replaced object is this clone's only; a lock on the index is nothing that reading needs.
    env.update(GIT_NO_REPLACE_OBJECTS="1", GIT_OPTIONAL_LOCKS="0", LC_ALL="C")
    done = subprocess.run(["git", "-C", ROOT, *words], input=text, env=env, capture_output=True, check=False)
    if done.returncode:
        raise Refused(f"cannot read the repository: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def check_clean():
    top = git("rev-parse", "--show-toplevel").decode(errors="surrogateescape").rstrip("\n")
    if os.path.realpath(top) != ROOT:
        raise Refused(f"a release is made from a clone; {ROOT} is only a folder inside of the repository {top}")
    # git quotes what a terminal should not see.
    status = git("-c", "core.quotePath=false", "-c", "core.fsmonitor=false", "status", "--porcelain", "--untracked-files=all",
                 "--ignore-submodules=none").decode(errors="replace").splitlines()
    if status:
        more = [f"  and {len(status) - SHOWN} more"] if len(status) > SHOWN else []
        raise Refused("\n".join(["what is not committed is not in a release; commit or remove first:",
                                 *("  " + line for line in status[:SHOWN]), *more]))


def tracked_files():
    """{path: (mode, bytes)} of HEAD."""
    listing = []
    for line in filter(None, git("ls-tree", "-r", "-z", "--full-tree", "HEAD").split(b"\0")):
        facts, path = line.split(b"\t", 1)
        mode, _, name = facts.split()
        try:
            path = path.decode()
        except UnicodeDecodeError:
            raise Refused(f"the file name {path!r} is not UTF-8") from None
        if mode not in (b"100644", b"100755"):
            raise Refused(f"{path} is neither a plain file nor a program (a link, or another repository)")
        listing.append((path, 0o755 if mode == b"100755" else 0o644, name))
    stream = io.BytesIO(git("cat-file", "--batch", text=b"".join(name + b"\n" for _, _, name in listing)))
    files = {}
    for path, mode, name in listing:
        words = stream.readline().split()
        if len(words) != 3 or words[:2] != [name, b"blob"]:
            raise Refused(f"git does not have the contents of {path}")
        files[path] = mode, stream.read(int(words[2]))
        stream.read(1)
    return files


def version_of(files):
    """The one version that the build and both kinds of packages agree on."""
    found = {}
    for path, pattern in (("CMakeLists.txt", r"^project\(sekimori VERSION ([0-9.]+) "),
                          ("packaging/deb/changelog", r"\Asekimori \(([^)]+)\)"),
                          ("packaging/rpm/sekimori.spec", r"^Version: *(\S+)$")):
        match = re.search(pattern, files[path][1].decode(), re.M) if path in files else None
        if not match:
            raise Refused(f"cannot find the version in {path}")
        found[path] = match[1]
    if len(set(found.values())) > 1:
        raise Refused("the versions differ: " + ", ".join(f"{path} says {version}" for path, version in found.items()))
    return found["CMakeLists.txt"]


def date_of_release():
    """Seconds since 1970: what SOURCE_DATE_EPOCH says, else when HEAD was committed."""
    text = os.environ.get("SOURCE_DATE_EPOCH")
    if text is None:
        return int(git("show", "--no-patch", "--no-show-signature", "--format=%ct", "HEAD"))
    if not re.fullmatch("[0-9]{1,11}", text) or int(text) > LATEST:
        raise Refused(f"SOURCE_DATE_EPOCH is {text!r}; it must be seconds since 1970, at most {LATEST}")
    return int(text)


def make_tarball(prefix, files, date):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT, encoding="utf-8") as tar:
        for path in sorted(files, key=str.encode):
            mode, data = files[path]
            entry = tarfile.TarInfo(f"{prefix}/{path}")
            # Owner 0:0 without names is what a TarInfo begins with; said again, since others rely on it.
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            entry.size, entry.mode, entry.mtime = len(data), mode, date
            try:
                tar.addfile(entry, io.BytesIO(data))
            except ValueError as error:
                raise Refused(f"cannot put {path} into the tarball: {error}") from None
    env = {name: value for name, value in os.environ.items() if name != "GZIP"}
    return subprocess.run(["gzip", "-n"], input=stream.getvalue(), env=env, stdout=subprocess.PIPE, check=True).stdout


def sign(folder, key, comment):
    """Returns the number of the key. minisign asks for the password where the key has one."""
    signature = os.path.join(folder, "SHA256SUMS.minisig")
    # With the comments given, minisign adds no date: the same key signs with the same bytes.
    done = subprocess.run(["minisign", "-S", "-s", key, "-m", os.path.join(folder, "SHA256SUMS"), "-x", signature,
                           "-c", "signature of " + comment, "-t", comment], check=False)
    if done.returncode or not os.path.exists(signature):
        raise Refused(f"cannot sign with {key}: minisign said why above; nothing was released")
    with open(signature, encoding="utf-8") as text:
        # minisign's format: two letters for the algorithm, eight bytes for the key, which it shows as a number
        # of 16 digits (up to minisign 0.11 without the zeros in front)
        raw = base64.b64decode(text.read().splitlines()[1])
    return f"{int.from_bytes(raw[2:10], 'little'):016X}"


def write(path, data):
    with open(path, "wb") as out:
        out.write(data)
    os.chmod(path, 0o644)


def publish(folder):
    """What is there is replaced as a whole: an old signature never lies beside new checksums."""
    os.chmod(folder, 0o755)
    if os.path.lexists(OUT):
        shutil.rmtree(OUT)
    os.rename(folder, OUT)


def release(key):
    check_clean()
    tracked = tracked_files()
    version, date = version_of(tracked), date_of_release()
    commit = git("rev-parse", "--verify", "HEAD").decode().strip()
    created = datetime.datetime.fromtimestamp(date, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    prefix = f"sekimori-{version}"
    files = {path: data for path, (_, data) in tracked.items()}
    tarball = make_tarball(prefix, tracked, date)
    bill = sbom.document(version, prefix, prefix + ".tar.gz", tarball, files, components.components(files), created, commit)
    made = {prefix + ".spdx.json": bill, prefix + ".tar.gz": tarball}
    os.makedirs(os.path.dirname(OUT), exist_ok=True)
    folder = tempfile.mkdtemp(prefix=".release-", dir=os.path.dirname(OUT))
    try:
        for name, data in made.items():
            write(os.path.join(folder, name), data)
        sums = "".join(f"{sbom.digest('sha256', made[name])}  {name}\n" for name in sorted(made))
        write(os.path.join(folder, "SHA256SUMS"), sums.encode())
        signer = sign(folder, key, f"sekimori {version} commit {commit} {created}") if key else None
        publish(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return version, commit, created, sums, signer


def tell(version, commit, created, sums, signer):
    print(f"sekimori {version}, commit {commit}, dated {created}, in out/release:\n{sums}", end="")
    print("To verify (docs/release.md), in the folder of these files:")
    if signer:
        print(f"  minisign -V -m SHA256SUMS -p PUBLIC_KEY_FILE     # signed with key {signer}")
        print("  sha256sum --check SHA256SUMS")
    else:
        print("  sha256sum --check SHA256SUMS")
        print("UNSIGNED: these checksums show damage, not who made the release. Sign with ./run release --key FILE.")


def main():
    parser = argparse.ArgumentParser(prog="run release", description="Makes out/release from the commit that is checked out.",
                                     allow_abbrev=False)
    parser.add_argument("--key", metavar="FILE", help="sign the checksums with this secret key of minisign")
    key = parser.parse_args().key
    try:
        if key is not None:
            with open(key, "rb"):
                pass
        tell(*release(key))
    except Refused as error:
        sys.exit(f"run release: {error}")
    except components.Unknown as error:
        sys.exit(f"run release: the bill of materials would not be complete: {error}")
    except OSError as error:
        sys.exit(f"run release: cannot use {error.filename}: {error.strerror}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"run release: {error}")


if __name__ == "__main__":
    main()
