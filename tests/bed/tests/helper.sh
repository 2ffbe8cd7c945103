# shellcheck shell=sh
# helper.sh TYPE [MEM_MB]: our save helper under stock xl, mixed with the stock helper in every direction.
# After each step the guest must still be running, and must compute the same hash over the pattern it wrote before.
. ./lib.sh
type=$1 mem=${2:-32}

save_restore() { # NAME SAVER RESTORER
    with "$2" xl save "$1" /tmp/s && with "$3" xl restore /tmp/s && whole "$1"
}

save_resume() { # NAME
    with ours xl save -c "$1" /tmp/s && rm /tmp/s && whole "$1"
}

migrate() { # NAME [OPTION]
    with ours xl migrate ${2:+"$2"} -s '' "$1" 'xl migrate-receive' && whole "$1"
}

for vcpus in 1 2; do
    n=$type$vcpus
    VCPUS=$vcpus mkguest "$n" "$type" "$mem" fill=2048 dirty=256
    fresh "$n" || give_up "$n: start of the guest"
    try "$n" "save by ours, restore by stock" save_restore "$n" ours stock
    # The runner looks at what ours wrote with verify-stream-v2, which needs Python.
    mv /tmp/s "/share/out/$n.saved"
    try "$n" "save by stock, restore by ours" save_restore "$n" stock ours
    try "$n" "save by ours, restore by ours" save_restore "$n" ours ours
    rm -f /tmp/s
    try "$n" "save -c by ours, and resume" save_resume "$n"
    for map in full batch; do
        export XC_MIGRATE_MAP=$map
        try "$n" "live migration, map $map" migrate "$n"
    done
    try "$n" "live migration under load, compared (--debug)" migrate "$n" --debug
    xl destroy "$n"
done
end_cases
