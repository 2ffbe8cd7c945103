# shellcheck shell=sh
# commands-a.sh TYPE [MEM_MB]: host A of two (xenbed pair tests/commands-a.sh tests/commands-b.sh): xc-migrate over TCP to
# xc-restore on host B, then, of a second guest, to stock xl there.
. ./lib.sh
type=$1 mem=${2:-32}
mkdir -p /tmp/bin && cp /share/in/xc-* /share/in/libxl-save-helper /tmp/bin && PATH=/tmp/bin:$PATH

send() { # GUEST COMMAND..
    _n=$1
    shift
    mkguest "$_n" "$type" "$mem" fill=2048 dirty=256
    fresh "$_n" && sha_ok "$_n" && t "$@" && ! exists "$_n"
    verdict $? "$_n: $* from host A, and gone there"
}

i=0
until ping -c 1 -W 1 10.77.0.2 > /dev/null 2>&1; do
    i=$((i + 1)); [ $i -lt 120 ] || { echo "host B is not there"; exit 1; }
done
send "$type-ours" xc-migrate "$type-ours" tcp://10.77.0.2:7000
send "$type-stock" xc-migrate -s '' "$type-stock" 'xenbed-connect 10.77.0.2 8002'
end_cases
