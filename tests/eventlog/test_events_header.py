#!/usr/bin/env python3
"""<evpipe/events.h> alone, in every language that a plugin may be written in, without a warning; and what it reads."""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE, BUILD = map(pathlib.Path, sys.argv[1:3])
WARNINGS = ["-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-pedantic", "-Werror", "-fvisibility=hidden"]
INCLUDES = [f"-I{SOURCE / 'core' / 'include'}", f"-I{BUILD / 'core' / 'include'}"]

PROGRAM = """
#include <evpipe/events.h>
#include <stdio.h>

int main(void)
{
  const uint8_t payload[12] = {0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0};
  struct evp_event event = {7, payload, 12, EVP_HEAP_LIVE, 0, 0};
  struct evp_heap_live live;
  if (!evp_read_heap_live(&event, EVP_DIALECT_STOP_D, &live)) return 1;
  printf("%u %lu\\n", (unsigned)live.capset, (unsigned long)live.bytes);
  return 0;
}
"""


class EventsHeader(unittest.TestCase):
    def compile_and_run(self, compiler, standard, suffix):
        if not shutil.which(compiler):
            self.skipTest(f"{compiler} is not installed")
        with tempfile.TemporaryDirectory() as folder:
            source, program = pathlib.Path(folder, "program" + suffix), pathlib.Path(folder, "program")
            source.write_text(PROGRAM, encoding="utf-8")
            subprocess.run([compiler, f"-std={standard}", *WARNINGS, *INCLUDES, source, "-o", program], check=True)
            self.assertEqual(subprocess.run([program], check=True, capture_output=True, text=True).stdout, "1 256\n")

    def test_c(self):
        for compiler in ("gcc", "clang"):
            for standard in ("c11", "c17"):
                with self.subTest(compiler=compiler, standard=standard):
                    self.compile_and_run(compiler, standard, ".c")

    def test_cpp(self):
        for compiler in ("g++", "clang++"):
            for standard in ("c++17", "c++20"):
                with self.subTest(compiler=compiler, standard=standard):
                    self.compile_and_run(compiler, standard, ".cpp")


unittest.main(argv=sys.argv[:1], verbosity=2)
