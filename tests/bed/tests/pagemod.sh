# shellcheck shell=sh
# pagemod.sh TYPE [MEM_MB [RATE]]: xc-pagemod, the static binary, in a guest's initramfs: the rate that it tells is the one
# that Xen's log-dirty shows, and it goes on when the guest is migrated.
. ./lib.sh
type=$1 rate=${3:-4000}
n=m-$type
our_commands

# One archive behind the other is one initramfs to the kernel. They are compressed together: of two that are compressed xl
# unpacks the first alone.
mkdir -p /tmp/more/bin
cp /share/in/xc-pagemod /tmp/more/bin/
{ zcat /assets/guest.cpio.gz; (cd /tmp/more && find . | cpio -o -H newc); } | gzip -1 > /tmp/pagemod.cpio.gz
RAMDISK=/tmp/pagemod.cpio.gz mkguest "$n" "$type" "${2:-64}" fill=2048 "pagemod=16M:$rate"
fresh "$n" || give_up "$n: start of the guest"

# said: how often it told its rate
said() { count "$n" 'GUEST pagemod pages/s'; }

# achieved FIRST: the least and the most of the rates that it told since it had told FIRST of them
achieved() {
    conlog "$n" | awk -v first="$1" '/GUEST pagemod pages/ && ++told > first {
        if (!least || $NF < least) least = $NF
        if ($NF > most) most = $NF
    } END { print least + 0, most + 0 }'
}

# logged: pages/s in Xen's dirty log
logged() { sed -n 's/.* \([0-9]*\) dirty pages.*/\1/p' /tmp/said; }

# logs_all LOGGED LEAST MOST: all that was written is in the log, and no more beside it than such a guest writes when it is
# idle, some 400 pages/s. The machine is shared, and the rate not the same each second.
logs_all() {
    echo "in the dirty log $1 pages/s, written $2 to $3"
    awk -v logged="$1" -v least="$2" -v most="$3" \
        'BEGIN { exit !(least > 0 && logged > 0.9 * least && logged < 1.1 * most + 1000) }'
}

waitfor "$n" 'GUEST pagemod pages/s' 60 3
verdict $? "$n: xc-pagemod runs in the guest"

before=$(said)
xc-migrate record --slot 100ms --for 5s "$n" /tmp/r 2> /tmp/said
cat /tmp/said
# shellcheck disable=SC2046 # two numbers
logs_all "$(logged)" $(achieved "$before")
verdict $? "$n: xc-pagemod writes as much as the dirty log shows"

xc-migrate --stop fni:n=3 -s '' "$n" xc-migrate-receive && whole "$n" &&
    waitfor "$n" 'GUEST pagemod pages/s' 60 $(($(said) + 3)) && [ "$(achieved $(($(said) - 2)))" != '0 0' ]
verdict $? "$n: xc-pagemod goes on after a live migration"
xl destroy "$n"
end_cases
