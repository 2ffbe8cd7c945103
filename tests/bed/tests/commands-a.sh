# shellcheck shell=sh
# commands-a.sh [MEM_MB]: host A of two (xenbed pair tests/commands-a.sh tests/commands-b.sh): of each type, xc-migrate over
# TCP to xc-restore on host B, then, of a second guest, to stock xl there.
. ./lib.sh
mem=${1:-32}
mkdir -p /tmp/bin && cp /share/in/xc-* /share/in/libxl-save-helper /tmp/bin && PATH=/tmp/bin:$PATH

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
send pv-ours pv xc-migrate pv-ours tcp://10.77.0.2:7001
send pv-stock pv xc-migrate -s '' pv-stock 'xenbed-connect 10.77.0.2 8001'
send pvh-ours pvh xc-migrate pvh-ours tcp://10.77.0.2:7002
send pvh-stock pvh xc-migrate -s '' pvh-stock 'xenbed-connect 10.77.0.2 8002'
end_cases
