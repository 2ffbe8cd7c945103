# shellcheck shell=sh
# faults.sh TYPE [MEM_MB]: a save helper that is killed, a full disk, a cut pipe, damaged files. xl must say why, the
# guest must run on without its dirty log, the next migration must work, and nothing half built may stay.
. ./lib.sh
type=$1 mem=${2:-32} seed=${SEED:-$(date +%s)}
n=f-$type

# says REGEX: xl said so
says() { grep -q -E "$1" /tmp/said; }

# unharmed FAULT: behind a save that failed
unharmed() {
    whole "$n" && [ "$(domains)" = 2 ] && ! logs_dirty "$n"
    verdict $? "$n: after $1 the guest runs on, alone and without its dirty log"
    exists "$n" || fresh "$n"
    with ours xl migrate -s '' "$n" 'xl migrate-receive' && whole "$n"
    verdict $? "$n: after $1 the next migration succeeds"
    exists "$n" || fresh "$n"
}

# killed SIGNAL: sends it to the save helper of a live migration that takes a while
killed() {
    XC_MIGRATE_BANDWIDTH=fixed:rate=${RATE:-8M} with ours xl migrate -s '' "$n" 'xl migrate-receive' > /tmp/said 2>&1 &
    _j=0
    until [ -n "$(save_helper)" ] && logs_dirty "$n"; do
        sleep 0.2
        _j=$((_j + 1))
        if [ $_j -gt 100 ]; then echo "the dirty log was never on"; wait $!; return 1; fi
    done
    kill "-$1" "$(save_helper)"
    ! wait $!
}

mkguest "$n" "$type" "$mem" fill=2048 dirty=256
fresh "$n" || give_up "$n: start of the guest"

killed TERM && says 'error: .*SIGTERM'
verdict $? "$n: SIGTERM of the save helper fails the migration, and xl says so"
cat /tmp/said
unharmed SIGTERM

killed KILL && says 'signal Killed'
verdict $? "$n: SIGKILL of the save helper fails the migration, and xl says so"
cat /tmp/said
unharmed SIGKILL

mount -t tmpfs -o size=4m tmpfs /mnt
! with ours xl save "$n" /mnt/s > /tmp/said 2>&1 && says 'error: .*No space left on device'
verdict $? "$n: a full disk fails the save, and xl says so"
cat /tmp/said
umount /mnt
unharmed 'a full disk'

! with ours xl migrate -s '' "$n" 'head -c 3000000 | xl migrate-receive' > /tmp/said 2>&1 &&
    says 'error: .*(Broken pipe|Connection reset)'
verdict $? "$n: a cut pipe fails the migration, and xl says so"
cat /tmp/said
unharmed 'a cut pipe'

# From here on the guest is a file.
with ours xl save "$n" /tmp/s || give_up "$n: save by ours"
size=$(stat -c %s /tmp/s)

# refused FILE CASE
refused() {
    ! with ours xl restore "$1" > /tmp/said 2>&1 && [ "$(domains)" = 1 ] && says 'error: '
    verdict $? "$n: $2 is refused, xl says why, and no domain stays"
    grep error: /tmp/said || cat /tmp/said
}

# random COUNT: so many numbers below the file's size
random() {
    awk -v seed="$seed" -v count="$1" -v size="$size" \
        'BEGIN { srand(seed); for (i = 0; i < count; i++) printf "%d\n", rand() * size }'
}

# flip BYTE BIT: a copy of the file with one bit changed
flip() {
    cp /tmp/s /tmp/damaged
    _byte=$(od -An -tu1 -j"$1" -N1 /tmp/s)
    # shellcheck disable=SC2059 # the format is one octal escape
    printf "\\$(printf %o $((_byte ^ (1 << $2))))" | dd of=/tmp/damaged bs=1 seek="$1" conv=notrunc 2> /dev/null
}

echo "places by seed $seed: run-tests with SEED=$seed has the same"
for at in $(random 20); do
    head -c "$at" /tmp/s > /tmp/damaged
    refused /tmp/damaged "a file cut at byte $at of $size"
done

# The libxc stream is behind xl's header with its configuration, libxl's header and one empty record.
libxc=$((48 + $(od -An -tu4 -j44 -N4 /tmp/s) + 16 + 8))
for field in 0:marker 8:name 12:version 24:type 28:page-shift 40:record-type 44:record-length; do
    flip $((libxc + ${field%%:*})) 6
    refused /tmp/damaged "a file with a flipped bit in its ${field#*:}"
done

# kept: domains that have ended, and that Xen keeps all the same; they have no name any more
kept() { xl list | grep -c '^(null) '; }

# only_xens BEFORE: no domain stays but those that Xen keeps; if they are not BEFORE, they are one more, and one more
# again when stock xl has refused the same file: Xen's own fault ("Things that bite")
only_xens() {
    [ $(($(domains) - $(kept))) = 1 ] || return 1
    [ "$(kept)" = "$1" ] && return
    echo "Xen keeps a domain that ended; with the stock helper:"
    [ "$(kept)" = $(($1 + 1)) ] && ! with stock xl restore -p /tmp/damaged && [ "$(kept)" = $(($1 + 2)) ]
}

# Most of a file is pages, and nothing in it tells what they should be: a restore may succeed there.
for at in $(random 8); do
    flip "$at" $((at % 8))
    before=$(kept)
    with ours xl restore -p /tmp/damaged > /tmp/said 2>&1
    status=$?
    if [ $status = 0 ]; then xl destroy "$n"; else says 'error: '; fi && only_xens "$before"
    verdict $? "$n: a file with a flipped bit in byte $at (restored or refused: $status) leaves nothing behind that stock would not"
done
rm /tmp/damaged
with ours xl restore /tmp/s && whole "$n"
verdict $? "$n: the undamaged file is restored"
xl destroy "$n"
rm /tmp/s
end_cases
