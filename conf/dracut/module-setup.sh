#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Puts the USB gate into an initramfs made by dracut: the agent that lets hubs, boot keyboards and the disk of the running
# system through, and closes every controller as it appears.
#
# With usbcore.authorized_default=0 (kernel command line, or modprobe.d where usbcore is a module) and without the agent
# no USB keyboard works at a passphrase prompt, and nobody gets into a machine with an encrypted disk. So whatever goes
# wrong here ends dracut, and the image from before stays in place.

agent=/usr/sbin/sekimorid

fail() {
    dfatal "sekimori: $1"
    dfatal "sekimori: no initramfs is written, since its USB keyboard would be dead; the one from before stays."
    exit 1
}

# In each image: dracut asks only for a module that is not there by name.
check() {
    return 0
}

depends() {
    echo base
}

# Whatever keyboard is plugged in now or later, not only those that are in use.
installkernel() {
    hostonly='' instmods usbhid hid_generic
}

# shellcheck disable=SC2154 # moddir, initdir and dracutsysrootdir are dracut's
install() {
    [[ -x ${dracutsysrootdir-}$agent ]] || fail "cannot find $agent"
    inst "$agent" || fail "cannot copy $agent"
    [[ -x $initdir$agent ]] || fail "cannot copy $agent"
    # dracut only warns about a library that is missing.
    if ldd "${dracutsysrootdir-}$agent" | grep -q 'not found'; then fail "cannot find a library of $agent"; fi
    inst_multiple cat rm sleep || fail "cannot copy cat, rm and sleep"
    inst_simple "$moddir/sekimori-early.sh" /sbin/sekimori-early || fail "cannot copy sekimori-early"
    inst_hook pre-udev 00 "$moddir/sekimori-start.sh"
    inst_hook cleanup 99 "$moddir/sekimori-stop.sh"
    # Where usbcore is a module, it is closed from its first moment on.
    inst_simple /usr/lib/modprobe.d/sekimori.conf || fail "cannot find modprobe.d/sekimori.conf"

    # A root file system on USB must be reached before there is any configuration: the devices that carry the running
    # system pass by name.
    mkdir -p "$initdir/etc/sekimori" || fail "cannot make /etc/sekimori"
    if ! "${dracutsysrootdir-}$agent" --system-devices >"$initdir/etc/sekimori/system-devices"; then
        # Someone else's kernel tells nothing about the machine that an image is built for.
        if [[ -d /run/systemd/system ]]; then fail "cannot tell which USB devices carry this system"; fi
        dwarn "sekimori: cannot tell which USB devices carry this system; none is let through in the initramfs"
        : >"$initdir/etc/sekimori/system-devices"
    fi
}
