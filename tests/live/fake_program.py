#!/usr/bin/env python3
"""A program as evpipe starts one, by steps: what a Haskell program does with its eventlog, and what it should not do.

    fake_program.py FIFO STEP...

    open          as GHC's run-time system does since 9.0: for reading and writing, so that it never gets SIGPIPE
    open-to-write as GHC 8.8 does: waits for a reader
    write=FILE    writes it whole; with =FILE,BEGIN,END a part
    close
    wait=FILE     until the file is there
    await=N       until N signals of the kinds that are taken have come
    take=NAMES    TERM,INT: counts them instead of ending
    note=FILE     writes what is known of the process into the file, as JSON; whole when it is there
    child=FILE    a child that has the FIFO open until the file is there
    exit=N, kill=N
"""
import json
import os
import signal
import stat
import sys
import time


def write_all(fifo, data):
    while data:
        data = data[os.write(fifo, data):]


def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.005)


def facts(path, signals):
    descriptors = sorted(int(name) for name in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + name))
    known = {"pid": os.getpid(), "directory": os.getcwd(), "environment": dict(os.environ), "arguments": sys.argv, "descriptors": descriptors,
             "signals": signals, "group": os.getpgrp(), "stdin": os.readlink("/proc/self/fd/0")}
    if os.path.exists(path):
        known["modes"] = [stat.S_IMODE(os.stat(place).st_mode) for place in (os.path.dirname(path), path)]
    return json.dumps(known)


def note(target, text):
    with open(target + ".part", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(target + ".part", target)


def main():
    path, steps = sys.argv[1], sys.argv[2:]
    fifo, signals = None, []
    for step in steps:
        word, _, value = step.partition("=")
        if word == "open":
            fifo = os.open(path, os.O_RDWR)
        elif word == "open-to-write":
            fifo = os.open(path, os.O_WRONLY)
        elif word == "write":
            name, *part = value.split(",")
            with open(name, "rb") as file:
                write_all(fifo, file.read()[slice(*(int(number) if number else None for number in part)) if part else slice(None)])
        elif word == "close":
            os.close(fifo)
        elif word == "wait":
            wait_for(value)
        elif word == "await":
            while len(signals) < int(value):
                time.sleep(0.005)
        elif word == "take":
            for name in value.split(","):
                signal.signal(getattr(signal, "SIG" + name), lambda number, frame: signals.append(number))
        elif word == "note":
            note(value, facts(path, signals))
        elif word == "child":
            if not os.fork():
                wait_for(value)
                os._exit(0)
        elif word == "exit":
            os._exit(int(value))
        elif word == "kill":
            signal.signal(int(value), signal.SIG_DFL) if int(value) != signal.SIGKILL else None
            os.kill(os.getpid(), int(value))
        else:
            sys.exit(f"{step}: not understood")


main()
