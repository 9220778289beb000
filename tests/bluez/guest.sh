# All that runs inside the guest: its Bluetooth, and the gateway as the test orders it over the port "orders".
# The test puts PYTHON, PYTHONPATH and TOOLS (this folder) in front of this file. Root is the host's /, read-only.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 PYTHONPATH PYTHONDONTWRITEBYTECODE=1
share=/run/share
spool=/run/spool
mkdir -p /run/dbus /run/lock /var/lib/bluetooth "$spool"
mount -t tmpfs bluetooth /var/lib/bluetooth

for port in /sys/class/virtio-ports/*; do
    case "$(cat "$port/name")" in
        clock) clock="/dev/${port##*/}" ;;
        hci) hci="/dev/${port##*/}" ;;
        orders) orders="/dev/${port##*/}" ;;
    esac
done

dbus-daemon --system --nopidfile --fork
"$PYTHON" -I -S "$TOOLS/relay.py" "$hci" "$clock" &
printf '[Policy]\nAutoEnable=true\n' >/run/bluetooth.conf
/usr/libexec/bluetooth/bluetoothd -n -f /run/bluetooth.conf &

exec 3<>"$orders"
echo '{"booted": true}' >&3
while read -r order rest <&3; do
    case "$order" in
        # shellcheck disable=SC2086 # several words
        gateway) ("$PYTHON" "$TOOLS/gateway.py" "$spool/spool.db" $rest >&3; echo "{\"ended\": $?}" >&3) & ;;
        # shellcheck disable=SC2086
        kill) kill $rest ;;
        off)
            cp "$spool"/* "$share/"
            sync
            echo '{"off": true}' >&3
            break
            ;;
    esac
done
echo o >/proc/sysrq-trigger
sleep 10
