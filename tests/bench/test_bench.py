"""The generator's logs are sound and differ by seed; the decoder and the bare loops agree on them.

usage: test_bench.py GENERATE DECODE EVENTLOG-DUMP STATISTICS LABELS INFO-TABLES
"""
import pathlib
import subprocess
import sys
import tempfile


def main():
    generate, decode, dump, statistics, labels, info_tables = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        logs = [pathlib.Path(folder, f"{seed}.eventlog") for seed in (1, 2)]
        for seed, log in enumerate(logs, 1):
            subprocess.run([generate, "--statistics", statistics, "--size", "5000000", "--seed", str(seed), "--labels",
                            labels, "--info-tables", info_tables, log], check=True)
        assert logs[0].read_bytes() != logs[1].read_bytes(), "the seed changes nothing"
        for log in logs:
            text = subprocess.run([dump, log], check=True, capture_output=True, text=True).stdout
            facts = dict(line.split(" ", 1) for line in text.splitlines() if " " in line)
            assert facts["damages"] == "0" and facts["skipped_bytes"] == "0" and facts["cut_bytes"] == "0", text
            assert facts["ended"] == "1" and facts["epoch_exact"] == "1", text
        if info_tables == "0":  # the bare loops believe lengths, those of info tables lie
            subprocess.run([decode, "--pairs", "1", logs[0]], check=True, timeout=100)
    print("1 kind of log, 0 problems")


main()
