#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""sbom.py — what is linked into the program: SPDX 2.3, and its licences.

	sbom.py PROGRAM VERSION ARCH THIRD_PARTY OUT

PROGRAM.map, which the linker wrote, names the archives of which something is
in the program. Those below THIRD_PARTY were built of a line of the manifest
(fetched, beside its source); others are of a package that dpkg knows, or of one
in THIRD_PARTY/debian. OUT becomes meshd.spdx.json and licenses/.
SOURCE_DATE_EPOCH is the time in it.
"""

import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

# What each says of itself, as an expression of SPDX. One that is not here ends
# the build: nobody has looked at its licence.
LICENSES = {
    "awslc": "Apache-2.0 AND ISC AND (Apache-2.0 OR ISC) AND "
             "(Apache-2.0 OR ISC OR MIT) AND (Apache-2.0 OR ISC OR MIT-0) AND "
             "BSD-3-Clause AND MIT",
    "inih": "BSD-3-Clause",
    "llhttp": "MIT",
    "mbedtls": "Apache-2.0 OR GPL-2.0-or-later",
    "nghttp2": "MIT",
    "libc6-dev": "LGPL-2.1-or-later",
    "libevent-dev": "BSD-3-Clause",
    "libgcc-12-dev": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "libjansson-dev": "MIT",
    "libprotobuf-c-dev": "BSD-2-Clause",
    "libsodium-dev": "ISC",
    "libsqlite3-dev": "blessing",
    "libyaml-dev": "MIT",
    "unicode-data": "Unicode-DFS-2016",
}
SITE = "https://meshd.dev"


def run(*words):
    return subprocess.run(list(map(str, words)), check=True, text=True,
                          capture_output=True).stdout


def sums(path):
    data = pathlib.Path(path).read_bytes()
    return [{"algorithm": name.upper(), "checksumValue":
             hashlib.new(name, data).hexdigest()}
            for name in ("sha1", "sha256")]


def linked(program):
    """The archives of which the linker took a member, sorted."""
    text = pathlib.Path(f"{program}.map").read_text(encoding="utf-8")
    taken = text.partition("\n\n")[2].partition("\n\n")[0]
    return sorted({os.path.normpath(name) for name in re.findall(
        r"^(\S+\.a)\(", taken, re.M)})


class Library:
    """A package, and the archives of it that are in the program."""

    def __init__(self, name, version, place, licence):
        self.name = name
        self.version = version
        self.place = place      # a purl
        self.licence = licence  # the files with its text
        self.sums = []
        self.note = ""
        self.archives = []
        self.relation = "EXPANDED_FROM_ARCHIVE"

    @property
    def expression(self):
        key = re.sub(r"-(arm64|amd64)-cross$", "", self.name)
        if key not in LICENSES:
            sys.exit(f"sbom.py: nobody has looked at the licence of {key}")
        return LICENSES[key]


# --- of third_party ---


def fetched_licence(folder, out):
    found = [p for p in sorted((folder / "tree").iterdir()) if re.match(
        r"(LICENSE|COPYING|NOTICE)", p.name) and p.is_file()]
    for deb in () if found else folder.glob("*.deb"):
        out.mkdir(parents=True)
        run("dpkg-deb", "-x", deb, out)
        found = list(out.glob("usr/share/doc/*/copyright"))
    return found


def built(name, sources, scratch):
    lib, version, home, package, inside, file, digest = (
        sources / name / "fetched").read_text().split()
    kind = {"pypi": "pypi", "crate": "cargo"}.get(home, "deb/debian")
    it = Library(lib, version, f"pkg:{kind}/{package}@{version}",
                 fetched_licence(sources / name, scratch / name))
    it.sums = [{"algorithm": "SHA256", "checksumValue": digest}]
    it.relation = "GENERATED_FROM"
    it.note = f"The checksum is of {file}; the library is in its folder {inside}."
    patches = sorted(pathlib.Path("third_party", name).glob("patches/*.patch"))
    if patches:
        it.note += " Patches: " + ", ".join(p.stem for p in patches) + "."
    return it


# --- of Debian ---


def installed(name):
    version, arch = run("dpkg-query", "-W", "-f",
                        "${Version}\n${Architecture}\n", name).split()[:2]
    name = name.partition(":")[0]
    return Library(name, version,
                   f"pkg:deb/debian/{name}@{version}?arch={arch}",
                   [pathlib.Path(f"/usr/share/doc/{name}/copyright")])


def foreign(path, tree):
    """Of the packages that were laid out for another architecture."""
    inside = "./" + str(path.relative_to(tree))
    for deb in sorted((tree / "packages").glob("*.deb")):
        if inside in run("dpkg-deb", "-c", deb).split():
            name, version, arch = run(
                "dpkg-deb", "--showformat", "${Package} ${Version} "
                "${Architecture}", "-W", deb).split()
            it = Library(name, version,
                         f"pkg:deb/debian/{name}@{version}?arch={arch}",
                         [tree / f"usr/share/doc/{name}/copyright"])
            it.sums = [s for s in sums(deb) if s["algorithm"] == "SHA256"]
            return it
    return sys.exit(f"sbom.py: no package has {path}")


# --- all of them ---


def libraries(program, third_party, scratch):
    found = {}
    sources = pathlib.Path("build/third_party/src")
    debian = (third_party / "debian").resolve()
    for name in linked(program):
        path = pathlib.Path(name).resolve()
        if third_party.resolve() / "lib" in path.parents:
            key = path.parent.name.partition("-")[0]
            make = (built, key, sources, scratch)
        elif debian in path.parents:
            key = path.name
            make = (foreign, path, debian)
        elif path.is_relative_to("/usr"):
            key = run("dpkg-query", "-S", path).partition(": ")[0]
            make = (installed, key)
        else:
            continue  # our own
        it = make[0](*make[1:])
        found.setdefault(it.name, it).archives.append(path)
    found["unicode-data"] = installed("unicode-data")
    return [found[name] for name in sorted(found)]


def package(lib):
    comment = lib.note
    if not lib.archives:
        comment = "Tables of regular expressions are made of its data."
    row = {
        "SPDXID": f"SPDXRef-{lib.name}", "name": lib.name,
        "versionInfo": lib.version, "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False, "licenseDeclared": lib.expression,
        "licenseConcluded": "NOASSERTION", "copyrightText": "NOASSERTION",
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER",
                          "referenceType": "purl",
                          "referenceLocator": lib.place}]}
    if lib.sums:
        row["checksums"] = lib.sums
    if comment:
        row["comment"] = comment
    return row


def document(program, version, arch, libs):
    made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(
        int(os.environ["SOURCE_DATE_EPOCH"])))
    own = sums(program)
    files, relations = [], [("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-meshd")]
    for lib in libs:
        for path in lib.archives:
            ref = f"SPDXRef-{lib.name}-{path.name}".replace("_", "-")
            files.append({
                "SPDXID": ref, "fileName": f"./{path.name}",
                "fileTypes": ["ARCHIVE"], "checksums": sums(path),
                "licenseConcluded": "NOASSERTION",
                "copyrightText": "NOASSERTION"})
            relations.append((ref, lib.relation, f"SPDXRef-{lib.name}"))
        relations.append(("SPDXRef-meshd", "STATIC_LINK" if lib.archives
                          else "GENERATED_FROM", f"SPDXRef-{lib.name}"))
    return {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT", "name": f"meshd-{version}-linux-{arch}",
        "documentNamespace": f"{SITE}/spdx/meshd-{version}-linux-{arch}-"
                             f"{own[1]['checksumValue']}",
        "creationInfo": {"created": made,
                         "creators": ["Tool: meshd-sbom.py-1"]},
        "packages": [{
            "SPDXID": "SPDXRef-meshd", "name": "meshd",
            "versionInfo": version, "downloadLocation": "NOASSERTION",
            "packageFileName": "bin/meshd", "filesAnalyzed": False,
            "checksums": own, "licenseDeclared": "Apache-2.0",
            "licenseConcluded": "NOASSERTION",
            "copyrightText": "NOASSERTION",
            "primaryPackagePurpose": "APPLICATION",
            "comment": "The checksums are of the program, stripped."},
            *map(package, libs)],
        "files": files,
        "relationships": [
            {"spdxElementId": a, "relationshipType": kind,
             "relatedSpdxElement": b} for a, kind, b in relations]}


def write_licences(libs, folder):
    for lib in libs:
        if not lib.licence:
            sys.exit(f"sbom.py: {lib.name} has no text of its licence")
        text = f"{lib.name} {lib.version}: {lib.expression}\n"
        for path in lib.licence:
            text += f"\n--- {path.name} ---\n\n" + path.read_text(
                encoding="utf-8", errors="replace")
        (folder / lib.name).write_text(text, encoding="utf-8")


def main(program, version, arch, third_party, out):
    out = pathlib.Path(out)
    shutil.rmtree(out, ignore_errors=True)
    (out / "licenses").mkdir(parents=True)
    libs = libraries(program, pathlib.Path(third_party), out / "scratch")
    write_licences(libs, out / "licenses")
    shutil.rmtree(out / "scratch", ignore_errors=True)
    (out / "meshd.spdx.json").write_text(json.dumps(
        document(f"{program}.stripped", version, arch, libs), indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
