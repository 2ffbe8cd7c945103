# shellcheck shell=sh
# balloon.sh TYPE [MEM_MB]: a guest gives memory back and takes it again while it is migrated live, in both map modes;
# then every page is compared with what arrived (--debug).
. ./lib.sh
type=$1 mem=${2:-48}

# Moves the guest's target between all and 8 MiB less while its memory is copied live. Not earlier: the target domain may
# have as much as the guest was to have when xl began. Of a suspended guest the target stays, but is written all the same:
# each write is an event, which Xen notes in the guest's memory without marking the page dirty (docs/xen-memory.md).
wobble() { # NAME MEM_MB
    path=/local/domain/$(xl domid "$1")/memory/target
    until [ -n "$(save_helper)" ] || [ ! -e /tmp/wobble ]; do sleep 0.1; done
    while [ -e /tmp/wobble ]; do
        grep -q 'Pre-copy ends' /tmp/said || xenstore-write "$path" $((($2 - 8) * 1024))
        sleep 0.3
        # At the end the guest may be gone from here.
        xenstore-exists "$path" && xenstore-write "$path" $(($2 * 1024))
        sleep 0.3
    done
}

migrate() { # NAME MEM_MB MAP
    xenstore-write "/local/domain/$(xl domid "$1")/memory/target" $(($2 * 1024))
    : > /tmp/said
    touch /tmp/wobble
    wobble "$1" "$2" &
    XC_MIGRATE_MAP=$3 XC_MIGRATE_BANDWIDTH=${RATE:-fixed:rate=200M} XC_MIGRATE_STATS=/tmp/stats.json \
        with ours xl -v migrate --debug -s '' "$1" 'env -u XC_MIGRATE_STATS xl migrate-receive' > /tmp/said 2>&1 && whole "$1"
    _migrated=$?
    rm /tmp/wobble
    wait $!
    cat /tmp/said /tmp/stats.json && echo
    return $_migrated
}

n=b-$type
mkguest "$n" "$type" "$mem" fill=2048 dirty=256
fresh "$n" || give_up "$n: start of the guest"
for map in full batch; do
    try "$n" "live migration while ballooning, map $map, compared (--debug)" migrate "$n" "$mem" "$map"
done
xl destroy "$n"
end_cases
