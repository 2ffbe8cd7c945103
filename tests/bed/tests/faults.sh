# shellcheck shell=sh
# faults.sh TYPE [MEM_MB]: a save helper that is killed, a full disk, a cut pipe, damaged files. The guest must run on,
# the next migration must work, and nothing half built may stay.
. ./lib.sh
type=$1 mem=${2:-32}
n=f-$type

intact() { # CASE: the guest runs, alone
    alive "$n" && [ "$(domains)" = 2 ]
    verdict $? "$1"
    exists "$n" || fresh "$n"
}

# save_helper: its process id; busybox has no pgrep
save_helper() {
    for _c in /proc/[0-9]*/cmdline; do
        if tr '\0' ' ' < "$_c" 2> /dev/null | grep -q 'save-helper --save-domain'; then
            _c=${_c#/proc/}
            echo "${_c%/cmdline}"
            return
        fi
    done
}

# Starts a live migration that takes a while, and sends a signal to its save helper.
killed() { # SIGNAL
    XC_MIGRATE_BANDWIDTH=fixed:rate=40M with ours xl migrate -s '' "$n" 'xl migrate-receive' &
    i=0
    until [ -n "$(save_helper)" ] || [ $i -gt 100 ]; do
        sleep 0.2
        i=$((i + 1))
    done
    sleep 1
    kill "-$1" "$(save_helper)" || return 1
    ! wait $!
}

mkguest "$n" "$type" "$mem" fill=2048 dirty=256
fresh "$n" || exit 1
for signal in TERM KILL; do
    killed $signal
    verdict $? "$n: SIG$signal of the save helper fails the migration"
    intact "$n: the guest runs on after SIG$signal"
    with ours xl migrate -s '' "$n" 'xl migrate-receive' && sha_ok "$n"
    verdict $? "$n: the next migration after SIG$signal"
done

mount -t tmpfs -o size=4m tmpfs /mnt
! with ours xl save "$n" /mnt/s
verdict $? "$n: a full disk fails the save"
umount /mnt
intact "$n: the guest runs on after a full disk"

! with ours xl migrate -s '' "$n" 'head -c 3000000 | xl migrate-receive'
verdict $? "$n: a cut pipe fails the migration"
intact "$n: the guest runs on after a cut pipe"

# From here on the guest is a file.
with ours xl save "$n" /tmp/s || exit 1
size=$(stat -c %s /tmp/s)

refused() { # FILE CASE
    ! with ours xl restore "$1" && [ "$(domains)" = 1 ]
    verdict $? "$n: $2 is refused, and no domain stays"
}

i=1
while [ $i -le 20 ]; do
    at=$((size * i / 21))
    head -c $at /tmp/s > /tmp/damaged
    refused /tmp/damaged "a file cut at byte $at of $size"
    i=$((i + 1))
done

# The libxc stream is behind xl's header with its configuration, libxl's header and one empty record.
libxc=$((48 + $(od -An -tu4 -j44 -N4 /tmp/s) + 16 + 8))
for field in 0:marker 8:name 12:version 24:type 28:page-shift 40:record-type 44:record-length; do
    cp /tmp/s /tmp/damaged
    at=$((libxc + ${field%%:*}))
    byte=$(od -An -tu1 -j$at -N1 /tmp/s)
    # shellcheck disable=SC2059 # the format is one octal escape
    printf "\\$(printf %o $((byte ^ 64)))" | dd of=/tmp/damaged bs=1 seek=$at conv=notrunc 2> /dev/null
    refused /tmp/damaged "a file with a flipped bit in its ${field#*:}"
done
rm /tmp/damaged
with ours xl restore /tmp/s && sha_ok "$n"
verdict $? "$n: the undamaged file is restored"
end_cases
