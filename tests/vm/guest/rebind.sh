#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Tries by force to give a USB interface to a driver, as an administrator with a shell might.
#
#   rebind.sh bind DRIVER INTERFACE            e.g. bind usb-storage 1-2:1.0
#   rebind.sh new-id DRIVER VENDOR PRODUCT     makes the driver claim to support the device
#   rebind.sh probe INTERFACE                  asks the bus to look for a driver again
#   rebind.sh authorize NAME VALUE             writes the kernel's switch for a device or an interface
#
# Prints "ok" or the kernel's error text; exits 0 either way, so that the scenario compares.
bus=/sys/bus/usb
attempt() { # attempt VALUE FILE
    if message=$( { printf '%s' "$1" > "$2"; } 2>&1); then echo ok; else echo "${message##*: }"; fi
}
case $1 in
bind) modprobe -q "$2"; attempt "$3" "$bus/drivers/$2/bind" ;;
new-id) modprobe -q "$2"; attempt "$3 $4" "$bus/drivers/$2/new_id" ;;
probe) attempt "$2" "$bus/drivers_probe" ;;
authorize) attempt "$3" "$bus/devices/$2/authorized" ;;
*) echo "usage: $0 bind|new-id|probe|authorize ..." >&2; exit 2 ;;
esac
