#!/usr/bin/env bash
# Get a Debian kernel with virtual Bluetooth for tests/bluez, once, outside the repository, and print its folder.
#
# The kernel is downloaded (70 MB) and unpacked, never installed. It is booted by QEMU, with a first file system
# in memory that only mounts the host's / (read-only, under a layer in memory) and a shared folder, and then runs
# that folder's `start`. Needs Debian and these packages, which the test uses too:
#   apt-get install qemu-system-x86 bluez dbus busybox-static cpio kmod
set -euo pipefail

PATH="$PATH:/usr/sbin:/sbin"
for program in qemu-system-x86_64 dbus-daemon busybox cpio modprobe apt-get dpkg-deb; do
    if ! command -v "$program" >/dev/null; then
        echo "bluez.sh: $program is missing; see the first lines of this script for the packages" >&2
        exit 1
    fi
done
if [ ! -x /usr/libexec/bluetooth/bluetoothd ]; then
    echo "bluez.sh: bluetoothd is missing; see the first lines of this script for the packages" >&2
    exit 1
fi
if ldd "$(command -v busybox)" >/dev/null 2>&1; then
    echo "bluez.sh: this busybox needs libraries that the guest does not have yet; install busybox-static" >&2
    exit 1
fi

package="$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)"
if [ -z "$package" ]; then
    echo "bluez.sh: apt knows no linux-image-amd64; run apt-get update, or use Debian" >&2
    exit 1
fi
cache="${POISE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/poise}"
target="$cache/bluez-${package#linux-image-}-$(cksum <"${BASH_SOURCE[0]}" | cut -d ' ' -f 1)"
if [ -e "$target/initrd.gz" ]; then
    echo "$target"
    exit 0
fi

mkdir -p "$cache"
work="$(mktemp -d "$cache/bluez-build.XXXXXX")"
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/made" "$work/kernel" "$work"/first/{bin,proc,sys,dev,lower,layer,whole,modules}
cd "$work"
apt-get download -q "$package" >&2
dpkg-deb --fsys-tarfile "$package"_*.deb | tar -x -C kernel --wildcards './boot/vmlinuz-*' '*lib/modules/*'
[ -e kernel/lib ] || ln -s usr/lib kernel/lib
release="$(basename kernel/lib/modules/*)"
cp "kernel/boot/vmlinuz-$release" made/vmlinuz
depmod -b "$work/kernel" "$release"

# What the guest needs, each after what it depends on; what is built in needs no file.
needed="virtio_pci virtio_console 9pnet_virtio 9p overlay cmac ecb ecdh_generic algif_hash algif_skcipher uhid hci_vhci"
number=100
for module in $needed; do
    modprobe -d "$work/kernel" -S "$release" --show-depends "$module" | sed -n 's/^insmod \([^ ]*\).*/\1/p'
done | awk '!seen[$0]++' | while read -r file; do
    number=$((number + 1))
    case "$file" in
        *.xz) xz -dc "$file" >"first/modules/$number.ko" ;;
        *.zst) zstd -dcq "$file" >"first/modules/$number.ko" ;;
        *) cp "$file" "first/modules/$number.ko" ;;
    esac
done

cp "$(command -v busybox)" first/bin/busybox
cat >first/init <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in /modules/*.ko; do insmod $module || echo "insmod $module failed"; done
plan9=trans=virtio,version=9p2000.L,msize=524288
mount -t 9p -o $plan9,cache=loose,ro host /lower || poweroff -f
mount -t tmpfs layer /layer
mkdir /layer/upper /layer/work
mount -t overlay -o lowerdir=/lower,upperdir=/layer/upper,workdir=/layer/work overlay /whole || poweroff -f
mount -t proc proc /whole/proc
mount -t sysfs sys /whole/sys
mount -t devtmpfs dev /whole/dev
mount -t tmpfs run /whole/run
mkdir /whole/run/share
mount -t 9p -o $plan9 share /whole/run/share || poweroff -f
exec switch_root /whole /bin/sh /run/share/start
INIT
chmod +x first/init
(cd first && find . | cpio -o -H newc --quiet | gzip -1) >made/initrd.gz
rm -rf "$cache"/bluez-[0-9]*  # older kernels
mv made "$target"
echo "$target"
