# shellcheck shell=sh
# helper.sh TYPE [MEM_MB]: our save helper under stock xl, mixed with the stock helper in every direction.
# After each step the guest must still be running, and must compute the same hash over the pattern it wrote before.
. ./lib.sh
type=$1 mem=${2:-32}

save_restore() { # NAME SAVER RESTORER
    with "$2" xl save "$1" /tmp/s && with "$3" xl restore /tmp/s && whole "$1"
    verdict $? "$1: save by $2, restore by $3"
    # The runner looks at what ours wrote with verify-stream-v2, which needs Python.
    if [ "$2-$3" = ours-stock ]; then mv /tmp/s "/share/out/$1.saved"; else rm -f /tmp/s; fi
    exists "$1" || fresh "$1"
}

for vcpus in 1 2; do
    n=$type$vcpus
    VCPUS=$vcpus mkguest "$n" "$type" "$mem" fill=2048 dirty=256
    fresh "$n" || give_up "$n: start of the guest"
    save_restore "$n" ours stock
    save_restore "$n" stock ours
    save_restore "$n" ours ours
    with ours xl save -c "$n" /tmp/s && rm /tmp/s && whole "$n"
    verdict $? "$n: save -c by ours, and resume"
    for map in full batch; do
        export XC_MIGRATE_MAP=$map
        with ours xl migrate -s '' "$n" 'xl migrate-receive' && whole "$n"
        verdict $? "$n: live migration, map $map"
    done
    with ours xl migrate --debug -s '' "$n" 'xl migrate-receive' && whole "$n"
    verdict $? "$n: live migration under load, compared (--debug)"
    xl destroy "$n"
done
end_cases
