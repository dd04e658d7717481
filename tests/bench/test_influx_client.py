"""The bare client sends every body, in order, on one connection, and does not take a refusal for success.

usage: test_influx_client.py INFLUX-CLIENT
"""
import gzip
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import http_backend  # noqa: E402


def run(client, backend, bodies):
    words = [client, str(backend.port), "/write?db=bench&precision=ns", *bodies]
    return subprocess.run(words, capture_output=True, text=True, timeout=60)


def main():
    client = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        texts = [b"".join(b"m,n=%d value=%di %d\n" % (body, line, line) for line in range(50000)) for body in range(5)]
        bodies = [pathlib.Path(folder, f"{number}.gz") for number in range(5)]
        for path, text in zip(bodies, texts):
            path.write_bytes(gzip.compress(text, 1))

        backend = http_backend.HttpBackend()
        result = run(client, backend, bodies)
        backend.close()
        assert result.returncode == 0, result.stderr
        assert result.stdout.startswith(f"5 requests {sum(path.stat().st_size for path in bodies)} bytes "), result.stdout
        assert [request.body for request in backend.requests] == texts, "not the same bodies"
        assert backend.requests[0].query == {"db": "bench", "precision": "ns"}, backend.requests[0].query
        assert backend.connections == 1, f"{backend.connections} connections"

        for what, message in ((400, "HTTP/1.1 400"), ("reset", ""), ("garbage", "")):
            backend = http_backend.HttpBackend([http_backend.Answer(204), http_backend.Answer(what)])
            result = run(client, backend, bodies)
            backend.close()
            assert result.returncode == 1 and message in result.stderr, (what, result)
            assert len(backend.requests) == 2, f"went on after {what}"
    print("4 cases, 0 problems")


main()
