#!/usr/bin/env bash
# Sets a fresh Debian 12 or Ubuntu 24.04 machine up to build, run and test Hearth.
#
# Installs the packages below that are missing, and makes the project's own
# Python environment in .venv. Run it as often as you like: where nothing is
# missing it changes nothing and takes a second.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

packages=(
  cmake ninja-build g++ ccache pkg-config lld
  libgrpc++-dev libgrpc-dev protobuf-compiler protobuf-compiler-grpc libprotobuf-dev
  libabsl-dev libgtest-dev libgmock-dev libbenchmark-dev
  libisal-dev libopenblas-pthread-dev libcli11-dev nlohmann-json3-dev zlib1g-dev libssl-dev libsqlite3-dev
  clang-format iproute2 openssh-client python3 python3-dev python3-venv python3-numpy
)

# What the tests alone need: an sshd of their own on each of their hosts, and
# links that lose and delay packets.
test_packages=(openssh-server iptables libnetfilter-queue-dev)
# And the long campaigns: a compiler that fuzzes.
slow_packages=(clang-14 libclang-rt-14-dev)

say() { printf 'install-dependencies: %s\n' "$*"; }
fail() {
  say "$*" >&2
  exit 1
}

usage() {
  cat <<'USAGE'
usage: deploy/install-dependencies.sh [--no-python] [--tests] [--slow]

Installs what Hearth needs to be built, run and tested on Debian 12 or Ubuntu
24.04, and a Python environment in .venv. Asks sudo where it is not run as root.

  --tests   openssh-server, iptables and libnetfilter-queue-dev, too, for
            tests/network. Where systemd runs, Debian's openssh-server starts its
            service; without these packages those tests are skipped.
  --slow    clang-14 and its fuzzer, too, for tests/run.sh --slow.
USAGE
}

installed() {
  [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

install_packages() {
  local missing=() package
  for package in "${packages[@]}"; do
    installed "$package" || missing+=("$package")
  done
  if ((${#missing[@]} == 0)); then
    say "all ${#packages[@]} packages are installed"
    return
  fi

  command -v apt-get >/dev/null ||
    fail "this machine has no apt-get; install by its own means: ${missing[*]}"
  local as_root=()
  if ((EUID != 0)); then
    command -v sudo >/dev/null ||
      fail "not root and no sudo; as root, run: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  say "installing ${#missing[@]} packages: ${missing[*]}"
  "${as_root[@]}" apt-get update -q
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -q -y --no-install-recommends "${missing[@]}"
}

# The interpreter is named: a pyenv in the PATH may stand before the system's.
python_interpreter() {
  if [[ -x /usr/bin/python3 ]]; then
    echo /usr/bin/python3
  else
    command -v python3 || fail "no python3 was found"
  fi
}

install_python_environment() {
  local venv=$root/.venv requirements=$root/deploy/requirements.txt
  local stamp=$venv/requirements.sha256 wanted
  wanted=$(sha256sum <"$requirements")
  if [[ -f $stamp && $(<"$stamp") == "$wanted" ]] &&
    "$venv/bin/python" -c '' 2>/dev/null; then
    say ".venv is current"
    return
  fi

  if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    say "making .venv with $(python_interpreter)"
    rm -rf "$venv"
    "$(python_interpreter)" -m venv "$venv"
  fi
  say "installing deploy/requirements.txt into .venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    --requirement "$requirements"
  printf '%s\n' "$wanted" >"$stamp"
}

python=true
for argument in "$@"; do
  case $argument in
    --no-python) python=false ;;
    --tests) packages+=("${test_packages[@]}") ;;
    --slow) packages+=("${slow_packages[@]}") ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
  esac
done

if [[ -r /etc/os-release ]]; then
  # shellcheck disable=SC1091  # the system's own file
  system=$(. /etc/os-release && echo "${ID:-}-${VERSION_ID:-}")
  case $system in
    debian-12 | ubuntu-24.04) ;;
    *) say "note: $system is untried; Debian 12 and Ubuntu 24.04 are what Hearth is built on" ;;
  esac
fi
install_packages
if $python; then install_python_environment; fi
