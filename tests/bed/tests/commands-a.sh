# shellcheck shell=sh
# commands-a.sh [MEM_MB]: host A of two (xenbed pair tests/commands-a.sh tests/commands-b.sh): of each type, one guest goes
# by xc-migrate over TCP to xc-restore on host B, one by xc-migrate to stock xl, and one by stock xl to xc-migrate-receive.
. ./lib.sh
mem=${1:-32}
our_commands

send() { # GUEST TYPE COMMAND..
    _n=$1 _type=$2
    shift 2
    mkguest "$_n" "$_type" "$mem" fill=2048 dirty=256
    fresh "$_n" && whole "$_n" && t "$@" && ! exists "$_n"
    verdict $? "$_n: $* from host A, and gone there"
}

i=0
until ping -c 1 -W 1 10.77.0.2 > /dev/null 2>&1; do
    i=$((i + 1)); [ $i -lt 120 ] || { echo "host B is not there"; exit 1; }
done
port=7001
for type in pv pvh; do
    send $type-ours $type xc-migrate $type-ours tcp://10.77.0.2:$port
    send $type-stock $type xc-migrate -s '' $type-stock "xenbed-connect 10.77.0.2 $((port + 1000))"
    send $type-theirs $type migrate_with stock $type-theirs "xenbed-connect 10.77.0.2 $((port + 2000))"
    port=$((port + 1))
done
end_cases
