#!/bin/bash
# swift_root.sh ROOT REPOSITORY FOLDER COMMAND...: runs COMMAND in FOLDER of the repository, inside a Debian folder that
# holds Swift. The folder ROOT is made on first use: packages are fetched with apt and unpacked, nothing is installed.
# The namespaces end with the command, so there is nothing to unmount, and the command has no network.
# Wants apt, dpkg-deb, unshare, Debian's archive keyring, and DEBIAN_MIRROR, the address of a Debian archive.
set -eu
umask 022
export ROOT=$(realpath -m "$1") REPOSITORY=$(realpath "$2") FOLDER="$3"
shift 3
if [ ! -e "$ROOT/ready" ]; then
  apt="$ROOT.apt"
  rm -rf "$ROOT" "$apt"
  mkdir -p "$apt"/{lists,archives}/partial "$apt"/etc/{apt.conf.d,preferences.d} \
    "$ROOT"/{usr/{bin,sbin,lib,lib64},proc,dev,remotemedia,tmp,root}
  for folder in bin sbin lib lib64; do ln -s usr/$folder "$ROOT/$folder"; done
  for device in null zero urandom; do : > "$ROOT/dev/$device"; done
  : > "$apt/status"
  export APT_CONFIG="$apt/apt.conf"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $DEBIAN_MIRROR trixie main" > "$apt/etc/sources.list"
  cat > "$APT_CONFIG" <<END
Dir::Etc "$apt/etc";
Dir::State "$apt";
Dir::State::status "$apt/status";
Dir::Cache "$apt";
APT::Install-Recommends "false";
APT::Architecture "amd64";
APT::Architectures {"amd64";};
Acquire::Languages "none";
Acquire::Retries "3";
Debug::NoLocking "true";
APT::Sandbox::User "";
END
  apt-get update -qq
  apt-get install -y -qq --download-only swiftlang libc6-dev dash coreutils base-files
  # Left out: documentation, the static library, the debugger and the language server.
  for package in "$apt"/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -C "$ROOT" --no-same-owner --keep-directory-symlink \
      --exclude='./dev/*' --exclude='./usr/share/[dml]*' --exclude='./usr/libexec/swift/lib/swift_static' \
      --exclude='*/liblldb*' --exclude='*/libsourcekitdInProc.so' --exclude='*/libLTO*' \
      --exclude='./usr/libexec/swift/bin/lld*' --exclude='*/clangd' --exclude='*/sourcekit-lsp' \
      --exclude='*/docc' --exclude='*/swift-format' -xf -
  done
  rm -rf "$apt"
  touch "$ROOT/ready"
fi
user="--user --map-root-user"
[ "$(id -u)" = 0 ] && user=
exec unshare $user --mount --pid --net --fork --kill-child bash -euc '
  for device in null zero urandom; do mount --bind /dev/$device "$ROOT/dev/$device"; done
  mount -t proc proc "$ROOT/proc"
  mount --rbind "$REPOSITORY" "$ROOT/remotemedia"
  library=/remotemedia/bindings/swift/generated/lib
  exec chroot "$ROOT" /usr/bin/env -i HOME=/root PATH=/usr/libexec/swift/bin:/usr/bin LANG=C.UTF-8 \
    LIBRARY_PATH=$library LD_LIBRARY_PATH=$library REMOTEMEDIA_ROOT=/remotemedia FOLDER="$FOLDER" \
    dash -c "cd \"/remotemedia/\$FOLDER\" && exec \"\$@\"" dash "$@"' bash "$@"
