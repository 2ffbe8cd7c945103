# shellcheck shell=sh
# bench.sh [MEM_MB [REPEATS]]: the stock save helper against ours with either way to map, interleaved, in one boot: a
# plain save and a live migration of a PV and a PVH guest. Prints one line a measurement:
#   MEASURED guest what helper wall user sys downtime hypercalls maps bytes
# Times in seconds. Calls and bytes are counted in runs of their own, for counting takes longer than what is counted;
# those lines have times of 0, and the others counts of 0.
. ./lib.sh
mem=${1:-256} repeats=${2:-3}

# The helpers' processes are measured, not xl's. $how is "time" or "count".
cat > /tmp/measured << 'X'
#!/bin/sh
case "$how $1" in
    time*--save-domain) exec time -o /tmp/time -f '%e %U %S' "$helper" "$@" ;;
    count*--save-domain) exec strace -f -q -o /tmp/calls -e trace=ioctl,write,writev "$helper" "$@" ;;
    *) exec "$helper" "$@" ;;
esac
X
chmod +x /tmp/measured
export LIBXL_SAVE_HELPER=/tmp/measured helper how XC_MIGRATE_MAP

# Stock's is in dom0's memory, too; from /share a program starts slowly.
cp /share/in/libxl-save-helper /tmp/ours

choose() { # stock|batch|full
    helper=/tmp/ours XC_MIGRATE_MAP=$1
    if [ "$1" = stock ]; then helper=/usr/lib/xen-4.17/bin/libxl-save-helper; fi
}

# The uptime (ms) at the end of the last gap that the guest told of. Its console has more than one log: they are in no order.
last_gap() { # GUEST
    conlog "$1" | awk '/GUEST gap/ && $3 > last { last = $3 } END { print last + 0 }'
}

# The longest gap since, in seconds.
longest_gap() { # GUEST SINCE
    conlog "$1" | awk -v since="$2" '/GUEST gap/ && $3 > since && $4 > longest { longest = $4 }
        END { printf "%.3f\n", longest / 1000 }'
}

# Requests to Xen, requests to map, and bytes written to the stream (descriptor 1 is libxl's). The result of a call that
# another thread's line cuts in two is on its second line.
calls() {
    awk '/ioctl\(/ && /0x50, 0, / { xen++ } /ioctl\(/ && /0x50, 0x4, / { map++ }
        / writev?[( ]/ && !/ write\(1,/ && $NF > 0 { bytes += $NF } END { print xen + 0, map + 0, bytes + 0 }' /tmp/calls
}

operate() { # GUEST save|migrate
    case $2 in
        save) xl save "$1" /tmp/s && xl restore /tmp/s && rm /tmp/s ;;
        migrate) xl migrate -s '' "$1" 'xl migrate-receive' ;;
    esac > /tmp/said 2>&1 || { cat /tmp/said; return 1; }
}

measure() { # GUEST save|migrate stock|batch|full
    choose "$3"
    since=$(last_gap "$1")
    operate "$1" "$2" && alive "$1" || return 1
    case $how in
        time) echo "MEASURED $1 $2 $3 $(cat /tmp/time) $(longest_gap "$1" "$since") 0 0 0" ;;
        count) echo "MEASURED $1 $2 $3 0 0 0 0 $(calls)" ;;
    esac
}

for type in pv pvh; do
    mkguest $type $type "$mem" fill=2048 dirty=256 gaps=100
    fresh $type || exit 1
    round=0
    while [ $round -le "$repeats" ]; do
        how='time'
        if [ $round = 0 ]; then how='count'; fi
        for what in save migrate; do
            for who in stock batch full; do
                measure $type $what $who || exit 1
            done
        done
        round=$((round + 1))
    done
    whole $type || exit 1
    xl destroy $type
done
xl list
