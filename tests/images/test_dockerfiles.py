#!/usr/bin/env python3
"""The Dockerfiles, without building them: what they copy is there, their packages exist and are those that evpipe needs, images are
pinned, nobody runs as root. test_build.py builds them."""
import pathlib
import re
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import harness
import dockerfile

FOLDER = harness.SOURCE / "dockerfiles"
FILES = sorted(FOLDER.glob("Dockerfile.*"))
VERSION = re.search(r"version: '([\d.]+)'", (harness.SOURCE / "meson.build").read_text(encoding="utf-8")).group(1)


def evpipe():
    return dockerfile.stages(FOLDER / "Dockerfile.evpipe")


class Dockerfiles(harness.Case):
    def each(self):
        self.assertEqual([path.name for path in FILES], ["Dockerfile.evpipe", "Dockerfile.oddball"])
        return [dockerfile.stages(path) for path in FILES]

    def test_images_are_pinned(self):
        bases = set()
        for builder, final in self.each():
            for stage in (builder, final):
                self.assertRegex(stage.image, r"^debian:bookworm-\d{8}-slim$|^haskell:9\.\d+\.\d+-slim-bookworm$")
            bases.add(final.image)
        self.assertEqual(len(bases), 1, "one base for all")

    def test_what_is_copied_is_there(self):
        for stages in self.each():
            sources = [source for stage in stages for sources in stage.copies() for source in sources]
            self.assertGreater(len(sources), 3)
            for source in sources:
                self.assertTrue((harness.SOURCE / source).exists(), source)
                self.assertFalse(dockerfile.is_ignored(source, harness.SOURCE / ".dockerignore"), source)

    def test_what_is_not_copied_stays_here(self):
        """Nothing of a clone but its sources is sent to the builder."""
        for path in (".git", "build", "build-asan", "tests", "README.md", "docs/architecture.md", "examples/oddball/dist-newstyle"):
            self.assertTrue(dockerfile.is_ignored(path, harness.SOURCE / ".dockerignore"), path)

    def test_stages_that_are_copied_from_are_there(self):
        for stages in self.each():
            copied = {text.split()[0].removeprefix("--from=") for text in stages[-1].all("COPY")}
            self.assertEqual(copied, {"builder"})
            self.assertEqual([stage.name for stage in stages], ["builder", None])

    def test_packages_exist(self):
        if not shutil.which("apt-cache"):
            harness.skip("apt-cache is not there: not a Debian system")
        if "VERSION_CODENAME=bookworm" not in pathlib.Path("/etc/os-release").read_text(encoding="utf-8"):
            harness.skip("the package lists are not those of Debian 12")
        packages = sorted(set().union(*(stage.packages() for stages in self.each() for stage in stages)))
        self.assertGreater(len(packages), 15)
        found = subprocess.run(["apt-cache", "policy", *packages], capture_output=True, text=True, check=True).stdout
        self.assertEqual(re.findall(r"^(\S+):\n.*\n  Candidate: [0-9]", found, re.MULTILINE), packages)

    def test_builder_has_what_setup_installs(self):
        wanted = re.search(r"^build='(.*)'$", (harness.SOURCE / "scripts" / "setup").read_text(encoding="utf-8"), re.MULTILINE).group(1).split()
        builder, _ = evpipe()
        self.assertEqual(sorted(builder.packages()), sorted(wanted))

    def test_libraries_are_in_the_final_image(self):
        """Every library that evpipe and its plugins are linked with is of a package that is installed there, or of libc6; and no
        package is there for nothing."""
        if not (shutil.which("readelf") and shutil.which("dpkg-query")):
            harness.skip("readelf and dpkg-query are not there")
        _, final = evpipe()
        built = [harness.EVPIPE, *sorted((harness.BUILD / "plugins").glob("*.so"))]
        dynamic = subprocess.run(["readelf", "--dynamic", *built], capture_output=True, text=True, check=True).stdout
        libraries = {name for name in re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic) if not re.match(r"lib(asan|tsan|ubsan)\.", name)}
        self.assertIn("libyaml-0.so.2", libraries)
        found = subprocess.run(["dpkg-query", "--search", *("*/" + library for library in libraries)], capture_output=True, text=True, check=True).stdout
        owners = {line.split(":")[0] for line in found.splitlines()}
        self.assertEqual(final.packages() - {"ca-certificates"}, owners - {"libc6", "libc6-i386", "libc6-x32", "libgcc-s1"})

    def test_nobody_is_root(self):
        users = set()
        for stages in self.each():
            final = stages[-1]
            uid, gid = final.last("USER").split(":")
            self.assertEqual(uid, gid)
            self.assertIn(f"useradd --uid {uid} --user-group", " ".join(final.all("RUN")))
            users.add(uid)
        self.assertEqual(len(users), 1, "one user for both: the program's socket lets in nobody else")
        self.assertGreater(int(users.pop()), 999)

    def test_health_check(self):
        """It asks at the socket that the image's environment names, which its own pipeline serves."""
        _, final = evpipe()
        self.assertIn("CMD evpipe ctl -s \"$EVPIPE_CONTROL\" stats", final.last("HEALTHCHECK"))
        folder = final.environment()["EVPIPE_CONTROL"].rpartition("/")[0]
        self.assertIn(f"install --directory --mode 1777 {folder}", " ".join(final.all("RUN")))
        option, recipe = final.words("CMD")
        self.assertEqual((option, final.words("ENTRYPOINT")), ("-c", ["evpipe"]))
        pipeline = (harness.SOURCE / "config" / (recipe + ".yaml")).read_text(encoding="utf-8")
        self.assertRegex(pipeline, r'(?m)^control: \{unix: "\$\{EVPIPE_CONTROL:-.*\}"\}')

    def test_labels(self):
        for stages in self.each():
            labels = stages[-1].labels()
            self.assertEqual(labels["org.opencontainers.image.version"], VERSION)
            self.assertEqual(labels["org.opencontainers.image.licenses"], "BSD-3-Clause")

    def test_example_program(self):
        """What the run-time system writes besides the socket goes nowhere; the socket's folder belongs to the user."""
        _, final = dockerfile.stages(FOLDER / "Dockerfile.oddball")
        commands = " ".join(final.all("RUN"))
        for suffix in ("eventlog", "hp"):
            self.assertIn(f"ln -s /dev/null oddball.{suffix}", commands)
        folder = final.environment()["GHC_EVENTLOG_UNIX_PATH"].rpartition("/")[0]
        self.assertIn(f"install --directory --owner oddball --group oddball {folder}", commands)

    def test_cabal_file(self):
        """As Cabal's own library reads it; the project names the commit that eventlog-live named."""
        if not shutil.which("ghc"):
            harness.skip("ghc is not installed")
        example = harness.SOURCE / "examples" / "oddball"
        checker = harness.SOURCE / "tests" / "live" / "CheckCabal.hs"
        done = subprocess.run(["ghc", "-v0", "-package", "Cabal", "-e", f":main {example / 'oddball.cabal'}", checker],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("1 package descriptions, nothing is wrong", done.stdout)
        project = (example / "cabal.project").read_text(encoding="utf-8")
        self.assertRegex(project, r"source-repository-package\n  type: +git\n  location: +https://github.com/well-typed/eventlog-socket\n"
                                  r"  tag: +1acb92ff60f4bbc87815466f904366ea5078ed9a\n")


if __name__ == "__main__":
    harness.main()
