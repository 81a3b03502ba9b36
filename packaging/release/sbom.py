# SPDX-License-Identifier: Apache-2.0
"""The bill of materials: SPDX 2.3 in JSON.

Written by hand instead of by a library of SPDX: the document is one dictionary, and a release needs nothing but Python itself.
Relationships are used throughout; hasFiles and documentDescribes say the same and are deprecated in 2.3. Nothing in it depends on
the clock or the machine: "created" is the date of the release, the namespace a hash of all the rest.
"""
import hashlib
import json
import re

SUPPLIER = "Organization: Sekimori maintainers"
LICENCE = "Apache-2.0"
COPYRIGHT = "2026 Sekimori maintainers"
TAG = re.compile(rb"SPDX-License-Identifier: *([A-Za-z0-9.+() -]*[A-Za-z0-9.+)])")
# Test input of other people, which no program contains (tests/data/pam/README.md).
FOREIGN = re.compile(r"^tests/data/pam/debian-[0-9]+/")
FOREIGN_COMMENT = "A PAM service file as a package of Debian installs it, under that package's licence. Input of a test."


def digest(algorithm, data):
    return hashlib.new(algorithm, data, usedforsecurity=False).hexdigest()


def checksums(data):
    return [{"algorithm": name.upper(), "checksumValue": digest(name, data)} for name in ("sha1", "sha256")]


def licence_in(data):
    """What the file says of itself in its first lines; deeper in, a tag may be something that a program looks for."""
    found = TAG.search(b"\n".join(data.split(b"\n", 4)[:4]))
    return found[1].decode() if found else "NOASSERTION"


def file_entry(prefix, path, data):
    foreign = FOREIGN.match(path)
    entry = {
        "SPDXID": "SPDXRef-File-" + digest("sha256", path.encode())[:24],
        "fileName": f"./{prefix}/{path}",
        "checksums": checksums(data),
        "licenseConcluded": "NOASSERTION" if foreign else LICENCE,
        "licenseInfoInFiles": [licence_in(data)],
        "copyrightText": "NOASSERTION" if foreign else COPYRIGHT,
    }
    if foreign:
        entry["licenseComments"] = FOREIGN_COMMENT
    return entry


def verification_code(files):
    """SPDX 2.3, 7.9: SHA1 of the files' SHA1s, sorted and put together."""
    return digest("sha1", "".join(sorted(digest("sha1", data) for data in files.values())).encode())


def purl_reference(locator):
    return {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": locator}


def component_entry(component):
    _, name, licence, home, debian, constraint = component
    entry = {
        "SPDXID": "SPDXRef-Package-" + re.sub(r"[^A-Za-z0-9.]+", "-", name),
        "name": name,
        "downloadLocation": "NOASSERTION",
        "homepage": home,
        "filesAnalyzed": False,
        "licenseConcluded": licence,
        "licenseDeclared": licence,
        "copyrightText": "NOASSERTION",
        "externalRefs": [purl_reference(f"pkg:deb/debian/{debian}?arch=source")],
        "comment": "Not part of this release: the distribution's, in the version that it ships.",
    }
    if constraint:
        entry["comment"] += f" Needed: {constraint}"
    return entry


def project_entry(version, tarball_name, tarball, files, entries, created, commit):
    return {
        "SPDXID": "SPDXRef-Package-sekimori",
        "name": "sekimori",
        "versionInfo": version,
        "packageFileName": tarball_name,
        "supplier": SUPPLIER,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": True,
        "packageVerificationCode": {"packageVerificationCodeValue": verification_code(files)},
        "checksums": checksums(tarball),
        "sourceInfo": f"git commit {commit}",
        "licenseConcluded": LICENCE,
        "licenseDeclared": LICENCE,
        "licenseInfoFromFiles": sorted({info for entry in entries for info in entry["licenseInfoInFiles"]}),
        "licenseComments": "Every program and its sources. Some input of the tests is other people's: see the files' own comments.",
        "copyrightText": COPYRIGHT,
        "primaryPackagePurpose": "SOURCE",
        "releaseDate": created,
        "externalRefs": [purl_reference(f"pkg:generic/sekimori@{version}")],
    }


def relate(source, kind, target):
    return {"spdxElementId": source, "relationshipType": kind, "relatedSpdxElement": target}


def document(version, prefix, tarball_name, tarball, files, components, created, commit):
    """The document as bytes. files is {path: bytes}; created is RFC 3339 in UTC."""
    entries = [file_entry(prefix, path, files[path]) for path in sorted(files)]
    project = project_entry(version, tarball_name, tarball, files, entries, created, commit)
    us = project["SPDXID"]
    relationships = [relate("SPDXRef-DOCUMENT", "DESCRIBES", us)]
    relationships += [relate(us, "CONTAINS", entry["SPDXID"]) for entry in entries]
    others = []
    for component in components:
        entry = component_entry(component)
        others.append(entry)
        if component[0] == "DEPENDS_ON":
            relationships.append(relate(us, "DEPENDS_ON", entry["SPDXID"]))
        else:
            relationships.append(relate(entry["SPDXID"], component[0], us))
    text = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": prefix,
        "documentNamespace": "",
        "creationInfo": {"created": created, "creators": [SUPPLIER, f"Tool: sekimori-release-{version}"]},
        "packages": [project, *others],
        "files": entries,
        "relationships": relationships,
    }
    unique = digest("sha256", json.dumps(text, sort_keys=True).encode())
    text["documentNamespace"] = f"https://spdx.org/spdxdocs/{prefix}-{unique}"
    return (json.dumps(text, ensure_ascii=False, indent=1) + "\n").encode()
