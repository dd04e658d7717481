"""Real Haskell programs: examples/oddball as it is, over a socket of the tests' own, built by Debian 12's GHC, and by GHC 9.6 in
a chroot of Debian 13."""
import fcntl
import pathlib
import re
import shlex
import shutil
import subprocess

import harness

LIVE = harness.SOURCE / "tests" / "live"
EXAMPLE = harness.SOURCE / "examples" / "oddball"
SOURCES = (EXAMPLE / "Main.hs", "GHC/Eventlog/Socket.hs", "eventlog_socket.c")  # from LIVE, if not absolute
CHROOT = pathlib.Path(harness.os.environ.get("EVPIPE_GHC_CHROOT") or harness.BUILD / "ghc-chroot")


def cabal_flags():
    """The flags that the example's cabal file gives to any GHC; cabal itself adds -O1."""
    text, = re.findall(r"^  ghc-options:\n((?:    .*\n)+)", (EXAMPLE / "oddball.cabal").read_text(encoding="utf-8"), re.MULTILINE)
    return shlex.split(text)


def compile_in(folder, command, program="oddball", sources=SOURCES):
    """Builds anew when a source is newer than the program; one test at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / program
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        newest = max((LIVE / source).stat().st_mtime for source in sources)
        if program.exists() and program.stat().st_mtime > newest:
            return program
        for source in map(LIVE.joinpath, sources):  # a module of Haskell goes into the folder of its name
            target = folder / (source.relative_to(LIVE) if source.is_relative_to(LIVE) else source.name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode == 77:
            harness.skip(done.stdout.strip() or "the chroot could not be made")
        if done.returncode:
            raise harness.Failed(f"{command}: {done.stdout}")
    return program


def need_ghc():
    if not shutil.which("ghc"):
        harness.skip("ghc is not installed")


def chatter(name, *flags):
    """tests/live/Chatter.hs built with the machine's own GHC (0.4 s) and these flags."""
    return own_ghc(name, "Chatter.hs", *flags)


def collector():
    return own_ghc("collector", "Collector.hs", "-O1", "-threaded", "-eventlog", "-rtsopts")


def own_ghc(name, source, *flags):
    need_ghc()
    return compile_in(harness.BUILD / ("live-" + name), ["ghc", "-v0", *flags, source, "-o", name], name, (source,))


def debian_12():
    """The command of a program built with the machine's own GHC, which must be 9.0."""
    need_ghc()
    version = subprocess.run(["ghc", "--numeric-version"], capture_output=True, text=True, check=True).stdout.strip()
    if not re.match(r"9\.0\.", version):
        harness.skip(f"ghc is {version}, not 9.0")
    flags = [flag for flag in cabal_flags() if not flag.startswith("-with-rtsopts")]  # 9.0 has no --eventlog-flush-interval
    return [compile_in(harness.BUILD / "live-ghc-9.0", ["ghc", "-v1", "-O1", *flags, "-Werror", "-eventlog", "Main.hs", "eventlog_socket.c", "-o", "oddball"])]


def debian_13():
    """The command of a program built with GHC 9.6 in the chroot; it runs outside of it, with the chroot's loader and libraries."""
    build = CHROOT / "build"
    made = subprocess.run([LIVE / "ghc-chroot", CHROOT], capture_output=True, text=True, check=False)
    if made.returncode:
        harness.skip(made.stdout.strip() or made.stderr.strip())
    command = shlex.join(["ghc", "-v1", "-O1", *cabal_flags(), "-Werror", "Main.hs", "eventlog_socket.c", "-o", "oddball"])
    program = compile_in(build, [str(LIVE / "ghc-chroot"), str(CHROOT), "sh", "-c", f"cd /build && {command}"])
    return [CHROOT / "lib64" / "ld-linux-x86-64.so.2", "--library-path", CHROOT / "usr" / "lib" / "x86_64-linux-gnu", program]
