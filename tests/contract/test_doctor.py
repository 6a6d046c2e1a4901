"""doctor: what was looked at, as the contract names its fields, and its exit status."""

import json

from hearth_process import run

NAMES = {"kernel", "sharing", "memory", "huge-pages", "open-files", "processor", "blas", "handles"}


def checks_of(result):
    return {check["name"]: check for check in json.loads(result.out)["checks"]}


def test_every_check_says_what_was_found():
    result = run("doctor", "--json")
    checks = checks_of(result)
    assert set(checks) == NAMES
    for check in checks.values():
        assert list(check) == ["name", "state", "found", "advice"]
        assert check["state"] in ("ok", "warn", "fail") and check["found"]
        assert (check["advice"] == "") == (check["state"] == "ok"), check
    failed = any(check["state"] == "fail" for check in checks.values())
    assert result.status == (1 if failed else 0) and result.err == ""


def test_the_text_fits_a_terminal():
    result = run("doctor")
    assert result.status == 0 and result.err == "", result
    text = result.out
    assert all(len(line) <= 80 for line in text.splitlines()), text
    assert "memory is shared, sealed and mapped" in text


def test_a_cluster_that_does_not_answer_is_a_fail():
    result = run("doctor", "--json", "--cluster", "unix-abstract:nobody-listens-here")
    assert result.status == 1 and result.err == ""
    assert checks_of(result)["cluster"]["state"] == "fail"


def test_a_low_limit_of_open_files_is_a_warning():
    result = run("doctor", "--json", within=("prlimit", "--nofile=512:512"))
    assert result.status == 0
    check = checks_of(result)["open-files"]
    assert check["state"] == "warn" and "up to 512" in check["found"] and "ulimit -Hn" in check["advice"]
