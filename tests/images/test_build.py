#!/usr/bin/env python3
"""The images: built of the Dockerfiles by buildah, then entered, as the users that they say.

The base image is made by debootstrap, under the name and tag that the Dockerfiles use: what Docker would fetch can not be had in the
tests. There is no image of Haskell either: its base is the same Debian with a `cabal` of ours, which installs what Debian's GHC made of
the same sources. So all of Dockerfile.evpipe is tried, and all of Dockerfile.oddball but cabal's and GHC 9.12's own work.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
import harness
import dockerfile
import programs

FOLDER = harness.SOURCE / "dockerfiles"
CABAL = """#!/bin/sh
# Stands in for cabal: installs a program that was built before, if its sources are there.
set -eu
[ "$1" != update ] || exit 0
[ "$1 $2" = 'install exe:oddball' ]
for word; do case $word in --installdir=*) to=${word#*=} ;; esac; done
for file in cabal.project oddball.cabal README.md; do [ -s "$file" ]; done
cmp Main.hs /usr/local/lib/oddball/Main.hs
install -m 755 /usr/local/lib/oddball/oddball "$to/oddball"
"""


def need(condition, reason):
    if not condition:
        harness.skip(reason)


class Buildah:
    """With a store of its own, which is gone with the test's folder."""

    def __init__(self, folder):
        configuration = folder / "registries.conf"
        configuration.write_text('unqualified-search-registries = ["docker.io"]\n')
        self.command = ["buildah", "--root", folder / "store", "--runroot", folder / "run", "--storage-driver", "vfs"]
        self.environment = {"CONTAINERS_REGISTRIES_CONF": str(configuration)}

    def __call__(self, *words, seconds=600):
        done = subprocess.run([*self.command, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds,
                              env={**os.environ, **self.environment}, check=False)
        if done.returncode:
            raise harness.Failed(f"buildah {' '.join(map(str, words))}: {done.stdout[-3000:]}")
        return done.stdout.strip()

    def image(self, name, tree, *more):
        """An image of a folder, with further files: pairs of a path and where it goes."""
        container = self("from", "scratch")
        self("add", "--quiet", container, tree, "/")
        for path, target in more:
            self("add", "--quiet", container, path, target)
        self("commit", "--quiet", "--rm", container, name)

    def build(self, path, name):
        return self("bud", "--isolation", "chroot", "--format", "docker", "--pull-never", "--layers=false", "--file", path, "--tag", name, harness.SOURCE)

    def configuration(self, name):
        return json.loads(self("inspect", "--type", "image", name))["Docker"]["config"]


def debian(folder):
    """Debian 12 with the package sources of this machine, so that apt-get works in it."""
    targets = subprocess.run(["apt-get", "indextargets", "--format", "$(ORIGIN) $(CREATED_BY) $(REPO_URI) $(RELEASE) $(COMPONENT)"],
                             capture_output=True, text=True, check=True).stdout
    sources = [line.split()[2:] for line in targets.splitlines() if line.startswith("Debian Packages ")]
    main = [uri for uri, release, component in sources if release == "bookworm" and component == "main"]
    need(main, "the package sources name no mirror of Debian 12")
    made = subprocess.run(["debootstrap", "--variant=minbase", "bookworm", folder, main[0]], capture_output=True, text=True, check=False)
    need(made.returncode == 0, f"debootstrap: {made.stdout[-500:]}")
    lines = "".join(f"deb {uri} {release} {component}\n" for uri, release, component in sources)
    (folder / "etc" / "apt" / "sources.list").write_text(lines)
    for cache in ("archives", "lists"):
        shutil.rmtree(folder / "var" / ("cache" if cache == "archives" else "lib") / "apt" / cache)
    return folder


class Images(harness.Case):
    """One test of several parts, for the images take a while."""

    def setUp(self):
        super().setUp()
        need(os.getuid() == 0, "only root can do this")
        for program in ("buildah", "debootstrap", "apt-get"):
            need(shutil.which(program), f"{program} is not installed")
        need(shutil.disk_usage(self.folder).free > 4 * 2**30, "less than 4 GB of disk are free")
        need("VERSION_CODENAME=bookworm" in pathlib.Path("/etc/os-release").read_text(encoding="utf-8"), "only tried on Debian 12")
        self.buildah = Buildah(self.folder)
        self.shared = self.folder / "shared"  # what the volume ghc-eventlog is in the compose files
        self.shared.mkdir()

    def test_images(self):
        base = debian(self.folder / "debian")
        stages = dockerfile.stages(FOLDER / "Dockerfile.evpipe")
        self.buildah.image("docker.io/library/" + stages[-1].image, base)
        self.buildah.build(FOLDER / "Dockerfile.evpipe", "localhost/evpipe:test")
        self.container = self.buildah("from", "--pull-never", "localhost/evpipe:test")
        self.configuration = self.buildah.configuration("localhost/evpipe:test")
        with self.subTest("plugins"):
            self.check_plugins()
        with self.subTest("user"):
            self.check_user()
        with self.subTest("recipe"):
            self.check_recipe()
        with self.subTest("with the example program"):
            self.check_with_example(base)

    # ------------------------------------------------------------------------------------------------------------------ evpipe

    def command(self, container, *words, volumes=()):
        """Runs in a container, as the user of its image."""
        return ["run", "--isolation", "chroot", *(word for volume in volumes for word in ("--volume", volume)), container, "--", *words]

    def run_inside(self, *words, volumes=()):
        return self.buildah(*self.command(self.container, *words, volumes=volumes))

    def check_plugins(self):
        """All that there are, and each recipe loads."""
        here = subprocess.run([harness.EVPIPE, "--plugins"], capture_output=True, text=True, check=True).stdout
        self.assertEqual(self.run_inside("evpipe", "--plugins"), here.strip())
        for recipe in (harness.SOURCE / "config").glob("*.yaml"):
            if recipe.stem != "fan-out":  # which wants a plugin of one's own
                self.run_inside("env", "EVENTLOG=/x", "EVPIPE_COMMAND=x", "GHC_EVENTLOG_UNIX_PATH=/x", "evpipe", "-c", recipe.stem, "--check")
        self.assertEqual((self.configuration["Entrypoint"], self.configuration["Cmd"]), (["evpipe"], ["-c", "compose"]))

    def check_user(self):
        """Nobody special, who can not change the program, but has a place for its socket and its temporary files."""
        uid = self.configuration["User"].split(":")[0]
        self.assertEqual(self.run_inside("id", "-u"), uid)
        owned = "find /usr /etc /var /home /opt -user evpipe 2>/dev/null; find /usr /etc -writable -not -type l 2>/dev/null; echo that is all"
        self.assertEqual(self.run_inside("sh", "-c", owned), "that is all")
        places = 'for place in "$TMPDIR" "$(dirname "$EVPIPE_CONTROL")" /run/ghc-eventlog; do test -w "$place" || echo "$place"; done; ls -ld /run/ghc-eventlog'
        self.assertRegex(self.run_inside("sh", "-c", places), r"^drwxr-xr-x \d+ evpipe evpipe [^\n]*$")

    def check_recipe(self):
        """The recipe `show` prints of a recorded log what evpipe prints here."""
        self.folder.chmod(0o755)
        shutil.copy(harness.OWN_LOG, self.folder / "log.eventlog")
        mounted = f"{self.folder / 'log.eventlog'}:/log.eventlog:ro"
        inside = self.run_inside("env", "EVENTLOG=/log.eventlog", "evpipe", "-c", "show", "--log-level", "error", volumes=[mounted])
        status, out, err = self.run_evpipe(harness.SOURCE / "config" / "show.yaml", environment={"EVENTLOG": str(harness.OWN_LOG)}, name="here")
        self.assertEqual(status, 0, err)
        self.assertGreater(len(inside), 10**6)
        self.assertEqual(inside, out.decode().strip())

    # ---------------------------------------------------------------------------------------------------- beside the example program

    def check_with_example(self, base):
        """As in the compose file: two images, one user, the socket in a volume, the command that the image has; only InfluxDB is away.
        The health check says no, then yes, then no; the page has the program's heap."""
        oddball = self.example_image(base)
        uid = int(self.configuration["User"].split(":")[0])
        os.chown(self.shared, uid, uid)
        volumes = [f"{self.shared}:/run/ghc-eventlog"]
        page = harness.free_port()
        environment = {"GHC_EVENTLOG_UNIX_PATH": "/run/ghc-eventlog/ghc-eventlog.sock", "EVPIPE_DASHBOARD": f"127.0.0.1:{page}",
                       "EVPIPE_PROMETHEUS": "127.0.0.1:0", "INFLUXDB_URL": f"http://127.0.0.1:{harness.free_port()}"}
        self.assertFalse(self.is_healthy())
        command = [*self.configuration["Entrypoint"], *self.configuration["Cmd"]]
        evpipe = self.inside(self.container, "env", *(f"{key}={value}" for key, value in environment.items()), *command, volumes=volumes, name="evpipe-inside")
        self.wait_err(evpipe, "waiting for it")
        harness.wait_for("evpipe to be healthy", self.is_healthy)
        program = self.inside(oddball, "env", "GHCRTS=-l -hT -i0.1", "oddball", "2", volumes=volumes, name="oddball-inside")
        self.assertEqual(program.wait(60), 0, program.err())
        self.assertNotIn("an't open", program.err())
        harness.wait_for(lambda: f"bands on the page; {evpipe.err()}", lambda: "ARR_WORDS" in self.bands(page))
        os.kill(self.innermost(evpipe.pid), harness.signal.SIGTERM)
        self.assertEqual(evpipe.wait(60), 1, evpipe.err())
        self.assertIn("what is not delivered is dropped", evpipe.err())  # for the InfluxDB that is not there
        self.assertFalse(self.is_healthy())

    @staticmethod
    def bands(port):
        """Of the first program, on evpipe's page."""
        def ask(path):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/{path}", timeout=10) as answer:
                return json.load(answer)
        census = [ask(f"history?program={program['id']}")["census"] for program in ask("programs")["programs"]]
        return [band["name"] for found in census if found for band in found["bands"]]

    def example_image(self, base):
        """Of Dockerfile.oddball; a container of it."""
        builder, _ = dockerfile.stages(FOLDER / "Dockerfile.oddball")
        built, = programs.debian_12()
        cabal = self.folder / "cabal"
        cabal.write_text(CABAL)
        cabal.chmod(0o755)
        self.buildah.image("docker.io/library/" + builder.image, base, (cabal, "/usr/local/bin/cabal"), (built, "/usr/local/lib/oddball/oddball"),
                           (harness.SOURCE / "examples" / "oddball" / "Main.hs", "/usr/local/lib/oddball/Main.hs"))
        self.buildah.build(FOLDER / "Dockerfile.oddball", "localhost/oddball:test")
        configuration = self.buildah.configuration("localhost/oddball:test")
        self.assertEqual(configuration["User"], self.configuration["User"])
        self.assertEqual(configuration["Entrypoint"], ["oddball"])
        return self.buildah("from", "--pull-never", "localhost/oddball:test")

    def inside(self, container, *words, volumes, name):
        return self.start([*self.buildah.command, *self.command(container, *words, volumes=volumes)], name, environment=self.buildah.environment)

    def is_healthy(self):
        """What Docker would do: the image's own command, in the container."""
        kind, command = self.configuration["Healthcheck"]["Test"]
        self.assertEqual(kind, "CMD-SHELL")
        done = subprocess.run([*self.buildah.command, *self.command(self.container, "sh", "-c", command)], stdin=subprocess.DEVNULL, capture_output=True,
                              env={**os.environ, **self.buildah.environment}, timeout=60, check=False)
        return done.returncode == 0

    def innermost(self, pid):
        """The program that buildah runs is a child of a child of it."""
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
        tasks = [path.read_text().split() for path in children.parent.parent.glob("*/children")]
        below = [int(word) for words in tasks for word in words]
        return self.innermost(below[0]) if below else pid

    def _end_all(self):
        for process in self.processes:
            if process.running():
                os.kill(self.innermost(process.pid), harness.signal.SIGKILL)
        super()._end_all()


if __name__ == "__main__":
    harness.main()
