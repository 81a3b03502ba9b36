# SPDX-License-Identifier: Apache-2.0
"""What the project is built with and linked to, for the bill of materials.

Which of these a release names is read from its CMake files, so the list cannot stay behind the build: what CMake asks for and
this table does not know stops the release. Names and licences cannot be read from anywhere (a .pc file has no licence) and are
written here once, as the libraries themselves declare them. Versions are the distribution's; the sources ask for a least one only.
"""
import re

# What CMake asks for: (name, licence of what is linked, home, Debian's source package).
ASKED = {
    "pkg-config": {
        "criterion": ("Criterion", "MIT", "https://github.com/Snaipe/Criterion", "criterion"),
        "gnutls": ("GnuTLS", "LGPL-2.1-or-later", "https://www.gnutls.org/", "gnutls28"),
        "jansson": ("Jansson", "MIT", "https://github.com/akheron/jansson", "jansson"),
        "libconfig": ("libconfig", "LGPL-2.1-or-later", "https://hyperrealm.github.io/libconfig/", "libconfig"),
        "libcurl": ("libcurl", "curl", "https://curl.se/", "curl"),
        "libnotify": ("libnotify", "LGPL-2.1-or-later", "https://gitlab.gnome.org/GNOME/libnotify", "libnotify"),
        "libqrencode": ("libqrencode", "LGPL-2.1-or-later", "https://fukuchi.org/works/qrencode/", "qrencode"),
        "libsodium": ("libsodium", "ISC", "https://libsodium.org/", "libsodium"),
        "libudev": ("libudev", "LGPL-2.1-or-later", "https://systemd.io/", "systemd"),
        "nettle": ("Nettle", "LGPL-3.0-or-later OR GPL-2.0-or-later", "https://www.lysator.liu.se/~nisse/nettle/", "nettle"),
        "pam": ("Linux-PAM", "BSD-3-Clause OR GPL-1.0-or-later", "https://github.com/linux-pam/linux-pam", "pam"),
        "rdkafka": ("librdkafka", "BSD-2-Clause", "https://github.com/confluentinc/librdkafka", "librdkafka"),
        "umockdev-1.0": ("umockdev", "LGPL-2.1-or-later", "https://github.com/martinpitt/umockdev", "umockdev"),
    },
    "program": {
        "scdoc": ("scdoc", "MIT", "https://git.sr.ht/~sircmpwn/scdoc", "scdoc"),
    },
    "package": {
        "PkgConfig": ("pkgconf", "ISC", "http://pkgconf.org/", "pkgconf"),
    },
}
# find_library repeats what pkg_check_modules asked for where a distribution has no .pc file.
ASKED["library"] = {"pam": ASKED["pkg-config"]["pam"], "libumockdev-preload.so.0": ASKED["pkg-config"]["umockdev-1.0"]}

# What no CMake file asks for by name, because it comes with a compiler or with one of the above.
IMPLIED = {
    "glibc": ("DEPENDS_ON", "GNU C Library", "LGPL-2.1-or-later", "https://www.gnu.org/software/libc/", "glibc"),
    "glib": ("DEPENDS_ON", "GLib", "LGPL-2.1-or-later", "https://docs.gtk.org/glib/", "glib2.0"),
    "gdk-pixbuf": ("DEPENDS_ON", "GdkPixbuf", "LGPL-2.1-or-later", "https://gitlab.gnome.org/GNOME/gdk-pixbuf", "gdk-pixbuf"),
    "cmake": ("BUILD_TOOL_OF", "CMake", "BSD-3-Clause", "https://cmake.org/", "cmake"),
    "gcc": ("BUILD_TOOL_OF", "GCC", "GPL-3.0-or-later WITH GCC-exception-3.1", "https://gcc.gnu.org/", "gcc-defaults"),
    "ninja": ("BUILD_TOOL_OF", "Ninja", "Apache-2.0", "https://ninja-build.org/", "ninja-build"),
}

# The libraries that each consists of, by which a test finds what a built program links and this table forgot.
SONAMES = {
    "GNU C Library": ("libc", "libm"),
    "GLib": ("libglib-2.0", "libgobject-2.0", "libgio-2.0"),
    "GdkPixbuf": ("libgdk_pixbuf-2.0",),
    "GnuTLS": ("libgnutls",), "Jansson": ("libjansson",), "libconfig": ("libconfig",), "libcurl": ("libcurl", "libcurl-gnutls"),
    "libnotify": ("libnotify",), "libqrencode": ("libqrencode",), "libsodium": ("libsodium",), "libudev": ("libudev",),
    "Nettle": ("libnettle",), "Linux-PAM": ("libpam",), "librdkafka": ("librdkafka",),
}

CALLS = re.compile(r"\b(pkg_check_modules|pkg_search_module|find_library|find_program|find_package)\s*\(([^)]*)\)", re.I)
KINDS = {"pkg_check_modules": "pkg-config", "pkg_search_module": "pkg-config", "find_library": "library",
         "find_program": "program", "find_package": "package"}
OPTIONS = {"REQUIRED", "QUIET", "IMPORTED_TARGET", "GLOBAL", "NO_CMAKE_PATH", "NO_CMAKE_ENVIRONMENT_PATH", "NAMES"}
CONSTRAINT = re.compile(r"^([^<>=]+)(?:(>=|<=|=|<|>)(.+))?$")


class Unknown(Exception):
    """The build asks for something that the table does not know."""


def is_cmake(path):
    return path.rsplit("/", 1)[-1] == "CMakeLists.txt" or path.endswith(".cmake")


def wanted(path, text):
    """What one CMake file asks for: (kind, name, constraint or "", line)."""
    # Comments become blanks, so that the lines keep their numbers.
    text = re.sub(r"#[^\n]*", "", text)
    for call in CALLS.finditer(text):
        kind = KINDS[call[1].lower()]
        line = text.count("\n", 0, call.start()) + 1
        words = call[2].replace('"', " ").split()
        if not words:
            raise Unknown(f"{path}:{line}: cannot read {call[0]!r}")
        # find_package names the thing itself, all others first a variable.
        names = words[:1] if kind == "package" else [word for word in words[1:] if word not in OPTIONS]
        for word in names:
            found = CONSTRAINT.match(word)
            if not found or "$" in word:
                raise Unknown(f"{path}:{line}: cannot tell what {word!r} is")
            yield kind, found[1], (found[2] or "") + (found[3] or ""), line


def components(files):
    """The components of a tree, from {path: bytes}: sorted [(relationship, name, licence, home, Debian's source, constraint)]."""
    found = {}
    for path in sorted(filter(is_cmake, files)):
        for kind, name, constraint, line in wanted(path, files[path].decode()):
            if name not in ASKED[kind]:
                raise Unknown(f"{path}:{line} asks for {name}, which packaging/release/components.py does not know: "
                              "add its name, licence, home and Debian source package there")
            facts = ASKED[kind][name]
            if kind in ("program", "package"):
                relationship = "BUILD_TOOL_OF"
            else:
                relationship = "TEST_DEPENDENCY_OF" if path.startswith("tests/") else "DEPENDS_ON"
            before = found.get(facts[0])
            # What a program links is told as that, whatever the tests link as well; no constraint is lost on the way.
            if before:
                constraint = constraint or before[5]
                relationship = min(relationship, before[0], key=("DEPENDS_ON", "BUILD_TOOL_OF", "TEST_DEPENDENCY_OF").index)
            found[facts[0]] = (relationship, *facts, constraint)
    for relationship, *facts in IMPLIED.values():
        found[facts[0]] = (relationship, *facts, "")
    return sorted(found.values(), key=lambda component: component[1])
