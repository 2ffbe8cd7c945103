# shellcheck shell=sh
# helper.sh [TYPES [MEM_MB]]: our save helper under stock xl, mixed with the stock helper in every direction.
# After each step the guest must still be running, and must compute the same hash over the pattern it wrote before.
. /lib/xenbed.sh
types=${1:-pv,pvh} mem=${2:-32} bad=0
ours=/share/in/libxl-save-helper
stock=/usr/lib/xen-4.17/bin/libxl-save-helper

with() { # ours|stock COMMAND..
    case $1 in ours) h=$ours ;; *) h=$stock ;; esac
    shift
    LIBXL_SAVE_HELPER=$h t "$@"
}

verdict() { # STATUS CASE
    if [ "$1" = 0 ]; then echo "PASS $2"; else echo "FAIL $2"; bad=1; fi
}

save_restore() { # NAME SAVER RESTORER
    with "$2" xl save "$1" /tmp/s && with "$3" xl restore /tmp/s && sha_ok "$1"
    verdict $? "$1: save by $2, restore by $3"
    # The runner looks at what ours wrote with verify-stream-v2, which needs Python.
    if [ "$2-$3" = ours-stock ]; then mv /tmp/s "/share/out/$1.saved"; else rm -f /tmp/s; fi
    xl list "$1" > /dev/null 2>&1 || fresh "$1"
}

fresh() { # NAME: a new guest, after one was lost
    xl create "/tmp/$1.cfg" && waitfor "$1" 'GUEST tick 2 '
}

for type in $(echo "$types" | tr , ' '); do
    for vcpus in 1 2; do
        n=$type$vcpus
        VCPUS=$vcpus mkguest "$n" "$type" "$mem" fill=2048 dirty=256
        fresh "$n" || exit 1
        save_restore "$n" ours stock
        save_restore "$n" stock ours
        save_restore "$n" ours ours
        with ours xl save -c "$n" /tmp/s && rm /tmp/s && sha_ok "$n"
        verdict $? "$n: save -c by ours, and resume"
        with ours xl migrate -s '' "$n" 'xl migrate-receive' && sha_ok "$n"
        verdict $? "$n: live migration, ours on both sides"
        with ours xl migrate --debug -s '' "$n" 'xl migrate-receive' && sha_ok "$n"
        verdict $? "$n: live migration with --debug, compared"
        xl destroy "$n"
    done
done
xl list
exit $bad
